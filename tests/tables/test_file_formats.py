"""Parquet, JSON lines, compressed files, standard input and several files: the same cells as from CSV."""

import base64
import bz2
import datetime
import errno
import gzip
import io
import json
import lzma
import os
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas
import polars
import pyarrow
import pytest
from pyarrow import parquet
from test_dialects import columns, values

import fuseprop
from fuseprop.data import DataError
from fuseprop.data.cells import Booleans, Dates, Numbers, Texts
from fuseprop.data.files import arrow_schema, open_source
from fuseprop.data.files.opening import Named
from fuseprop.data.typed import typed_cells

CSV = b"a,b\n1,x\n2,y\n"
A = {"a": [1, 2], "b": ["x", "y"]}


def refusal(path, **keywords):
    with pytest.raises(DataError) as caught:
        columns(open_source(path, **keywords))
    assert str(caught.value).isprintable()
    return str(caught.value)


# Compressed


def zstandard(data):
    with pyarrow.BufferOutputStream() as out:
        with pyarrow.CompressedOutputStream(out, "zstd") as stream:
            stream.write(data)
        return out.getvalue().to_pybytes()


PACKED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard}


@pytest.mark.parametrize("kind", PACKED)
def test_compressed_files_are_known_by_their_bytes(tmp_path, kind):
    for name in (f"t.csv.{kind}", "t.csv"):
        (tmp_path / name).write_bytes(PACKED[kind](CSV))
        source = open_source(tmp_path / name)
        assert columns(source) == A
        assert source.place(1).endswith("row 2 (line 3)")
    packed = PACKED[kind](b"a,b\n" + b"1,x\n2,y\n" * 5000)
    (tmp_path / "t.csv").write_bytes(packed[: len(packed) // 2])
    assert "is damaged" in refusal(tmp_path / "t.csv")


def test_parts_of_a_gz_file_are_all_read(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n") + gzip.compress(b"2,y\n"))
    assert columns(open_source(tmp_path / "t.csv.gz")) == A
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(CSV) + b"garbage")
    assert "is damaged" in refusal(tmp_path / "t.csv.gz")


def test_files_that_unpack_to_far_more_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("fuseprop.data.files.opening.FREE_BYTES", 1 << 20)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (1 << 20)))
    assert "any_size" in refusal(tmp_path / "t.csv.gz")
    source = open_source(tmp_path / "t.csv.gz", any_size=True)
    assert source.cells(["a"])["a"].values.sum() == source.rows == 1 << 20


# Standard input


def test_standard_input_may_be_read_again(monkeypatch):
    rows = b"1,2\n" * 300_000 + b"x,y\n" * 300_000
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a,b\n" + rows)))
    source = open_source("-")
    found = source.cells(source.names)
    assert found["a"].texts == ["1", "x"]
    assert np.bincount(found["b"].codes).tolist() == [300_000, 300_000]
    assert source.place(2) == "standard input: row 3 (line 4)"


class Endless(io.RawIOBase):
    def __init__(self):
        self.taken = 0

    def read(self, size):
        self.taken += size
        return bytes(size)


def test_no_more_than_the_beginning_of_standard_input_is_taken_if_that_is_binary(monkeypatch):
    endless = Endless()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=endless))
    assert "standard input holds binary data (a NUL at byte 0)" in refusal("-")
    assert endless.taken <= 1 << 20


def test_standard_input_that_no_disk_holds_is_refused(monkeypatch):
    class Full(io.BytesIO):
        def write(self, block):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(CSV)))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    assert "standard input cannot be copied to a temporary file" in refusal("-")


# Parquet


