"""What a training ran on: versions, the machine, the device, the data files and their digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..data import is_file_name
from ..data.files.opening import BLOCK, STANDARD_INPUT
from ..model.fitting import Fitting
from ..model.reporting.environment import surroundings
from ..storage.reading import open_file
from .options import absolute


def environment(fitting: Fitting, prints: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a training that is about to begin runs on, as plain data; `prints` are of its data."""
    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        **surroundings(fitting.model.network.backend, fitting.world),
        "data": list(prints),
    }


def fingerprints(data: Iterable[str]) -> list[dict[str, Any]]:
    """Return the absolute path, the size in bytes and the SHA-256 of the bytes of each file.

    A built-in data set and standard input have no size and no digest. Raises OSError for a file that cannot
    be read.
    """
    return [_fingerprint(absolute(text)) for text in data]


def _fingerprint(path: str) -> dict[str, Any]:
    if path == STANDARD_INPUT or not is_file_name(path):
        return {"path": path, "bytes": None, "sha256": None}
    digest = sha256()
    with open_file(Path(path)) as file:
        while block := file.read(BLOCK):
            digest.update(block)
        return {"path": path, "bytes": file.tell(), "sha256": digest.hexdigest()}
