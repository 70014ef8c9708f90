"""What messages show of names, cells and counts."""

import pytest

from fuseprop.checks.choices import choose
from fuseprop.checks.quoting import counted, literal, printable, quoted, shown

ESCAPE = "\x1b[31mred"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price", "price"),
        ("größe in m\u00b2", "größe in m\u00b2"),
        ('a "b"', 'a "b"'),
        ("", ""),
        (ESCAPE, r'"\x1b[31mred"'),
        ("a\nb\tc", r'"a\nb\tc"'),
        ('\x07"\\', r'"\x07\"\\"'),
        ("\u202eabc\x9b1m", r'"\u202eabc\x9b1m"'),
        ("\udce4", r'"\udce4"'),
        (7, "7"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 60 + "..."),
    ],
)
def test_names_are_shown_as_they_are_where_they_are_printable(text, expected):
    assert shown(text) == expected
    assert shown(text).isprintable()


def test_a_path_is_not_cut():
    assert shown("x" * 300, None) == "x" * 300


def test_cells_and_names_that_were_not_known_are_always_in_quotes():
    assert literal("abc") == "'abc'"
    assert literal(ESCAPE) == r"'\x1b[31mred'"
    assert literal("y" * 100) == "'" + "y" * 60 + "...'"
    assert literal(1.5) == "1.5"
    assert quoted("abc") == '"abc"'
    assert quoted(ESCAPE) == r'"\x1b[31mred"'
    assert quoted(None) == "None"
    assert len(literal(["z" * 1000])) < 70
    with pytest.raises(ValueError, match=r'^loss "\\x1b\[31mred" is not known'):
        choose("loss", ESCAPE, {"mean_squared_error": 1})


def test_a_text_of_several_lines_keeps_them():
    assert printable(f"one\n{ESCAPE}\n") == "one\n\\x1b[31mred\n"


def test_counts():
    assert counted(1, "epoch") == "1 epoch"
    assert counted(0, "epoch") == "0 epochs"
    assert counted(1200, "row") == "1,200 rows"
    assert counted(2, "class", "classes") == "2 classes"
    assert counted(1, "class", "classes") == "1 class"
