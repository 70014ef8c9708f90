"""Parquet files: damaged bytes."""

import io
import random
from pathlib import Path

import pyarrow
from csv_cases import check_table
from damages import damaged
from pyarrow import parquet

from fuseprop.data import DataError, load_table

SUFFIX = ".parquet"
REFUSAL = DataError


def seeds() -> list[bytes]:
    """Whole files, of several codecs and ways to write columns."""
    table = pyarrow.table(
        {
            "a": list(range(12)),
            "b": [i / 4 if i % 5 else None for i in range(12)],
            "c": [["x", "z", None][i % 3] for i in range(12)],
            "y": ["no" if i % 3 else "yes" for i in range(12)],
        }
    )
    files = []
    for compression, dictionary in (("none", True), ("snappy", False), ("zstd", True)):
        file = io.BytesIO()
        parquet.write_table(table, file, compression=compression, use_dictionary=dictionary)
        files.append(file.getvalue())
    return files


def make(rng: random.Random, whole: bytes) -> bytes:
    """A damaged file."""
    return damaged(rng, whole)


def check(path: Path, data: bytes, *, is_whole: bool) -> None:
    """Read a file; what is read is a table. Raises DataError."""
    table = load_table(path, ["y"])
    check_table(table)
    if is_whole:
        assert len(table) == 12
