"""Several processes that share a file: their rows, one behind the other, are those that one process reads."""

import bz2
import gzip
import lzma
import random
import shlex
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from threads import in_threads, outcomes

from fuseprop.data import DataError, load_table
from fuseprop.data.cells import MOST_OTHERS, Dates, Numbers, Texts
from fuseprop.data.files import open_source
from fuseprop.data.files.opening import BLOCK
from fuseprop.data.files.text import NEAR
from fuseprop.world import ALONE, Elsewhere


def listed(cells, first=0):
    """Return a column as a list; what is no number among numbers as its text, if that is kept."""
    match cells:
        case Texts():
            return [None if code < 0 else cells.texts[code] for code in cells.codes.tolist()]
        case Dates():
            values = cells.days
        case _:
            values = cells.values
    others = cells.others if isinstance(cells, Numbers) else {}
    return [others.get(row, repr(value)) for row, value in enumerate(values.tolist())]


@dataclass
class Share:
    """What a process finds in its share."""

    kinds: dict
    columns: dict
    others: dict
    rows: int
    first: int
    about: tuple
    places: list


def read(paths, world=ALONE, as_text=(), **options):
    """Return what a process finds."""
    source = open_source(paths, world=world, **options)
    cells = source.cells(source.names, as_text=as_text)
    columns = {name: listed(column) for name, column in cells.items()}
    assert all(len(column) == source.rows for column in columns.values())
    assert source.world is world
    rows = int(world.total(source.rows))
    return Share(
        {name: type(column) for name, column in cells.items()},
        columns,
        {name: column.count for name, column in cells.items() if isinstance(column, Numbers)},
        source.rows,
        source.first,
        (source.names, source.notes, source.index_like, source.typed),
        [source.place(row) for row in (0, rows // 3, rows // 2, rows - 1)],
    )


def joined(shares):
    """Return the columns of all shares, one behind the other."""
    return {name: [cell for share in shares for cell in share.columns[name]] for name in shares[0].columns}


def check(paths, size, as_text=(), **options):
    """Put shares together and compare them with the whole; return how many rows each has."""
    try:
        whole = read(paths, ALONE, as_text, **options)
    except DataError as error:
        check_refused(paths, size, str(error))
        return None
    shares = in_threads(size, lambda world: read(paths, world, as_text, **options))
    for share in shares:
        assert share.kinds == whole.kinds
        assert share.about == whole.about
        assert share.places == whole.places
    found = joined(shares)
    for name, column in whole.columns.items():
        assert sum(share.others.get(name, 0) for share in shares) == whole.others.get(name, 0)
        if whole.others.get(name, 0) <= MOST_OTHERS:
            assert found[name] == column
    rows = [share.rows for share in shares]
    assert [share.first for share in shares] == [sum(rows[:rank]) for rank in range(size)]
    assert sum(rows) == whole.rows
    return rows


def check_refused(paths, size, message):
    """All processes refuse a file; one shows the message of a single process."""
    raised = outcomes(size, lambda world: read(paths, world))
    assert all(isinstance(error, DataError | Elsewhere) for error in raised), raised
    own = {str(error) for error in raised if isinstance(error, DataError)}
    assert message in own, (message, own)


def cell(rng, delimiter):
    """A cell of a hostile file that can be read."""
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(("1", "-2.5", "1e3", "", "NA", "007", " 7"))
    if kind < 0.6:
        return rng.choice(("x", "yé", "2020-01-02", "a'b", "5x"))
    inside = "".join(
        rng.choice((delimiter, "\n", '""', "a", "\n\n", " ", "é", "#")) for _ in range(rng.randrange(5))
    )
    return f'"{inside}"'


def file_of(rng):
    """The bytes of a generated file, in any dialect."""
    delimiter = rng.choice((",", ",", ";", "\t", "|"))
    width = rng.choice((1, 2, 2, 3, 5))
    end = rng.choice(("\n", "\n", "\r\n", "\r"))
    rows = rng.choice((1, 2, 3, 7, 30))
    lines = [delimiter.join(f"name{i}" for i in range(width))]
    if rng.random() < 0.2:
        lines[:0] = ['# a comment, with a " in it'] * rng.randrange(3)
    kinds = [rng.random() < 0.5 for _ in range(width)]
    for row in range(rows):
        cells = [str(row * 1.5) if plain else cell(rng, delimiter) for plain in kinds]
        lines.append(delimiter.join(cells))
        if rng.random() < 0.1:
            lines.append("")
    text = end.join(lines) + end * rng.choice((0, 1, 1, 3))
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"))
    return text.encode(encoding)


QUOTED = 'a,b\n1,"x\ny"\n2,"""\n,"\n3,"\n\n\n"\n4,5" of z\n5, "\n"\n6,"u"\n7,\n'


@pytest.mark.parametrize("seed", range(15))
def test_any_file_is_read_as_by_one_process(tmp_path, seed):
    path = tmp_path / "t.csv"
    path.write_bytes(file_of(random.Random(seed)))
    check(path, 2 + seed % 3)


def test_quotes_and_line_ends(tmp_path):
    path = tmp_path / "t.csv"
    for more in range(0, 40, 8):  # a longer cell moves the cut
        path.write_text(f"{QUOTED}8,{'v' * more}\n")
        check(path, 2)


def numbered(count, last="x"):
    return "".join(f"{i},{i % 7},{i / 2},t{i % 5}\n" for i in range(count - 1)) + f"{count - 1},6,.5,{last}\n"


def test_what_a_column_is_read_as_is_decided_from_the_rows_of_all(tmp_path):
    """The sample is of numbers; far behind it come texts, of which only the last process knows."""
    path = tmp_path / "t.csv"
    texts = "".join(f"{i},x{i},{i / 2},2020-01-0{1 + i % 9}\n" for i in range(3000))
    path.write_text("a,b,c,d\n" + numbered(2000, "7") + texts)
    check(path, 3)
    path.write_text("a,d\n" + "".join(f"{i},2020-01-{i % 28 + 1:02}\n" for i in range(3000)) + "1,soon\n")
    check(path, 2)


def test_more_than_a_thousand_columns(tmp_path):
    path = tmp_path / "t.csv"
    names = [f"c{i}" for i in range(1001)]
    rows = [[str(i * j) for j in range(1001)] for i in range(9)]
    path.write_text("\n".join(map(",".join, [names, *rows])))
    assert min(check(path, 2)) > 2


def test_fewer_rows_than_processes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    assert sorted(check(path, 4)) == [0, 0, 1, 1]


def test_text_that_is_not_utf_8_behind_ascii(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,x\n" * 300_000 + b"2,\xe9t\xe9\n" * 9 + b"1,x\n" * 100_000)
    rows = check(path, 2)
    assert max(rows) < 1.1 * min(rows)


def test_several_files_are_shared_as_one(tmp_path):
    paths = [tmp_path / f"{i}.csv" for i in range(3)]
    for i, count in enumerate((40, 5, 300)):
        paths[i].write_text("a,b,c,d\n" + numbered(count))
    paths[1].write_text("a,b,c,d\n1,u,3,4\n")
    rows = check(paths, 3)
    assert max(rows) < 1.5 * min(rows)
    paths[1].write_text("a,b,c,d\n1,u,3\n")
    with pytest.raises(DataError) as alone:
        read(paths)
    check_refused(paths, 3, str(alone.value))


def test_dates_in_several_files(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    duckdb.sql(
        f"COPY (SELECT DATE '2020-01-01' + i::INTEGER AS d, i FROM range(40) t(i)) TO '{tmp_path}/a.parquet'"
    )
    (tmp_path / "b.csv").write_text("d,i\n" + "".join(f"2021-02-{i % 28 + 1:02},{i}\n" for i in range(200)))
    (tmp_path / "c.csv").write_text("d,i\n" + ",1\n" * 100)
    check([tmp_path / name for name in ("a.parquet", "b.csv", "c.csv")], 3)


@pytest.mark.parametrize("group", [2048, 100_000])
@pytest.mark.parametrize("size", [2, 4])
def test_parquet(tmp_path, group, size):
    path = tmp_path / "t.parquet"
    written(path, 21_000, group)
    rows = check(path, size)
    assert max(rows) <= 1.5 * 21_000 / size
    if group == 2048:
        assert all(count % group == 0 for count in rows[:-1])
    assert check(path, size, ["i", "f", "b"]) == rows


def written(path, rows, group):
    """Write a Parquet file with columns of all kinds."""
    pytest.importorskip("duckdb").sql(
        f"COPY (SELECT i, i * 0.5 AS f, 't' || (i % 7) AS s, i % 3 = 0 AS b, "
        f"DATE '2020-01-01' + (i % 99)::INTEGER AS d, CASE WHEN i % 5 > 0 THEN i END AS m "
        f"FROM range({rows}) t(i)) TO '{path}' (ROW_GROUP_SIZE {group})"
    )


def test_parquet_with_fewer_rows_than_processes(tmp_path):
    written(tmp_path / "t.parquet", 2, 2048)
    assert sorted(check(tmp_path / "t.parquet", 4)) == [0, 0, 1, 1]


def test_a_column_of_parquet_that_hides_the_rows_numbers(tmp_path):
    path = tmp_path / "t.parquet"
    duckdb = pytest.importorskip("duckdb")
    duckdb.sql(f"COPY (SELECT i AS File_Row_Number, 7 - i AS b FROM range(9) t(i)) TO '{path}'")
    assert read(path).rows == 9
    found = outcomes(2, lambda world: read(path, world))
    assert all("has a column file_row_number" in str(error) and "Rename it" in str(error) for error in found)


def test_bytes_of_other_shares_are_never_read(tmp_path):
    """Each process has a file in which all is garbage but its share, and in the first one the head."""
    size, row = 3, b"%07d,%07d,abcdef\n"
    content = b"i,j,t\n" + b"".join(row % (i, i % 4321) for i in range(150_000))
    (tmp_path / "whole.csv").write_bytes(content)
    whole, body = read(tmp_path / "whole.csv"), len(content) - 6
    for rank in range(size):
        begin, end = (6 + body * k // size for k in (rank, rank + 1))
        if rank:
            begin -= 1  # whether a line ends there
        else:
            begin, end = 0, max(end, BLOCK)  # the head
        end += NEAR  # the rest of a row
        (tmp_path / f"{rank}.csv").write_bytes(
            b"\xff" * begin + content[begin:end] + b"\xff" * (len(content) - end)
        )
    shares = in_threads(size, lambda world: read(tmp_path / f"{world.rank}.csv", world))
    assert joined(shares) == whole.columns


def test_row_groups_of_other_shares_are_never_read(tmp_path):
    size, rows = 3, 30 * 2048
    written(tmp_path / "whole.parquet", rows, 2048)
    content = (tmp_path / "whole.parquet").read_bytes()
    chunks = (
        pytest.importorskip("duckdb")
        .sql(
            f"SELECT row_group_id, least(data_page_offset, dictionary_page_offset), total_compressed_size "
            f"FROM parquet_metadata('{tmp_path}/whole.parquet')"
        )
        .fetchall()
    )
    for rank in range(size):
        own = bytearray(content)
        for group, begin, length in chunks:
            if group // 10 != rank:
                own[begin : begin + length] = b"\xff" * length
        (tmp_path / f"{rank}.parquet").write_bytes(own)
    whole = read(tmp_path / "whole.parquet")
    shares = in_threads(size, lambda world: read(tmp_path / f"{world.rank}.parquet", world))
    assert joined(shares) == whole.columns
    # It is read by one process, and refused.
    with pytest.raises(DataError):
        read(tmp_path / "0.parquet")


REFUSED = {
    "t.csv.gz": (gzip.compress(b"a,b\n1,x\n"), "gunzip --keep"),
    "t.csv.bz2": (bz2.compress(b"a,b\n1,x\n"), "bunzip2 --keep"),
    "t.csv.xz": (lzma.compress(b"a,b\n1,x\n"), "unxz --keep"),
    "t.csv.zst": (b"\x28\xb5\x2f\xfd" + b"0" * 20, "zstd --decompress"),
    "t.jsonl": (b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n', "python -c"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shared_is_refused_with_the_line_that_converts_it(tmp_path, name):
    path = tmp_path / name
    content, command = REFUSED[name]
    path.write_bytes(content)
    found = outcomes(2, lambda world: read(path, world))
    assert [type(error) for error in found] == [DataError, Elsewhere]
    line = str(found[0])[str(found[0]).index(command) :]
    if name == "t.jsonl":
        arguments = shlex.split(line)
        subprocess.run([sys.executable, *arguments[1:]], check=True, timeout=60)
        assert check(path.with_suffix(".parquet"), 2) == [1, 1]
    else:
        assert line == f"{command} {path}"
    if name != "t.csv.zst":
        (share,) = in_threads(1, lambda world: read(path, world))  # as ever in a world of one
        assert share.rows >= 1


def test_standard_input_is_refused(monkeypatch):
    found = outcomes(2, lambda world: read("-", world))
    assert all("cat > table.csv" in str(error) for error in found)


def test_files_that_differ_between_processes_are_refused(tmp_path):
    for rank in range(2):
        (tmp_path / f"{rank}.csv").write_text("a,b\n" + "1,2\n" * (rank + 1))
    found = outcomes(2, lambda world: read(tmp_path / f"{world.rank}.csv", world))
    assert all("in process 0, but 12 in process 1" in str(error) for error in found)


@pytest.mark.parametrize("bad", ["1,2,3\n", "1\n", '1,"x" y\n', '1,"x\n', " \n"])
@pytest.mark.parametrize("where", [190, 399])
def test_a_bad_row_is_named_by_its_number_in_the_whole(tmp_path, bad, where):
    rows = ['7,"a\nb"\n'] * 400
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join([*rows[:where], bad, *rows[where:]]))
    with pytest.raises(DataError) as alone:
        read(path)
    check_refused(path, 3, str(alone.value))


def test_a_file_that_is_not_there(tmp_path):
    found = outcomes(2, lambda world: read(tmp_path / "t.csv", world))
    assert all("there is no such file" in str(error) for error in found)


@pytest.mark.parametrize("name", ["iris", "npz"])
def test_data_sets_and_npz_files_are_divided(tmp_path, name):
    data = name
    if name == "npz":
        data = tmp_path / "t.npz"
        np.savez(data, X=np.arange(42.0).reshape(21, 2), y=np.arange(21) % 2)
    whole = load_table(data)
    shares = in_threads(4, lambda world: load_table(data, world=world))
    np.testing.assert_array_equal(np.concatenate([share.X for share in shares]), whole.X)
    np.testing.assert_array_equal(np.concatenate([share.targets for share in shares]), whole.targets)
    assert {share.columns for share in shares} == {whole.columns}
    assert shares[0].row_number(0) == 1
    assert shares[1].row_number(0) == len(shares[0]) + 1
