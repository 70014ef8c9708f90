"""The text of a share: whole rows, whichever byte shares are cut at, whatever the quotes and the encoding."""

from fractions import Fraction

import pytest
from threads import in_threads, outcomes

from fuseprop.data import DataError
from fuseprop.data.files.opening import Named
from fuseprop.data.files.own_text import OwnText
from fuseprop.data.files.rows import rows_of
from fuseprop.data.files.shares import Shares
from fuseprop.data.files.text import LONGEST_LINE, Text

BLANK = b" \t\x0b\x0c\n\xc2\xa0"

TEXTS = {
    "plain": "1,x\n22,yy\n\n333,z\n",
    "no end of the last line": "1,x\n2,y",
    "line ends in quotes": '1,"x\ny"\n"2\n\n",z\n3,"\n"\n',
    "quotes written twice": '1,"""\n"""\n2,"a""\nb"\n"""",""\n3,"\n"""\n',
    "quotes that enclose nothing": '1,5"\n2,a "\n3,a""b\n4,"\n"\n5,6" \n',
    "blanks before quotes": '1, "x\ny"\n2,  "\n"\n3, "z"\n4, a "\n5,b\n',
    "quotes everywhere": '"1","x"\n"2","y, z"\n"3","\n"\n"4",""\n',
    "one row in quotes": '"\n\n1\n,\n\n","\n\n"\n',
    "characters of several bytes": 'é,"ü\n€"\n"€","\n😀"\n😀,é\n',
    "blank lines": "1\n\n \n2\n\n\n",
    "only blank lines": "\n\n \n\n",
}


def parts_of(path, cuts, encodings, delimiter=","):
    """Return the text of each share, its first line, and whether it is the last one, by rank."""

    def part(world):
        text = Text(Named(path), encodings)
        own = OwnText(text, delimiter, BLANK, 0, Shares(world, cuts, Fraction(1)))
        return b"".join(own.blocks()).decode(), own.lines_before, own.is_last

    return in_threads(len(cuts) - 1, part)


def rows(text, delimiter=","):
    """The rows of a text, each with the number of its line."""
    return [*rows_of(text.splitlines(keepends=True), delimiter, first=0)]


def check(path, text, cuts, encodings, delimiter=","):
    parts = parts_of(path, cuts, encodings, delimiter)
    assert "".join(part for part, _, _ in parts) == text
    found = [(line + before, cells) for part, before, _ in parts for line, cells in rows(part, delimiter)]
    assert found == rows(text, delimiter)
    for rank, (part, _, is_last) in enumerate(parts):
        follows = any(following.strip() for following, _, _ in parts[rank + 1 :])
        assert not (follows and is_last)
        # Blank lines are rows of one column, but at the end of all.
        assert follows or is_last or not part or part.splitlines()[-1].strip()
    return parts


ENCODINGS = {
    "utf-8": ("utf-8", "utf-8"),
    "utf-8-sig": ("utf-8", "utf-8"),
    "utf-16-le": ("utf-16-le", "utf-16-le"),
    "utf-16": ("utf-16", "utf-16-le"),
    "utf-32": ("utf-32", "utf-32-le"),
}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_cut_at_any_byte_leaves_rows_whole(tmp_path, name, end):
    text = TEXTS[name]
    content = text.replace("\n", end).encode()
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    seen = set()
    for place in range(len(content) + 1):
        cuts = (Fraction(0), Fraction(place, len(content)), Fraction(1))
        parts = check(path, text, cuts, ENCODINGS["utf-8"])
        seen.add(len(parts[0][0]))
    assert {0, len(text)} <= seen


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        *((encoding, "line ends in quotes") for encoding in ENCODINGS),
        *((encoding, "characters of several bytes") for encoding in ENCODINGS if encoding != "utf-16-le"),
    ],
)
def test_in_any_encoding(tmp_path, encoding, name):
    content = TEXTS[name].replace("\n", "\r\n").encode(encoding)
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert Text(Named(path)).encodings == ENCODINGS[encoding]
    for place in range(0, len(content) + 1, 3):
        cuts = (Fraction(0), Fraction(place, len(content)), Fraction(1))
        check(path, TEXTS[name], cuts, ENCODINGS[encoding])


@pytest.mark.parametrize("name", TEXTS)
def test_more_processes_than_rows(tmp_path, name):
    path = tmp_path / "t.csv"
    path.write_bytes(TEXTS[name].encode())
    for size in (3, 4, 7):
        check(path, TEXTS[name], tuple(Fraction(k, size) for k in range(size + 1)), ENCODINGS["utf-8"])


def test_blanks_between_cells(tmp_path):
    text = '1  "x\n y"\n\t"a ""\n"\t2\n3 5"\n4 \t"\n"\n'
    path = tmp_path / "t.txt"
    path.write_bytes(text.encode())
    for place in range(len(text) + 1):
        parts = parts_of(
            path, (Fraction(0), Fraction(place, len(text)), Fraction(1)), ("utf-8", "utf-8"), " "
        )
        assert "".join(part for part, _, _ in parts) == text
        assert [row for part, _, _ in parts for _, row in rows(part, " ")] == [
            row for _, row in rows(text, " ")
        ]


def refusals(path, content, size=3):
    path.write_bytes(content)
    cuts = tuple(Fraction(k, size) for k in range(size + 1))

    def part(world):
        text = Text(Named(path), ("utf-8", "utf-8"))
        own = OwnText(text, ",", BLANK, 0, Shares(world, cuts, Fraction(1)))
        return text.encoding, b"".join(own.blocks()).decode()

    return outcomes(size, part)


def test_the_first_bytes_that_are_not_utf_8_decide_for_all(tmp_path):
    path = tmp_path / "t.csv"
    content = b"1,x\n" * 50 + b"2,\xe9t\xe9\n" + b"1,y\n" * 30
    found = refusals(path, content)
    assert {encoding for encoding, _ in found} == {"cp1252"}
    assert "".join(text for _, text in found) == content.decode("cp1252")
    # Behind characters of UTF-8, wherever these are, such bytes are damage.
    for error in refusals(path, "1,é\n".encode() + content):
        assert isinstance(error, DataError)
        assert "no text in UTF-8" in str(error)


def test_what_is_no_text_is_refused_by_all_and_placed_by_one(tmp_path):
    path = tmp_path / "t.csv"
    found = refusals(path, b"1,x\n" * 50 + b"2,\0\n" + b"1,y\n" * 30)
    assert [type(error).__name__ for error in found] == ["Elsewhere", "DataError", "Elsewhere"]
    assert "a NUL at byte 202" in str(found[1])
    assert "process 1 of 3 has failed" in str(found[0])


def test_a_line_without_end_is_refused(tmp_path):
    found = refusals(tmp_path / "t.csv", b"1,x\n" + b"y" * (3 * LONGEST_LINE), 2)
    assert all("has a line of more than" in str(error) for error in found)
