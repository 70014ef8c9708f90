"""Files of JSON lines: objects of anything, and damaged bytes."""

import random
from pathlib import Path

from csv_cases import check_table
from damages import changed, damaged, dumped, text, value

from fuseprop.data import DataError, load_table

SUFFIX = ".jsonl"
REFUSAL = DataError

ROWS = [{"a": i, "b": i / 4, "c": i % 2 == 0, "y": "no" if i % 3 else "yes"} for i in range(12)]


def seeds() -> list[bytes]:
    """Whole files."""
    plain = random.Random(2)
    return ["\n".join(dumped(plain, row) for row in ROWS).encode()]


def make(rng: random.Random, whole: bytes) -> bytes:
    """A damaged file, or one of changed objects."""
    if rng.random() < 0.3:
        return damaged(rng, whole)
    rows = [dict(row) for row in ROWS]
    for _ in range(rng.choice((1, 1, 3, 12))):
        row = rng.choice(rows)
        changed(rng, row)
        if rng.random() < 0.2:
            row[text(rng)] = value(rng)
    end = rng.choice(("\n", "\n", "\r\n", "\n\n"))
    file = end.join(dumped(rng, row) for row in rows).encode("utf-8", "surrogatepass")
    return damaged(rng, file, 1) if rng.random() < 0.15 else file


def check(path: Path, data: bytes, *, is_whole: bool) -> None:
    """Read a file; what is read is a table. Raises DataError."""
    table = load_table(path, ["y"])
    check_table(table)
    if is_whole:
        assert len(table) == 12
