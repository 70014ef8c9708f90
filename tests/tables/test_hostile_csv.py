"""CSV files that are no tables, whatever their bytes: one DataError that can be printed, in little memory."""

import codecs
import csv
import os
import re
import shutil
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from fuseprop.data import DataError, load_table
from fuseprop.data.files import delimited, open_source
from fuseprop.data.files.opening import BLOCK
from fuseprop.data.files.text import LONGEST_LINE


def refusal(path, *arguments):
    with pytest.raises(DataError) as caught:
        load_table(path, *arguments)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < len(str(path)) + 1200
    assert str(path) in message
    return message


GOOD = b"a,b,y\n" + b"1,2,x\n3,4,z\n" * 4

MANY = b"a,b,y\n" + b"".join(b"%d,%d,x\n" % (i, i % 7) for i in range(40))

BAD = {
    "NUL in a cell": (b"a,b,y\n1,2\0,x\n", "a NUL at byte 9"),
    "NUL in a text": (b"a,b,y\n1,2,x\0\n3,4,x\n", "a NUL at byte 11"),
    "half a character": (codecs.BOM_UTF16_LE + GOOD.decode().encode("utf-16-le") + b"1", "no text in UTF-16"),
    "UTF-32 without a mark": (GOOD.decode().encode("utf-32-be"), "a NUL at byte 0"),
    "a mark in the middle": (GOOD + codecs.BOM_UTF8 + GOOD, "a byte order mark at byte 54"),
    "a mark in a text": (b"a,b,y\n1,2,x\n3,4,\xef\xbb\xbfx\n", "a byte order mark"),
    "an open quote": (b'a,b,y\n1,2,x\n3,4,"z\n5,6,x\n', "row 2 (line 3): a quote in it is never closed"),
    "an open quote at the end": (b'a,b,y\n1,2,x\n3,4,"', "row 2 (line 3): a quote in it is never closed"),
    "an open quote in the header": (b'a,"b,y\n1,2,x\n', "never closed"),
    "an open quote behind others": (b'a,b,y\n1,2,"""x"""\n3,4,"""z\n', "row 2 (line 3)"),
    "an escape sequence in a cell": (MANY + b"\x1b[2J\x1b[1;31mroot,1,x\n", r"\x1b[2J"),
    "an escape sequence in the header": (b"a,\x1b[2J,y\n1,2,x\n", "which column is the target"),
    "a text that turns around": (MANY + "\u202eabc,1,x\n".encode(), r"\u202e"),
    "a long cell": (MANY + b"9x" * 50_000 + b",1,x\n", "9x9x9x..."),
    "a long name": (b"a" * 50_000 + b",b,y\n1,2,x\n", "aaa..."),
    "many names": (b",".join(b"c%d" % i for i in range(50_000)) + b"\n1\n", "and 49988 more"),
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
    table = load_table(tmp_path / "t.csv", ["y"], ["a"])
    assert len(table) == 3
    np.testing.assert_array_equal(table.X[:, 0], [1, 2, 3])


def test_a_mark_across_blocks_is_found_and_one_at_the_beginning_is_none(tmp_path):
    path = tmp_path / "t.csv"
    for shift in range(-4, 3):
        before = b"a,y\n" + b"1,2\n3,4\n" * (BLOCK // 8)
        text = before[: BLOCK + shift] + codecs.BOM_UTF8 + b"1\n"
        path.write_bytes(text)
        assert f"at byte {BLOCK + shift:,}" in refusal(path, ["y"])
    path.write_bytes(codecs.BOM_UTF8 + b"a,y\n1,2\n3,4\n")
    assert load_table(path, ["y"]).feature_names == ("a",)


@pytest.mark.parametrize("where", ["header", "row"])
def test_lines_that_never_end_are_refused_in_little_memory(tmp_path, where):
    content = (b"" if where == "header" else b"a,y\n") + b"1," * (4 * LONGEST_LINE)
    (tmp_path / "t.csv").write_bytes(content)
    tracemalloc.start()
    assert "a line of more than 4,194,304 bytes" in refusal(tmp_path / "t.csv", ["y"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("where", ["first", "last"])
def test_long_cells_are_read_and_others_are_blamed_for_their_own_mistakes(tmp_path, where):
    limit = csv.field_size_limit()
    long = "x" * 300_000
    rows = ["1,u", f"2,{long}", *["3,v"] * (1 if where == "first" else 400_000), "4,w"]
    (tmp_path / "t.csv").write_text("\n".join(["a,y", *rows[:: 1 if where == "first" else -1], ""]))
    found = open_source(tmp_path / "t.csv").cells(["y"])["y"]
    assert set(found.texts) == {"u", long, "v", "w"}
    with (tmp_path / "t.csv").open("a") as file:
        file.write("5\n")
    last = len(rows) + 1
    assert f"row {last} (line {last + 1}): expected 2 cells" in refusal(tmp_path / "t.csv", ["y"])
    assert csv.field_size_limit() == limit


def test_a_cell_of_many_lines_that_is_too_long_is_refused(tmp_path):
    limit = csv.field_size_limit()
    (tmp_path / "t.csv").write_text("y\nu\n" + f'"{"x" * 1_000_000}' + "\nx" * 2_000_000 + '"\n')
    assert "row 2 (line 3): a cell is longer than 4 MiB" in refusal(tmp_path / "t.csv", ["y"])
    assert csv.field_size_limit() == limit


def test_wide_tables_are_read(tmp_path):  # in minutes, if names were looked for one by one
    names = [f"c{i}" for i in range(20_000)]
    rows = [",".join("1" * len(names)), ",".join("2" * len(names))]
    (tmp_path / "t.csv").write_text("\n".join([",".join(names), *rows, ""]))
    assert load_table(tmp_path / "t.csv", names[:1], names[:0:-1]).X.shape == (2, len(names) - 1)
    (tmp_path / "t.csv").write_text("\n".join([",".join(names), *rows, rows[0][:-2], ""]))
    assert "row 3 (line 4): expected 20,000 cells" in refusal(tmp_path / "t.csv", names[:1])


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        assert "is a pipe or a device" in refusal(tmp_path / f"{name}.csv", ["y"])
    (tmp_path / "t.csv").write_bytes(GOOD)
    (tmp_path / "link.csv").symlink_to("t.csv")
    assert len(load_table(tmp_path / "link.csv", ["y"])) == 8


@pytest.mark.parametrize("error", [MemoryError, RuntimeError, RecursionError, AssertionError])
def test_whatever_the_reader_raises_is_one_error_with_its_cause(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error("oops")

    (tmp_path / "t.csv").write_bytes(GOOD)
    monkeypatch.setattr(delimited, "stream", fail)
    with pytest.raises(DataError) as caught:
        load_table(tmp_path / "t.csv", ["y"])
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["stream", "rows_of"])
def test_what_ends_the_process_passes(tmp_path, monkeypatch, end, where):
    def stop(*_, **__):
        raise end

    names = b",".join(b"c%d" % i for i in range(delimited.MOST_COLUMNS))
    wide = names + b",y\n" + b"1," * delimited.MOST_COLUMNS + b"2\n"
    (tmp_path / "t.csv").write_bytes(GOOD if where == "stream" else wide)
    source = open_source(tmp_path / "t.csv")
    threads = threading.active_count()
    monkeypatch.setattr(delimited, where, stop)
    with pytest.raises(end):
        source.cells(source.names)
    assert threading.active_count() == threads


def test_a_file_that_was_emptied_while_it_was_read_has_no_line_to_blame(tmp_path):
    (tmp_path / "t.csv").write_bytes(GOOD)
    source = open_source(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("\n")
    assert source.place(2) == f"{tmp_path / 't.csv'}: row 3"
    (tmp_path / "t.csv").unlink()
    assert source.place(2) == f"{tmp_path / 't.csv'}: row 3"


# Nothing but the file that was named

PROGRAM = """
import sys
from fuseprop.data.files import open_source
for path in sys.argv[1:]:
    source = open_source(path)
    cells = source.cells(source.names)
    print(source.rows, sorted(cells))
"""

NAMES = [
    "a[1]*.csv",
    "a?.csv",
    "{a,b}.csv",
    "it's; DROP 'x'.csv",
    "http:__x.csv",
    "t.csv?compression=gzip",
    "s3:t.csv",
    "**",
    "key=1.csv",
    "-.csv",
    "a1.parquet",
    "a1.jsonl",
]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_nothing_but_the_files_that_were_named_is_opened(tmp_path):
    paths = []
    for i, name in enumerate(NAMES):
        folder = tmp_path / str(i)
        folder.mkdir()
        secret = folder / "a1.csv"
        secret.write_text("secret,other\n5,6\n")
        (folder / "b.csv").write_text("secret,other\n5,6\n")
        path = folder / name
        if name.endswith(".parquet"):
            parquet.write_table(pyarrow.table({"a": [1, 2], "b": ["x", str(secret)]}), path)
        elif name.endswith(".jsonl"):
            path.write_text(f'{{"a": 1, "b": "{secret}"}}\n{{"a": 2}}\n')
        else:
            # What it holds are paths, and functions by which DuckDB could read files.
            path.write_text(f"a,b\n1,{secret}\n2,\"read_text('{secret}')\"\n")
        paths.append(str(path))
    log = tmp_path / "log"
    trace = "trace=open,openat,creat,connect,unlink,rename,mkdir"
    done = subprocess.run(
        ["strace", "-f", "-e", trace, "-o", log, sys.executable, "-I", "-B", "-c", PROGRAM, *paths],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines() == ["2 ['a', 'b']"] * len(NAMES), done.stderr
    calls = [line for line in log.read_text().splitlines() if "ENOENT" not in line]
    touched = [line for line in calls if str(tmp_path) in line]
    assert all("O_RDONLY" in line for line in touched)
    assert {re.search(r'"([^"]*)"', line)[1] for line in touched} == set(paths)
    others = [
        line for line in calls if re.search(r"connect\(|O_CREAT|creat\(|unlink\(|rename\(|mkdir\(", line)
    ]
    assert others == []
