"""Compressed CSV files: damaged bytes, and damaged text within whole ones."""

import gzip
import random
from pathlib import Path

import csv_cases
from damages import damaged

SUFFIX = ".csv.gz"
REFUSAL = csv_cases.REFUSAL


def seeds() -> list[bytes]:
    """Whole files."""
    return [gzip.compress(seed, mtime=0) for seed in csv_cases.seeds()]


def make(rng: random.Random, whole: bytes) -> bytes:
    """A damaged file, or a whole one of damaged text."""
    if rng.random() < 0.6:
        return damaged(rng, whole)
    packed = gzip.compress(csv_cases.make(rng, gzip.decompress(whole)), mtime=0)
    return packed + rng.choice((b"", b"", packed, whole, b"\0", b"garbage"))


def check(path: Path, data: bytes, *, is_whole: bool) -> None:
    """Read a file; what is read is a table. Raises DataError."""
    csv_cases.check(path, data, is_whole=is_whole)
