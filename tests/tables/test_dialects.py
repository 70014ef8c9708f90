"""Delimited files as people have them: each way to write one gives the right cells, or a refusal by name."""

import codecs
import datetime
import random

import numpy as np
import pytest

from fuseprop.data import DataError
from fuseprop.data.cells import MOST_OTHERS, Dates, Numbers
from fuseprop.data.files import open_source
from fuseprop.data.files.cellwise import plain_number


def values(cells):
    """A column as a list: numbers, None for what is missing, texts."""
    if isinstance(cells, Numbers):
        return [
            cells.others.get(row, None if value != value else value)
            for row, value in enumerate(cells.values.tolist())
        ]
    return [None if code < 0 else cells.texts[code] for code in cells.codes.tolist()]


def columns(source):
    return {name: values(cells) for name, cells in source.cells(source.names).items()}


A = {"a": [1, 2], "b": ["x", "y"]}
"""What most files below hold."""

READ = {
    # Delimiters
    "commas": ("a,b\n1,x\n2,y\n", A),
    "semicolons": ("a;b\n1;x\n2;y\n", A),
    "tabs": ("a\tb\n1\tx\n2\ty\n", A),
    "bars": ("a|b\n1|x\n2|y\n", A),
    "single blanks": ("a b\n1 x\n2 y\n", A),
    "blanks that align": ("  a   b\n  1   x\n 2    y\n", A),
    "blanks in quotes": (
        'a  b\n1\t"x  z\t"\n2  "y \t ""u""  v"\n',
        {"a": [1, 2], "b": ["x  z", 'y \t "u"  v']},
    ),
    "blanks in quotes on many lines": (
        'a b c\n 1  "x  z\n\n  ""u""  v"   3\n2 y  4\n',
        {"a": [1, 2], "b": ['x  z\n\n  "u"  v', "y"], "c": [3, 4]},
    ),
    "blanks and empty quotes": ('a b c\n1 ""  3 \n2 "" 4\n', {"b": [None, None], "c": [3, 4]}),
    "blanks and a quote within a text": ('a b\n1   5"\n2 y"  \n', {"a": [1, 2], "b": ['5"', 'y"']}),
    "spaces that divide no cells": (
        "a   b\n1\u00a0500   x\n2\u202f500   y\x0bz\n",
        {"a": ["1\u00a0500", "2\u202f500"], "b": ["x", "y\x0bz"]},
    ),
    "blanks and quotes": ('a b\n1 "x z"\n2 y\n', {"a": [1, 2], "b": ["x z", "y"]}),
    "a named delimiter": ("sep=;\na;b\n1;x\n2;y\n", A),
    "a named delimiter in quotes": ('"sep=|"\na|b\n1|x\n2|y\n', A),
    "a named delimiter that nobody would guess": ("sep=^\na^b\n1^x\n2^y\n", A),
    "semicolons with decimal commas": ("a;b\n1,5;2,5\n3,5;4,5\n", {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}),
    "semicolons with commas in names": (
        "Length, cm;Width, cm\n1,5;2,5\n3,5;4,5\n",
        {"Length, cm": ["1,5", "3,5"], "Width, cm": ["2,5", "4,5"]},
    ),
    "commas with semicolons in texts": ("a,b\n1,x;y\n2,y\n", {"a": [1, 2], "b": ["x;y", "y"]}),
    "commas and times": ("t,v\n2020-01-01 10:00,1\n2020-01-02 10:00,2\n", {"v": [1, 2]}),
    "bars between names with commas": ("n|v\nDoe, J|1\nRoe, R|2\n", {"n": ["Doe, J", "Roe, R"], "v": [1, 2]}),
    "one column": ("a\n1\n2\n", {"a": [1, 2]}),
    "one column of texts": ("b\nx\ny\n", {"b": ["x", "y"]}),
    "one column, in which empty lines are cells": (
        "\na\n\n1\n\n \n2\n\n \n",
        {"a": [None, 1, None, None, 2]},
    ),
    "one column of texts, in which empty lines are cells": (
        b"b\r\n\r\nx\r\n\r\ny\r\n\r\n",
        {"b": ["", "x", "", "y"]},
    ),
    "one column and no header": ("1.5\n\n2.5\n\n", {"x1": [1.5, None, 2.5]}),
    "one column that ends in empty quotes": ('a\n1\n""\n""\n', {"a": [1, None, None]}),
    "one column of empty quotes": ('a\n""\n', {"a": [None]}),
    "empty lines above names of rows": ("a\n\nr1,1\nr2,2\n\n", {"a": [1, 2]}),
    # Quotes
    "everything in quotes": ('"a","b"\n"1","x"\n"2","y"\n', A),
    "a delimiter in quotes": ('a,b\n1,"x,z"\n2,y\n', {"a": [1, 2], "b": ["x,z", "y"]}),
    "a line end in quotes": ('a,b\n1,"x\nz"\n2,y\n', {"a": [1, 2], "b": ["x\nz", "y"]}),
    "doubled quotes": ('a,b\n1,"x ""z"""\n2,y\n', {"a": [1, 2], "b": ['x "z"', "y"]}),
    "a quote within a text": ('a,b\n1,5" pipe\n2,y\n', {"a": [1, 2], "b": ['5" pipe', "y"]}),
    "blanks before quotes": ('a, b\n1, "x, z"\n2, y\n', {"a": [1, 2], "b": ["x, z", "y"]}),
    "blanks before quotes in the header": ('"a", "b"\n1, "x"\n2, "y"\n', A),
    "blanks around cells": (" a , b \n 1 , x \n 2 , y \n", A),
    "empty quotes": ('a,b\n1,""\n2,y\n', {"a": [1, 2], "b": ["", "y"]}),
    "apostrophes": ("a,b\n1,'x'\n2,O'Hara\n", {"a": [1, 2], "b": ["'x'", "O'Hara"]}),
    # Encodings
    "UTF-8": ("a,größe\n1,ä\n2,ß\n", {"a": [1, 2], "größe": ["ä", "ß"]}),
    "UTF-8 with a mark": (codecs.BOM_UTF8 + b"a,b\n1,x\n2,y\n", A),
    "UTF-8 with a mark and quotes": (codecs.BOM_UTF8 + b'"a","b"\n1,x\n2,y\n', A),
    "UTF-16": ("a,b\n1,x\n2,y\n".encode("utf-16"), A),
    "UTF-16 from the other end": (codecs.BOM_UTF16_BE + "a,b\n1,x\n2,y\n".encode("utf-16-be"), A),
    "UTF-16 without a mark": ("a,b\n1,x\n2,y\n".encode("utf-16-le"), A),
    "UTF-32": ("a,b\n1,x\n2,y\n".encode("utf-32"), A),
    "Latin-1": ("a,größe\n1,ä\n2,ß\n".encode("latin-1"), {"a": [1, 2], "größe": ["ä", "ß"]}),
    "Windows-1252": ("a,b\n1,5 €\n2,“y”\n".encode("cp1252"), {"a": [1, 2], "b": ["5 €", "“y”"]}),
    # Line ends, and lines that are none
    "Windows's line ends": (b"a,b\r\n1,x\r\n2,y\r\n", A),
    "old Mac's line ends": (b"a,b\r1,x\r2,y\r", A),
    "mixed line ends": (b"a,b\r\n1,x\n2,y\r", A),
    "no end of the last line": ("a,b\n1,x\n2,y", A),
    "empty lines": ("\n\na,b\n\n1,x\n\n\n2,y\n\n", A),
    "empty lines with Windows's ends": (b"\r\na,b\r\n\r\n1,x\r\n2,y\r\n\r\n", A),
    "lines of white space at the end": ("a,b\n1,x\n2,y\n\n  \n\t\n\u00a0\n \x0b\x0c", A),
    "rows of missing cells at the end": (
        "a,b\n1,x\n2,y\n,\n , \n\n",
        {"a": [1, 2, None, None], "b": ["x", "y", "", ""]},
    ),
    "rows of empty quotes at the end": ('a,b\n1,x\n2,y\n"",""', {"a": [1, 2, None], "b": ["x", "y", ""]}),
    "rows of tabs at the end": ("a\tb\n1\tx\n2\t\n\t\n \n", {"a": [1, 2, None], "b": ["x", "", ""]}),
    "rows of missing cells alone": ("a,b\n,\n,\n", {"a": [None, None]}),
    "a last row that ends in missing cells": ("a,b\n1,x\n2,\n", {"a": [1, 2], "b": ["x", ""]}),
    "a blank row within": ("a,b\n1,x\n,\n2,y\n", {"a": [1, None, 2], "b": ["x", "", "y"]}),
    "comments above the header": ("# made by hand\n# in 2020\na,b\n1,x\n2,y\n", A),
    "a comment for a header": ("# a,b\n1,x\n2,y\n", A),
    "a comment for a header, and blanks": (
        "# a b c\n1 2 3\n4 5 6\n",
        {"a": [1, 4], "b": [2, 5], "c": [3, 6]},
    ),
    # Headers
    "no header, numbers": ("1.5,2\n3.5,4\n", {"x1": [1.5, 3.5], "x2": [2, 4]}),
    "no header, the same number twice": ("0,0,5\n0,1,4\n", {"x1": [0, 0], "x2": [0, 1], "x3": [5, 4]}),
    "no header, as UCI has it": ("5.1,3.5,setosa\n4.9,3.0,virginica\n", {"x3": ["setosa", "virginica"]}),
    "no header, texts that come again": (
        "39,State,Bachelors\n50,Self,Bachelors\n38,State,Masters\n",
        {"x1": [39, 50, 38], "x2": ["State", "Self", "State"]},
    ),
    "inf for a name": ("year,inf\n1948,8.1\n1949,-1.2\n", {"year": [1948, 1949], "inf": [8.1, -1.2]}),
    "inf for the only name": ("inf\n1\n2\n", {"inf": [1, 2]}),
    "nan and inf for names": ("nan,-Infinity\n1,2\n3,4\n", {"nan": [1, 3], "-Infinity": [2, 4]}),
    "no header, nan again": ("Ann,nan\nBob,nan\n", {"x1": ["Ann", "Bob"], "x2": [None, None]}),
    "no header, nan and a number": (
        "nan,5.1,x\n1,2.5,y\n",
        {"x1": [None, 1], "x2": [5.1, 2.5], "x3": ["x", "y"]},
    ),
    "no header, nan above numbers": ("nan\n1\n2\n", {"x1": [None, 1, 2]}),
    "a number for a name": ("x,1e5\n1,2\n3,4\n", {"x": [1, 3], "1e5": [2, 4]}),
    "a whole number for a name": (
        "7,c,y\n1,red,2\n3,blue,4\n",
        {"7": [1, 3], "c": ["red", "blue"], "y": [2, 4]},
    ),
    "no header, a word among more numbers": (
        "1.5,2.5,so\n2.5,3,4\n",
        {"x1": [1.5, 2.5], "x2": [2.5, 3], "x3": ["so", "4"]},
    ),
    "no header, a number above texts": ("Ann,1.5\nBob,2.5\n", {"x1": ["Ann", "Bob"], "x2": [1.5, 2.5]}),
    "an index and numbers for names": (
        ",0,1\n0,1.5,2\n1,4,5\n",
        {"Unnamed: 0": [0, 1], "0": [1.5, 4], "1": [2, 5]},
    ),
    "an index and one number for a name": (",0\n0,1.5\n1,2.5\n", {"Unnamed: 0": [0, 1], "0": [1.5, 2.5]}),
    "an index of texts": (",0,1\na,1,2\nb,3,4\n", {"Unnamed: 0": ["a", "b"], "0": [1, 3], "1": [2, 4]}),
    "no header, nothing in the first cell": (
        ",5.1\nann,1.2\nbob,1.3\n",
        {"x1": ["", "ann", "bob"], "x2": [5.1, 1.2, 1.3]},
    ),
    "years in a header": ("country,2019,2020\nDE,1,2\nFR,3,4\n", {"country": ["DE", "FR"], "2019": [1, 3]}),
    "missing names": ("a,,\n1,2,3\n4,5,6\n", {"a": [1, 4], "Unnamed: 1": [2, 5], "Unnamed: 2": [3, 6]}),
    "doubled names": ("a,a,a.1\n1,2,3\n4,5,6\n", {"a": [1, 4], "a.2": [2, 5], "a.1": [3, 6]}),
    "a name of two lines": ('a,"b\n(cm)"\n1,x\n2,y\n', {"a": [1, 2], "b (cm)": ["x", "y"]}),
    "names that are SQL": ('c0,"y0""; DROP"\n1,x\n2,y\n', {"c0": [1, 2], 'y0"; DROP': ["x", "y"]}),
    "all texts": ("a,b\nu,x\nv,y\n", {"a": ["u", "v"], "b": ["x", "y"]}),
    "an index as pandas writes it": (",a,b\n0,1,x\n1,2,y\n", {"Unnamed: 0": [0, 1], **A}),
    "row names as R writes them": ('"a","b"\n"r1",1,"x"\n"r2",2,"y"\n', {"Unnamed: 0": ["r1", "r2"], **A}),
    "a delimiter behind each row": ("a,b\n1,x,\n2,y,\n", {**A, "Unnamed: 2": [None, None]}),
    "a delimiter behind each line": ("a,b,\n1,x,\n2,y,\n", {**A, "Unnamed: 2": [None, None]}),
    # Cells
    "missing values": (
        "a,b\n1,x\nNA,NA\n,\n?,-\n2,y\n",
        {"a": [1, None, None, None, 2], "b": ["x", "NA", "", "-", "y"]},
    ),
    "numbers in all ways": (
        "a\n+1\n-2\n.5\n3.\n1e3\n-1E-2\n 7 \n0\n-0.5\n",
        {"a": [1, -2, 0.5, 3, 1000, -0.01, 7, 0, -0.5]},
    ),
    "leading zeros": ("a,b\n007,x\n010,y\n", {"a": ["007", "010"], "b": ["x", "y"]}),
    "digits beyond float64": (
        "a,b\n9007199254740993,x\n9007199254740995,y\n",
        {"a": ["9007199254740993", "9007199254740995"]},
    ),
    "thousands": ('a,b\n"1,000",x\n"2,500",y\n', {"a": ["1,000", "2,500"]}),
    "money and percent": ("a,b\n$1,5%\n$2,6%\n", {"a": ["$1", "$2"], "b": ["5%", "6%"]}),
    "dates": ("a,b\n2020-01-02,x\n2020-01-03,y\n", {"a": ["2020-01-02", "2020-01-03"]}),
    "True and False": ("a,b\nTrue,x\nFalse,y\n", {"a": ["True", "False"]}),
    "underscores": ("a,b\n1_000,x\n2_000,y\n", {"a": ["1_000", "2_000"]}),
    "infinity": ("a,b\ninf,x\n-inf,y\n", {"a": ["inf", "-inf"]}),
    "texts that begin with #": ("a,b\n1,#x\n2,#N/A\n", {"a": [1, 2], "b": ["#x", "#N/A"]}),
    "a first cell that begins with #": ("b,a\nx,1\n#N/A,2\n", {"b": ["x", "#N/A"], "a": [1, 2]}),
}


