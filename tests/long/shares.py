"""The part `shares` of .ci/long: a table of 4 GB is read by two processes, each of which holds half of it.

    python tests/long/shares.py --record FILE

Once as Parquet and once as CSV, in a temporary folder, where there must be room for twice the table. Each
process has a file of its own, as long as the whole one, in which all but its half is a hole, which reads as
zeros: only who reads nothing of the other's rows finds the sums of all. The record has seconds, the bytes
that each process read, and the most memory that it took beside what it had before.
"""

import argparse
import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np

WORLD = Path(__file__).resolve().parents[1] / "world"
sys.path.append(str(WORLD))

PROCESSES = 2
GIGABYTES = 4.0
COLUMNS = 20
ROW_GROUP = 122_880

ROW_BYTES = {"parquet": 160, "csv": 196}

MOST_READ = {"parquet": 0.55, "csv": 1.05}
"""How much of the file a process may read. It reads its half of a text twice, first to find the rows."""

MOST_MEMORY = 0.6
FIXED_MEMORY = 300_000_000
"""How much memory a process may take, in sizes of the file and in bytes: 8 bytes for each cell of its half,
and what DuckDB takes for a file of any size."""

AROUND = 1 << 20
"""Bytes around a share that belong to it: the row that goes on behind it, and in the first MiB the head."""


def make(path, size):
    """Write a table of about `size` bytes."""
    rows = int(size / ROW_BYTES[path.suffix[1:]])
    number = "random()" if path.suffix == ".parquet" else "round(random(), 7)"
    columns = ", ".join(f"{number} AS x{i}" for i in range(COLUMNS))
    how = f"FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP}" if path.suffix == ".parquet" else "FORMAT csv, HEADER"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"COPY (SELECT {columns}, 'k' || i % 7 AS t FROM range({rows}) s(i)) TO '{path}' ({how})"
        )
        sums = ", ".join(f"sum(x{i})" for i in range(COLUMNS))
        return rows, connection.execute(f"SELECT {sums} FROM '{path}'").fetchone()


def halves(path):
    """Return the bytes that each process needs, as pairs of begin and end."""
    size = path.stat().st_size
    if path.suffix == ".csv":
        ends = [size * rank // PROCESSES for rank in range(PROCESSES + 1)]
        return [[(max(0, begin - AROUND), end + AROUND)] for begin, end in pairwise(ends)]
    groups = duckdb.sql(
        f"SELECT row_group_id, min(least(data_page_offset, dictionary_page_offset)), "
        f"max(least(data_page_offset, dictionary_page_offset) + total_compressed_size), "
        f"any_value(row_group_num_rows) "
        f"FROM parquet_metadata('{path}') GROUP BY row_group_id ORDER BY row_group_id"
    ).fetchall()
    ends = np.cumsum([0, *(rows for *_, rows in groups)])
    cuts = [int(np.abs(ends - ends[-1] * rank / PROCESSES).argmin()) for rank in range(PROCESSES + 1)]
    schema = groups[-1][2], size
    return [[(0, 4), (groups[begin][1], groups[end - 1][2]), schema] for begin, end in pairwise(cuts)]


def copy_parts(source, target, parts):
    """Copy some bytes of a file into one that is as long, and has holes elsewhere."""
    with source.open("rb") as whole, target.open("wb") as file:
        for begin, end in parts:
            whole.seek(begin)
            file.seek(begin)
            while begin < end and (block := whole.read(min(1 << 24, end - begin))):
                file.write(block)
                begin += len(block)
        file.truncate(source.stat().st_size)


def wrong(kind, size, rows, sums, found):
    """Return what is wrong with what two processes found."""
    if sum(one["rows"] for one in found) != rows:
        yield f"{kind}: {[one['rows'] for one in found]} rows of {rows}"
    if not np.allclose(np.sum([one["sums"] for one in found], axis=0), sums, rtol=1e-9, atol=0):
        yield f"{kind}: other sums than those of the table"
    for one in found:
        if one["read"] > MOST_READ[kind] * size + 8 * AROUND:
            yield f"{kind}: a process read {one['read']:,} bytes of {size:,}"
        if one["memory"] > FIXED_MEMORY + MOST_MEMORY * size:
            yield f"{kind}: a process took {one['memory']:,} bytes of memory for {size:,}"
        del one["sums"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--share", type=float, default=1.0, help="of the 4 GB")
    given = parser.parse_args()
    from launching import launched

    found, complaints = {}, []
    for kind in ROW_BYTES:
        with tempfile.TemporaryDirectory(prefix="fuseprop-shares-") as folder:
            path = Path(folder) / f"whole.{kind}"
            begin = time.perf_counter()
            rows, sums = make(path, GIGABYTES * 1e9 * given.share)
            size = path.stat().st_size
            for rank, parts in enumerate(halves(path)):
                copy_parts(path, Path(folder) / f"{rank}.{kind}", parts)
            path.unlink()
            print(f"{kind}: {size:,} bytes, {rows:,} rows, made in {time.perf_counter() - begin:.0f} s")
            done = launched(PROCESSES, WORLD / "shares_read.py", folder, kind, timeout=3600)
            if done.returncode:
                complaints.append(f"{kind}: it ended with {done.returncode}: {done.stderr[-2000:]}")
                continue
            read = json.loads(done.stdout)
            complaints += wrong(kind, size, rows, sums, read)
            found[kind] = {"bytes": size, "rows": rows, "processes": read}
            print(found[kind], flush=True)
    print(*complaints, sep="\n")
    made = {"passed": not complaints, **found, "complaints": complaints}
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
