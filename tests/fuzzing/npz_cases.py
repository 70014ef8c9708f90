"""NPZ files: arrays of every dtype and shape, headers that lie, and archives with broken directories."""

import random
import struct
import warnings
import zipfile
from io import BytesIO
from math import prod
from pathlib import Path
from unittest.mock import patch

import numpy as np
from damages import SIZES, damaged, text

from fuseprop.data import DataError, read_npz
from fuseprop.data.tasks import make_task

SUFFIX = ".npz"
REFUSAL = DataError

FREE = 24 << 20
"""As many bytes may be unpacked here: what users may need takes more memory than the fuzzer allows."""

DTYPES = [
    *("f8", "f4", "f2", "g", "i8", "i1", "u8", "u2", "?", ">f8", ">i4", "c16", "c8", "M8[D]", "m8[s]", "M8"),
    *("S3", "S", "U3", ">U2", "U", "V4", "O", "i4,f8", "(2,2)f8", [("a", "f8"), ("b", "U2")]),
]
DESCRIPTIONS = [
    *("'<f8'", "'|O'", "'<f16'", "'<f7'", "'f8,f8'", "'(2,)f8'", "'<U0'", "'<U99999999999'", "'|V8'", "'T'"),
    *("'a8'", "[('a', '<f8')]", "'<M8[ns]'", "'>U1'", "'|S1'", "None", "1", "'\x1b[2J'", "'<f8' * 9", "{}"),
]
SHAPES = [
    *("(3, 2)", "(3,)", "()", "(2,3)", "(3L, 2L)", "(0, 2)", "(3, 0)", "(-3, 2)", "(9223372036854775807, 0)"),
    *("(0, 9223372036854775807)", "(0, 100000000000)"),
    *(
        "(1099511627776, 7)",
        "(1,) * 70",
        "(" + "1, " * 70 + ")",
        "(" + "9" * 400 + ",)",
        "3",
        "None",
        "(True,)",
    ),
    *("((3,), 2)", "(" * 3000, "-" * 4000 + "1", "[3, 2]", "(0x3, 2)"),
]


def seeds() -> list[bytes]:
    """Whole files."""
    rng = np.random.default_rng(0)
    X, names = rng.normal(size=(12, 3)).round(2), ["a", "b", "c d"]
    files = []
    for y in (X[:, 0], np.array(["no", "yes", "no"] * 4), np.arange(12) % 3, rng.integers(0, 2, (12, 3))):
        for save in (np.savez, np.savez_compressed):
            buffer = BytesIO()
            save(buffer, X=X, y=y, feature_names=names)
            files.append(buffer.getvalue())
    return files