@pytest.fixture
def write(tmp_path):
    def written(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


@pytest.mark.parametrize("case", READ)
def test_each_way_of_writing_gives_the_right_cells(write, case):
    content, expected = READ[case]
    found = columns(open_source(write(content)))
    assert {name: found.get(name) for name in expected} == expected
    if expected is A:
        assert list(found) == ["a", "b"]


REFUSED = {
    "an empty file": ("", ["is empty"]),
    "empty lines alone": ("\n \n\n", ["is empty"]),
    "a header alone": ("a,b\n", ["no rows"]),
    "a header and blank lines": ("a,b\n \n\n", ["no rows"]),
    "a header of one column and blank lines": ("a\n\n \n\t\n", ["no rows"]),
    "empty quotes for a row": ('a,b\n1,x\n""\n', ["row 2 (line 3)", "blank", "expected 2 cells"]),
    "whole numbers above whole numbers": ("1,2\n3,4\n", ["header row", "Add one"]),
    "whole numbers and names": ("1,Ann,34\n2,Bob,29\n", ["header row", "Add one"]),
    "a header again": ("a,b\n1,x\na,b\n2,y\n", ["header", "again"]),
    "no header, and the first row again": ("a,x\na,x\nb,y\n", ["again", "add a header row"]),
    "a first line of empty cells": (",\na,b\n1,x\n", ["first line", "empty cells", "Leave the line out"]),
    "no header, nothing above row numbers twice": (",1,2\n,3,4\n1,2,2\n", ["header row", "Add one"]),
    "a missing cell": ("a,b,c\n1,2,3\n4,5\n", ["row 2 (line 3)", "expected 3 cells", "got 2"]),
    "an extra cell": ("a,b\n1,x\n\n2,y,z\n", ["row 2 (line 4)", "expected 2 cells", "got 3"]),
    "every row too long": ("a,b\n1,x,5,6\n2,y,5,6\n", ["row 1 (line 2)", "expected 2 cells", "got 4"]),
    "a title above the header": (
        "Sales of 2020\n\na,b,c\n1,2,3\n4,5,6\n",
        ["row 1 (line 3)", "expected 1 cell", "got 3"],
    ),
    "a comment among the rows": ("a,b\n1,x\n# note\n2,y\n", ["row 2 (line 3)", "got 1"]),
    "a row of blanks": ("a,b\n1,x\n  \n2,y\n", ["row 2 (line 3)", "blank"]),
    "quotes for a delimiter": ('sep="\na"b\n1"x\n', ["divided by quotes", "expected a delimiter"]),
    "an open quote": ('a,b\n1,x\n2,"y\n3,z\n', ["row 2 (line 3)", "never closed"]),
    "an open quote at the end": ('a,b\n1,x\n2,"', ["row 2 (line 3)", "never closed"]),
    "an open quote in the header": ('a,"b\n1,x\n', ["line 1", "never closed"]),
    "text behind a quote": ('a,b\n1,"x"z\n2,y\n', ["row 1 (line 2)"]),
    "backslashes before quotes": ('a,b\n1,"x \\"z\\" u"\n2,y\n', ["row 1 (line 2)"]),
    "an open quote among blanks": ('a  b\n1  x\n2  "y  \n3  z\n', ["row 2 (line 3)", "never closed"]),
    "text behind a quote among blanks": ('a  b\n1  "x"z\n2  y\n', ["row 1 (line 2)"]),
    "a NUL": (b"a,b\n1,x\0\n", ["NUL at byte 7"]),
    "a NUL in UTF-16": ("a,b\n1,x\0\n".encode("utf-16"), ["NUL"]),
    "a mark within": (b"a,b\n1,x\n" + codecs.BOM_UTF8 + b"a,b\n", ["byte order mark at byte 8"]),
    "bytes of no encoding": (b"a,b\n1,\x81\x8d\n2,\x90\n", ["no text"]),
    "UTF-8 with a damaged byte": ("a,b\n1,äöü\n2,y".encode() + b"\xff\n", ["no text in UTF-8"]),
    "a ZIP archive": (b"PK\x03\x04....", ["ZIP archive", "Unpack it"]),
    "a picture": (b"\x89PNG\r\n\x1a\n", ["picture"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_rest_is_refused_by_name_and_line(write, case):
    content, words = REFUSED[case]
    with pytest.raises(DataError) as caught:
        columns(open_source(write(content)))
    message = str(caught.value)
    assert "t.csv" in message
    assert message.isprintable()
    for word in words:
        assert word in message


@pytest.mark.parametrize("alphabet", ["0017+-_. e", "12. e-\t", "09.eE+-", "1naif-"])
def test_numbers_are_those_of_the_spelling_whatever_a_cast_makes_of_them(write, alphabet):
    rng = random.Random(alphabet)
    cells = ["".join(rng.choices(alphabet, k=rng.randrange(6))) for _ in range(2000)]
    plain = [str(i) for i in range(20_000)]  # so that the others are few
    found = open_source(write("a,b\n" + "".join(f"{cell},x\n" for cell in [*plain, *cells]))).cells(["a"])[
        "a"
    ]
    expected = [plain_number(cell) for cell in cells]
    wrong = [row for row, value in enumerate(expected, len(plain)) if value is None]
    assert found.count == len(wrong)
    assert list(found.others) == wrong[:MOST_OTHERS]
    np.testing.assert_array_equal(
        found.values, [*range(len(plain)), *(np.nan if value is None else value for value in expected)]
    )


@pytest.mark.parametrize("before", [" ", "\t", "\x0b", "\x0c", " \x0b\t"])
def test_a_code_behind_blanks_is_no_number(write, before):
    rows = "".join(f"{i},x\n" for i in range(1, 1000))
    found = open_source(write(f"a,b\n{rows}{before}007,y\n")).cells(["a"])["a"]
    assert (found.count, found.others) == (1, {999: "007"})


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
@pytest.mark.parametrize("late", ["", "NA", "2020-13-01", "oops", "größe", "1" * 60])
def test_dates_are_read_by_the_block_or_else_as_texts(write, form, late):
    first = datetime.datetime(2019, 12, 25)
    dates = [first + datetime.timedelta(days=i, hours=i % 24 * ("H" in form)) for i in range(1500)]
    texts = [*(date.strftime(form) for date in dates), late]
    found = open_source(write("a,b\n" + "".join(f"x,{text}\n" for text in texts))).cells(["b"])["b"]
    if late not in ("", "NA"):
        assert values(found) == texts
        return
    assert (type(found), found.notation) == (Dates, form)
    days = [(date - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1) for date in dates]
    np.testing.assert_allclose(found.days, [*days, np.nan], rtol=1e-15)
    assert values(open_source(write("a,b\nx,1\ny,2\n")).cells(["b"], as_text=["b"])["b"]) == ["1", "2"]


def test_a_number_that_is_taken_for_a_name_is_told(tmp_path):
    for text, note in (("x,1e5\n1,2\n", "1e5 is a name"), ("x,y,5,1.5\n1,2,3,4\n", "5, 1.5 are names")):
        (tmp_path / "t.csv").write_text(text)
        assert note in " ".join(open_source(tmp_path / "t.csv").notes)
    for text in ("x,inf\n1,2\n", "x,2019,2020\n1,2,3\n", ",0,1\n0,2,3\n"):
        (tmp_path / "t.csv").write_text(text)
        assert open_source(tmp_path / "t.csv").notes == ()
