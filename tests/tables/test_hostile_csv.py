"""CSV files that are no tables, whatever their bytes: one DataError that can be printed, in little memory."""

import codecs
import os
import tracemalloc

import numpy as np
import pytest

from fuseprop.data import DataError, read_csv
from fuseprop.data.csv_bytes import BLOCK, LONGEST_LINE
from fuseprop.data.csv_cells import explain, row_at


def refusal(path, *arguments):
    with pytest.raises(DataError) as caught:
        read_csv(path, *arguments)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < len(str(path)) + 1200
    assert str(path) in message
    return message


GOOD = b"a,b,y\n" + b"1,2,x\n3,4,z\n" * 4

BAD = {
    "NUL in a cell": (b"a,b,y\n1,2\0,x\n", "a NUL at byte 9"),
    "NUL in a text": (b"a,b,y\n1,2,x\0\n3,4,x\n", "a NUL at byte 11"),
    "UTF-16": (codecs.BOM_UTF16_LE + GOOD.decode().encode("utf-16-le"), "is text in UTF-16"),
    "UTF-16 from the other end": (codecs.BOM_UTF16_BE + GOOD.decode().encode("utf-16-be"), "in UTF-16"),
    "UTF-16 without a mark": (GOOD.decode().encode("utf-16-le"), "a NUL at byte 1"),
    "UTF-32": (GOOD.decode().encode("utf-32-be"), "a NUL at byte 0"),
    "Latin-1": ("a,b,größe\n1,2,3\n".encode("latin-1"), "UTF-8"),
    "a mark in the middle": (GOOD + codecs.BOM_UTF8 + GOOD, "a byte order mark at byte 54"),
    "a mark in a text": (b"a,b,y\n1,2,x\n3,4,\xef\xbb\xbfx\n", "a byte order mark"),
    "an open quote": (b'a,b,y\n1,2,x\n3,4,"z\n5,6,x\n', "begins in line 3 is never closed"),
    "an open quote at the end": (b'a,b,y\n1,2,x\n3,4,"', "begins in line 3 is never closed"),
    "an open quote in the header": (b'a,"b,y\n1,2,x\n', "never closed"),
    "an open quote behind others": (b'a,b,y\n1,2,"""x"""\n3,4,"""z\n', "begins in line 3"),
    "an escape sequence in a cell": (b"a,b,y\n1,\x1b[2J\x1b[1;31mroot,x\n", r"\x1b[2J"),
    "an escape sequence in the header": (b"a,\x1b[2J,y\n1,2,x\n", "which column is the target"),
    "a text that turns around": ("a,b,y\n1,\u202e2,x\n".encode(), r"\u202e"),
    "a long cell": (b"a,b,y\n1," + b"9x" * 50_000 + b",x\n", "9x9x9x..."),
    "a long name": (b"a" * 50_000 + b",b,y\n1,2,x\n", "aaa..."),
    "many names": (b",".join(b"c%d" % i for i in range(50_000)) + b"\n1\n", "and 49988 more"),
    "numbers of many digits": (b"a,b,y\n1," + b"9" * 5000 + b",x\n", "finite number"),
}


@pytest.mark.parametrize("case", BAD)
def test_bytes_that_are_no_table(tmp_path, case):
    content, words = BAD[case]
    (tmp_path / "t.csv").write_bytes(content)
    target = None if "header" in case or "name" in case else ["y"]
    assert words in refusal(tmp_path / "t.csv", target)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_quotes_that_are_closed_or_stand_in_a_text_are_no_fault(tmp_path, end):
    rows = [b"a,note,y", b'1,5" pipe,"x', b'z"', b'2,,"""', b'"', b"3,,x"]
    (tmp_path / "t.csv").write_bytes(end.join(rows))
    table = read_csv(tmp_path / "t.csv", ["y"], ["a"])
    assert len(table) == 3
    np.testing.assert_array_equal(table.X[:, 0], [1, 2, 3])


def test_a_mark_across_blocks_is_found_and_one_at_the_beginning_is_none(tmp_path):
    path = tmp_path / "t.csv"
    for shift in range(-4, 3):
        before = b"a,y\n" + b"1,2\n" * (BLOCK // 4)
        text = before[: BLOCK + shift] + codecs.BOM_UTF8 + b"1\n"
        path.write_bytes(text)
        assert f"at byte {BLOCK + shift:,}" in refusal(path, ["y"])
    path.write_bytes(codecs.BOM_UTF8 + b"a,y\n1,2\n")
    assert read_csv(path, ["y"]).feature_names == ("a",)


@pytest.mark.parametrize("where", ["header", "row"])
def test_lines_that_never_end_are_refused_in_little_memory(tmp_path, where):
    content = (b"" if where == "header" else b"a,y\n") + b"1," * (4 * LONGEST_LINE)
    (tmp_path / "t.csv").write_bytes(content)
    tracemalloc.start()
    assert "a line of more than 4,194,304 bytes" in refusal(tmp_path / "t.csv", ["y"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_wide_tables_are_read(tmp_path):  # in minutes, if names were looked for one by one
    names = [f"c{i}" for i in range(40_000)]
    (tmp_path / "t.csv").write_text(f"{','.join(names)}\n{','.join('1' * len(names))}\n")
    assert read_csv(tmp_path / "t.csv", names[:1], names[:0:-1]).X.shape == (1, len(names) - 1)
    (tmp_path / "t.csv").write_text(f"{','.join(names)}\n{','.join('1' * (len(names) - 1))},x\n")
    assert "'c39999'" in refusal(tmp_path / "t.csv", names[:1])


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        assert "is a pipe or a device" in refusal(tmp_path / f"{name}.csv", ["y"])
    (tmp_path / "t.csv").write_bytes(GOOD)
    (tmp_path / "link.csv").symlink_to("t.csv")
    assert len(read_csv(tmp_path / "link.csv", ["y"])) == 8


@pytest.mark.parametrize("error", [MemoryError, RuntimeError, RecursionError, AssertionError])
def test_whatever_the_reader_raises_is_one_error_with_its_cause(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error("oops")

    (tmp_path / "t.csv").write_bytes(GOOD)
    monkeypatch.setattr("numpy.loadtxt", fail)
    with pytest.raises(DataError) as caught:
        read_csv(tmp_path / "t.csv", ["y"])
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_passes(tmp_path, monkeypatch, end):
    def stop(*_, **__):
        raise end

    (tmp_path / "t.csv").write_bytes(GOOD)
    monkeypatch.setattr("numpy.loadtxt", stop)
    with pytest.raises(end):
        read_csv(tmp_path / "t.csv", ["y"])


def test_a_file_that_was_emptied_while_it_was_read_has_no_row_to_blame(tmp_path):
    (tmp_path / "t.csv").write_text("\n")
    assert explain(tmp_path / "t.csv", ["a", "y"], ",", ["a"]) == ""
    assert row_at(tmp_path / "t.csv", ",", 2) == "row 3"