def make(rng: random.Random, whole: bytes) -> bytes:
    """A damaged file, or one of arrays that are no table."""
    kind = rng.randrange(10)
    if kind < 3:
        return damaged(rng, whole)
    if kind < 5:
        return _directory_damaged(rng, whole)
    members = [("X.npy", _array(rng, (12, 3))), ("y.npy", _array(rng, (12,)))]
    if rng.random() < 0.5:
        members.append(("feature_names.npy", _array(rng, (3,))))
    if rng.random() < 0.1:
        members.append((rng.choice(("X", "X.npy", "../X.npy", "/dev/zero", text(rng))), _array(rng, (12, 3))))
    if rng.random() < 0.02:
        members += [(f"{i}", b"") for i in range(3000)]
    rng.shuffle(members)
    buffer = BytesIO()
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]
    if len(members) < 9 and sum(len(data) for _, data in members) < 1e6 and rng.random() < 0.2:
        methods = [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    method = rng.choice(methods)
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, data in members:
            safe = name.encode("utf-8", "replace").decode()[:60000]
            archive.writestr(zipfile.ZipInfo(safe or "x"), data, method)
    file = buffer.getvalue()
    return damaged(rng, file, 1) if rng.random() < 0.2 else file


def check(path: Path, data: bytes, *, is_whole: bool) -> None:
    """Read a file; what is read is a table. Raises DataError."""
    with patch("fuseprop.data.npz_file.FREE_BYTES", FREE):
        table = read_npz(path)
    assert table.X.dtype == np.float64
    assert table.X.ndim == 2
    assert np.isfinite(table.X).all()
    assert len(set(table.feature_names)) == table.X.shape[1]
    "".join(table.feature_names).encode()
    assert table.targets is not None
    assert len(table.targets) == len(table)
    assert table.targets.dtype.kind in "fU"
    try:
        task = make_task(table)
        task.encode(table)
    except DataError:
        assert not is_whole
    if is_whole:
        assert table.feature_names == ("a", "b", "c d")


def _array(rng: random.Random, shape: tuple[int, ...]) -> bytes:
    """An array as a file holds it; often one that belongs there."""
    if rng.random() < 0.2:
        return _header_that_lies(rng)
    if rng.random() < 0.3:
        shape = tuple(rng.choice((0, 1, 2, 12, 30)) for _ in range(rng.choice((0, 1, 2, 2, 3, 9, 32))))
        shape = shape if prod(max(1, size) for size in shape) < 1e5 else (5, 5)
    if rng.random() < 0.01:  # much of nothing, which is there or not
        shape = (2_000_000, *shape[1:])
        header = f"{{'descr': '|i1', 'fortran_order': False, 'shape': {shape}, }}\n"
        return _npy(header, bytes(prod(shape) if len(shape) < 3 and rng.random() < 0.5 else 1))
    dtype = rng.choice(DTYPES) if rng.random() < 0.5 else rng.choice(("f8", "U3"))
    values = np.zeros(shape, dtype)
    if values.size and values.dtype.kind in "fcOiUS" and rng.random() < 0.8:
        with np.errstate(all="ignore"):
            numbers = (0, 1, 2, 3) if values.dtype.kind == "i" else (0, 1, 2, 3, rng.random(), 1e30)
            flat = [rng.choice(numbers) for _ in range(min(values.size, 500))]
            if values.dtype.kind in "US":
                flat = [text(rng).encode("ascii", "replace").decode()[:3] for _ in flat]
            if values.dtype.kind == "f" and rng.random() < 0.1:
                flat[0] = rng.choice((np.nan, np.inf, np.longdouble("1e4000")))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values.flat = np.resize(np.array(flat, object), values.size).astype(values.dtype)
    if values.dtype.kind == "U" and values.size and values.dtype.itemsize and rng.random() < 0.2:
        values = np.ascontiguousarray(values)
        codes = values.reshape(-1).view(f"{values.dtype.byteorder}u4")
        codes[rng.randrange(codes.size)] = rng.choice((0x110000, 0xD800, 0xFFFFFFFF, 0x1B, 0x202E, 0))
    buffer = BytesIO()
    np.lib.format.write_array(buffer, np.asarray(values, order=rng.choice("CF")), allow_pickle=True)
    return buffer.getvalue()


def _header_that_lies(rng: random.Random) -> bytes:
    entries = [
        f"'descr': {rng.choice(DESCRIPTIONS) if rng.random() < 0.5 else chr(39) + '<f8' + chr(39)}",
        f"'fortran_order': {rng.choice(('False', 'True', '0', 'None', '[' * 200))}",
        f"'shape': {rng.choice(SHAPES)}",
    ]
    if rng.random() < 0.2:
        entries.append(rng.choice(("'more': 1", "'shape': (3, 2)", "", "__import__('os')")))
    rng.shuffle(entries)
    header = "{" + ", ".join(entries) + rng.choice((", }", "}", "", "}}")) + " " * rng.choice((0, 10, 20_000))
    return _npy(header, bytes(rng.choice((0, 8, 24, 48, 49))), rng.choice((1, 2, 3, 0, 9)))


def _npy(header: str, data: bytes, version: int = 1) -> bytes:
    written = header.encode("latin-1", "replace")
    width = "<H" if version == 1 else "<I"
    length = struct.pack(width, min(len(written), 2**16 - 1))
    return b"\x93NUMPY" + bytes([version, 0]) + length + written + data


def _directory_damaged(rng: random.Random, whole: bytes) -> bytes:
    """A file with other sizes, flags, methods, offsets or counts in its directory or its local headers."""
    data = bytearray(whole)
    marks = [(b"PK\1\2", 46), (b"PK\3\4", 30), (b"PK\5\6", 22)]
    for _ in range(rng.randint(1, 3)):
        mark, length = rng.choice(marks)
        places = [i for i in range(len(data)) if data.startswith(mark, i)]
        if not places:
            continue
        at = rng.choice(places) + 4 + 2 * rng.randrange((length - 4) // 2)
        width = rng.choice((2, 4))
        number = rng.choice(
            (rng.choice(SIZES), 1, 8, 9, 12, 14, 99, int.from_bytes(data[at : at + width], "little") + 1)
        )
        data[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(data)
