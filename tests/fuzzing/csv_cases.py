"""CSV files: cells, quotes, delimiters, line ends and encodings that go together, or do not."""

import codecs
import random
from pathlib import Path

import numpy as np
from damages import damaged, text

from fuseprop.data import DataError, Table, load_table
from fuseprop.data.tasks import make_task

SUFFIX = ".csv"
REFUSAL = DataError

NUMBERS = ("0", "1", "-2.5", "1e3", " 7", "+4", ".5", "1.", "12345678901234567890", "1e308", "-1e-320")
ODD = (
    "nan",
    "inf",
    "1e999",
    "1_0",
    "0x1",
    "1,5",
    "",
    " ",
    "NA",
    "1d5",
    "1 2",
    "--1",
    "٣",
    "1\u00a0000",
    "$1",
    "5%",
)
QUOTED = ('"1"', '"a,b"', '"a""b"', '"a\nb"', '"', '""', '"""', '"1"2', '1"', "'1'", '"1', '" 1 "')
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "utf-7", "cp037")


def seeds() -> list[bytes]:
    """Whole files."""
    rows = [f"{i},{i / 4},{'no' if i % 3 else 'yes'}" for i in range(12)]
    numeric = [f"{i};{i / 4};{i * i}" for i in range(12)]
    return [
        "\n".join(["a,b,y", *rows, ""]).encode(),
        "\r\n".join(["a;b;y", *numeric]).encode("utf-8-sig"),
        "\n".join(['"a","b ""q""",y', *(f'"{row.replace(",", chr(34) + ",", 1)}' for row in rows)]).encode(),
    ]


def make(rng: random.Random, whole: bytes) -> bytes:
    """A damaged file, or one of hostile cells."""
    if rng.random() < 0.4:
        return damaged(rng, whole)
    delimiter = rng.choice((",", ",", ";", "\t", "|", " "))
    end = rng.choice(("\n", "\n", "\r\n", "\r", "\n\n", "\n\r"))
    width = rng.choice((1, 2, 3, 3, 3, 5, 300))
    header = [
        rng.choice(("a", "b", "c", f"c{i}", text(rng))) if rng.random() < 0.3 else f"c{i}"
        for i in range(width)
    ]
    header[-1:] = ["y"] if rng.random() < 0.9 else [text(rng)]
    tame = rng.random()
    lines = [delimiter.join(header)]
    for _ in range(rng.choice((0, 1, 3, 10, 40))):
        count = width if rng.random() < 0.98 else rng.randrange(width + 3)
        lines.append(delimiter.join(_cell(rng, tame, is_last=i == count - 1) for i in range(count)))
    if rng.random() < 0.1:
        lines += rng.choice(("", " ", delimiter * (width - 1), "# comment", "\x1a")) * rng.randrange(4)
    written = end.join(lines)
    encoding = rng.choice(ENCODINGS) if rng.random() < 0.1 else "utf-8"
    errors = "surrogatepass" if encoding.startswith("utf") and encoding != "utf-7" else "replace"
    file = written.encode(encoding, errors)
    if rng.random() < 0.05:
        at = rng.randrange(len(file) + 1)
        file = (
            file[:at] + rng.choice((codecs.BOM_UTF8, b"\0", b"\x1a", b"9" * 200_000, b'"' * 999)) + file[at:]
        )
    return damaged(rng, file, 1) if rng.random() < 0.15 else file


def check(path: Path, data: bytes, *, is_whole: bool) -> None:
    """Read a file; what is read is a table. Raises DataError."""
    table = load_table(path, ["y"])
    check_table(table)
    try:
        make_task(table).encode(table)
    except DataError:
        assert not is_whole
    if is_whole:
        assert len(table) == 12


def check_table(table: Table) -> None:
    """Whatever was read is a table."""
    assert table.X.dtype == np.float64
    assert not np.isinf(table.X).any()
    assert table.X.shape == (len(table), len(set(table.feature_names)))
    assert table.targets.shape == (len(table), 1)
    assert table.targets.dtype.kind in "fU"
    for j, column in enumerate(table.columns):
        if column.levels:
            values = table.X[:, j]
            assert np.isin(values[~np.isnan(values)], range(len(column.levels))).all()


def _cell(rng: random.Random, tame: float, *, is_last: bool) -> str:
    if rng.random() < tame:
        return rng.choice(("no", "yes", "1", "2")) if is_last else rng.choice(NUMBERS)
    return rng.choice((rng.choice(NUMBERS), rng.choice(ODD), rng.choice(QUOTED), text(rng)))
