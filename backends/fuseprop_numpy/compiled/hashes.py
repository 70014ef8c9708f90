"""Hashes of the C++ sources, by which it is seen that a library was built of others.

The build hook loads this file by its path, where fuseprop is not installed yet: it needs Python alone.
"""

from __future__ import annotations

from pathlib import Path

INTERFACE = ("interface.hpp", "formulas.hpp", "interpreter.hpp")
"""The files whose structs, tables and codes Python knows too: a library of others must not be called."""


def source_hash(folder: Path) -> str:
    """Return the hash of all C++ sources in a folder."""
    return _hash(sorted(folder.glob("*.[ch]pp")))


def interface_hash(folder: Path) -> str:
    """Return the hash of those sources that `INTERFACE` names."""
    return _hash([path for path in (folder / name for name in INTERFACE) if path.exists()])


def _hash(paths: list[Path]) -> str:
    from hashlib import sha256

    return sha256(repr([(path.name, path.read_bytes()) for path in paths]).encode()).hexdigest()[:16]