def test_parquet_keeps_what_its_types_say(tmp_path):
    moment = datetime.datetime(2020, 1, 2, 12)
    table = pyarrow.table(
        {
            "small": pyarrow.array([1, None, 3], "int8"),
            "large": pyarrow.array([2**53 + 1, -5, None], "int64"),
            "float": pyarrow.array([0.5, float("nan"), float("inf")], "float32"),
            "decimal": pyarrow.array([1, 2, None], pyarrow.decimal128(9, 2)),
            "text": pyarrow.array([" x", None, ""]),
            "digits": pyarrow.array(["007", "1", "x"]),
            "category": pyarrow.array(["u", "v", "u"]).dictionary_encode(),
            "flag": pyarrow.array([True, None, False]),
            "day": pyarrow.array([moment.date(), None, moment.date()]),
            "when": pyarrow.array([moment, None, moment], "timestamp[ns]"),
            "zone": pyarrow.array([moment, None, moment], pyarrow.timestamp("us", "UTC")),
            "nothing": pyarrow.array([None, None, None], "string"),
            'odd "name\n"': pyarrow.array([1.0, 2.0, 3.0]),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert source.rows == 3
    found = source.cells(source.names)
    for name in ("small", "large", "float", "decimal"):
        assert isinstance(found[name], Numbers)
    np.testing.assert_array_equal(found["small"].values, [1, np.nan, 3])
    np.testing.assert_array_equal(found["large"].values, [np.nan, -5, np.nan])
    assert found["large"].others == {0: "9007199254740993"}
    np.testing.assert_array_equal(found["float"].values, [0.5, np.nan, np.nan])
    assert found["float"].others == {2: "inf"}
    np.testing.assert_array_equal(found["decimal"].values, [1, 2, np.nan])
    for name, texts, codes in (
        ("text", ["x", ""], [0, -1, 1]),
        ("digits", ["007", "1", "x"], [0, 1, 2]),
        ("category", ["u", "v"], [0, 1, 0]),
        ("nothing", [], [-1, -1, -1]),
    ):
        assert isinstance(found[name], Texts)
        assert (list(found[name].texts), found[name].codes.tolist()) == (texts, codes)
    assert isinstance(found["flag"], Booleans)
    np.testing.assert_array_equal(found["flag"].values, [1, np.nan, 0])
    day = (moment.date() - datetime.date(1970, 1, 1)).days
    for name, days in (("day", day), ("when", day + 0.5), ("zone", day + 0.5)):
        assert isinstance(found[name], Dates)
        np.testing.assert_array_equal(found[name].days, [days, np.nan, days])
    np.testing.assert_array_equal(found[source.names[-1]].values, [1, 2, 3])
    texts = source.cells(["flag", "small", "day"], as_text=["flag", "small", "day"])
    assert {name: list(cells.texts) for name, cells in texts.items()} == {
        "flag": ["True", "False"],
        "small": ["1", "3"],
        "day": ["2020-01-02"],
    }
    assert source.place(1).endswith("t.parquet: row 2")


def test_an_index_that_pandas_wrote_is_no_data(tmp_path):
    frame = pandas.DataFrame({"a": [1, 2]}, index=[5, 7])
    frame.to_parquet(tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert source.names == ("a", "Unnamed: 1")
    assert source.index_like == ("Unnamed: 1",)
    frame.to_csv(tmp_path / "t.csv")
    assert open_source(tmp_path / "t.csv").index_like == ("Unnamed: 0",)


def by_pyarrow(frame, path):
    parquet.write_table(frame.to_arrow(), path)


def by_polars(frame, path):
    frame.write_parquet(path)


SPANS = [datetime.timedelta(days=1), None]
REFUSED = {
    "spans of time": SPANS,
    "times of day": [datetime.time(10), None],
    "bytes": [b"x", None],
    "lists": [[1], [2, 3]],
    "records": [{"u": [1]}, {"u": [2]}],
}


@pytest.mark.parametrize("write", [by_pyarrow, by_polars])
@pytest.mark.parametrize("what", REFUSED)
def test_columns_that_hold_no_cells_are_refused_where_they_are_read(tmp_path, what, write):
    frame = polars.DataFrame({"a": [1, 2], "odd": REFUSED[what]})
    write(frame, tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert source.cells(["a"])["a"].values.tolist() == [1, 2]
    for as_text in ([], ["odd"]):
        with pytest.raises(DataError, match=f"t.parquet: column 'odd' holds {what}"):
            source.cells(["odd"], as_text=as_text)
    with pytest.raises(DataError, match=f"column 'odd' holds {what}"):
        typed_cells(frame["odd"], "column 'odd'")


def test_spans_of_time_are_known_whatever_wrote_them(tmp_path):
    path = tmp_path / "t.parquet"
    frame = pandas.DataFrame({"n": [1, 2], "odd": pandas.to_timedelta([1, 2], "s")}, index=[5, 7])
    frame.to_parquet(path)
    assert "column 'odd' holds spans of time" in refusal(path)
    assert columns_of(path, ["n", "Unnamed: 2"]) == {"n": [1, 2], "Unnamed: 2": [5, 7]}
    duckdb.sql(f"COPY (SELECT 1 AS n, INTERVAL 1 DAY AS odd) TO '{path}'")
    assert "column 'odd' holds spans of time" in refusal(path)
    assert columns_of(path, ["n"]) == {"n": [1]}


def columns_of(path, names):
    return {name: values(cells) for name, cells in open_source(path).cells(names).items()}


def test_a_damaged_schema_of_arrow_is_none():
    schema = pyarrow.schema({"a": pyarrow.int64(), "odd": pyarrow.duration("ns")}).serialize().to_pybytes()
    assert arrow_schema.spans_in(base64.b64encode(schema)) == (1,)
    for at in range(len(schema)):
        for new in (0, 127, 255):
            damaged = schema[:at] + bytes([new]) + schema[at + 1 :]
            assert set(arrow_schema.spans_in(base64.b64encode(damaged))) <= {0, 1, 2, 3}
        assert arrow_schema.spans_in(base64.b64encode(schema[:at])) in ((), (1,))
    assert arrow_schema.spans_in(b"no base 64") == ()


def test_a_column_without_any_value_is_one_of_missing_cells(tmp_path):
    path = tmp_path / "t.parquet"
    frame = pandas.DataFrame({"none": [None, None], "a": [1, 2]})
    frame.to_parquet(path)
    assert columns_of(path, ["none", "a"]) == {"none": [None, None], "a": [1, 2]}
    assert values(open_source(path).cells(["none"], as_text=["none"])["none"]) == [None, None]
    by_polars(polars.DataFrame({"none": [None, None], "a": [1, 2]}), path)
    assert columns_of(path, ["none", "a"]) == {"none": [None, None], "a": [1, 2]}


def test_parquet_columns_keep_their_own_names(tmp_path):
    nested = [{"A": 1, "many": [1, 2]}]
    table = pyarrow.table([[1.0], nested, [2.0], [3.0]], names=["A", "B", "a", "A_1"])
    parquet.write_table(table, tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert (source.names, source.notes) == (("A", "B", "a", "A_1"), ())
    cells = source.cells(["a", "A_1", "A"])
    assert {name: cells[name].values.tolist() for name in cells} == {"a": [2.0], "A_1": [3.0], "A": [1.0]}


def test_parquet_columns_of_one_name_are_made_different_as_in_csv(tmp_path):
    parquet.write_table(pyarrow.table([[1.0], [2.0], [3.0]], names=["a", "a", "b"]), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("a,a,b\n1.0,2.0,3.0\n")
    source, csv = open_source(tmp_path / "t.parquet"), open_source(tmp_path / "t.csv")
    assert source.names == csv.names == ("a", "a.1", "b")
    assert source.notes == csv.notes
    assert "made different" in source.notes[0]
    assert source.cells(["a.1"])["a.1"].values.tolist() == [2.0]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_parquet_times_with_a_zone_are_in_utc(tmp_path, unit):
    zone = datetime.timezone(datetime.timedelta(hours=2))
    times = [datetime.datetime(2020, 1, 1, 14, tzinfo=zone), None]
    for name in ("UTC", "Asia/Tokyo"):
        array = pyarrow.array(times, pyarrow.timestamp(unit, name))
        parquet.write_table(pyarrow.table({"t": array}), tmp_path / "t.parquet")
        cells = open_source(tmp_path / "t.parquet").cells(["t"])["t"]
        assert isinstance(cells, Dates)
        np.testing.assert_array_equal(cells.days, [18262.5, np.nan])


def test_parquet_files_that_are_none(tmp_path, monkeypatch):
    parquet.write_table(pyarrow.table({"a": list(range(1000))}), tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[: len(whole) // 2])
    assert "is not a Parquet file" in refusal(tmp_path / "t.parquet")
    parquet.write_table(pyarrow.table({"a": pyarrow.array([], "int64")}), tmp_path / "t.parquet")
    assert "no rows" in refusal(tmp_path / "t.parquet")
    monkeypatch.setattr("fuseprop.data.files.opening.FREE_BYTES", 1000)
    parquet.write_table(pyarrow.table({"a": [1] * 1_000_000}), tmp_path / "t.parquet")
    assert "any_size" in refusal(tmp_path / "t.parquet")


# JSON lines


def test_json_lines_hold_what_their_values_are(tmp_path):
    rows = [
        {"n": 1, "t": "x", "b": True, "mixed": 1.50},
        {"n": 2.5, "t": None, "b": None, "mixed": "z"},
        {},
        {"n": float("nan"), "t": "007", "late": 9007199254740993, "mixed": False},
    ]
    text = "\n\n".join(json.dumps(row) for row in rows)
    for name in ("t.jsonl", "t.txt"):
        (tmp_path / name).write_text(text)
        source = open_source(tmp_path / name)
        assert source.names == ("n", "t", "b", "mixed", "late")
        found = source.cells(source.names)
        np.testing.assert_array_equal(found["n"].values, [1, 2.5, np.nan, np.nan])
        assert (found["t"].texts, found["t"].codes.tolist()) == (["x", "007"], [0, -1, -1, 1])
        assert isinstance(found["b"], Booleans)
        np.testing.assert_array_equal(found["b"].values, [1, np.nan, np.nan, np.nan])
        assert found["mixed"].texts == ["1.5", "z", "False"]
        assert found["late"].others == {3: "9007199254740993"}
        assert source.rows == 4
        assert source.place(3).endswith(f"{name}: row 4 (line 7)")
        assert source.cells(["n"], as_text=["n"])["n"].texts == ["1", "2.5"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1}\n{"a": 1,}\n', "line 2 is no JSON object"),
        ('{"a": 1}\n[1, 2]\n', "line 2 is a JSON array"),
        ('[{"a": 1}, {"a": 2}]', "line 1 is a JSON array"),
        ('{"a": 1}\n7\n', "line 2: expected a JSON object"),
        ('{"a": 1, "a": 2}\n', "the key 'a' twice"),
        ('{"a": [1]}\n', "'a' holds objects or lists"),
        ('{"a": ' * 100_000 + "\n", "line 1 is no JSON object"),
        (r'{"a": "x"}' + "\n" + r'{"a": "\ud800"}', r"line 2 has \ud800, half of a surrogate pair"),
        (r'{"a": "\uDE00\uD83D"}', r"line 1 has \ude00, half"),
        (r'{"a": [{"b": "\udfff"}]}', r"line 1 has \udfff, half"),
        (r'{"\udc80": 1}', r"line 1 has \udc80, half"),
        ("\n\n", "is empty"),
        ("{}\n", "is empty"),
        ('{"a": "\0"}\n', "NUL"),
    ],
)
def test_json_lines_that_are_none(tmp_path, text, words):
    (tmp_path / "t.jsonl").write_text(text)
    assert words in refusal(tmp_path / "t.jsonl")


def test_characters_of_json_lines_may_be_written_as_pairs(tmp_path):
    (tmp_path / "t.jsonl").write_text(r'{"\ud83d\ude00": "\uD83D\uDE00 \\ud800", "b": "\u00e4"}')
    found = columns(open_source(tmp_path / "t.jsonl"))
    assert found == {"\U0001f600": ["\U0001f600 \\ud800"], "b": ["ä"]}


# Addresses


@pytest.mark.parametrize(
    "address", ["http://x.org/t.csv", "s3://x/t.parquet", "file:///t.csv", "HTTPS://x/t"]
)
def test_addresses_are_not_read(address):
    assert f"{address}: addresses are not read. Download the file" in refusal(address)
    assert "addresses are not read" in refusal(Path(address))


# Files that change


WRITTEN = {
    "t.csv": b"a,b\n1,x\n2,y\n",
    "t.jsonl": b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n',
    "t.csv.gz": gzip.compress(CSV),
    "t.parquet": None,
}


def rewritten(path):
    """Write the same bytes again, at another time."""
    before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(before, before + 1_000_000))


def replaced(path):
    path.with_suffix(".new").write_bytes(path.read_bytes())
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize("change", [rewritten, replaced])
@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_changes_between_two_passes_is_no_table(tmp_path, name, change):
    path = tmp_path / name
    if WRITTEN[name] is None:
        parquet.write_table(pyarrow.table(A), path)
    else:
        path.write_bytes(WRITTEN[name])
    source = open_source(path)
    assert values(source.cells(["a"])["a"]) == A["a"]
    change(path)
    with pytest.raises(DataError, match="was changed while it was read"):
        source.cells(["b"])
    assert source.place(1).startswith(f"{path}: row 2")
    assert columns(open_source(path)) == A


def test_a_file_that_grows_during_a_pass_is_no_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * (1 << 19))
    named = Named(path)
    blocks = named.blocks()
    next(blocks)
    with path.open("ab") as file:
        file.write(b"3,4\n")
    with pytest.raises(DataError, match="was changed while it was read"):
        list(blocks)


# Several files


def test_several_files_are_read_one_behind_the_other(tmp_path):
    (tmp_path / "1.csv").write_text("a,b,c\n1,x,5\n2,y,6\n")
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"b;c;a\nz;oops;3\nx;7;4\n"))
    source = open_source([tmp_path / "1.csv", tmp_path / "2.csv.gz"])
    assert columns(source) == {"a": [1, 2, 3, 4], "b": ["x", "y", "z", "x"], "c": ["5", "6", "oops", "7"]}
    assert source.rows == 4
    assert source.place(2).endswith("2.csv.gz: row 1 (line 2)")
    (tmp_path / "3.csv").write_text("a,d\n1,2\n")
    assert "3.csv lacks the columns b, c and has the columns d beside" in refusal(
        [tmp_path / "1.csv", tmp_path / "3.csv"]
    )
    with pytest.raises(DataError, match="got none"):
        open_source([])


def test_several_files_for_a_model_need_its_columns_alone(tmp_path):
    (tmp_path / "old.csv").write_text("more,x,z,y\n7,1.5,1,2\n8,2.5,3,4\n")
    (tmp_path / "new.csv").write_text("z,x\n5,3.5\n")
    paths = [tmp_path / "old.csv", tmp_path / "new.csv"]
    model = fuseprop.train(paths[0], "y", features=["x", "z"], epochs=1, device="cpu")[0]
    for order in (paths, paths[::-1]):
        expected = np.concatenate([model.predict(path).values for path in order])
        np.testing.assert_array_equal(model.predict(order).values, expected)
    with pytest.raises(DataError, match=r"new.csv lacks the column y\."):
        model.evaluate(paths)
    with pytest.raises(DataError, match="lacks the columns"):
        open_source(paths)
