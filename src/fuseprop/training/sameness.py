"""Whether a training that goes on from a checkpoint is the same one: its settings, and its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..backend import AnyBackend, HostArray
from ..checkpoints import CheckpointError
from ..checks.quoting import shown
from ..checks.states import described, is_same
from .chunks import chunks
from .features import is_sparse
from .rows import Rows

CHUNK = 1 << 24
"""Numbers that are cast and hashed at once."""

MOST = 10
"""So many differences are named at most."""


def digests_of(backend: AnyBackend, rows: Rows, part: str) -> dict[str, str]:
    """Return the SHA-256 of rows by what they are: X, targets, and weights where there are some.

    X and targets are hashed in the dtypes in which training reads them: lists and arrays of any dtype are the
    same where they are the same to it.
    """
    targets = rows.own_targets
    labels = targets.values is targets.labels
    digests = {
        f"X of {part}": _digest(_features(backend, rows)),
        f"targets of {part}": _digest([np.asarray(targets.values, np.int64 if labels else backend.dtype)]),
    }
    if rows.weights is not None:
        digests[f"weights of {part}"] = _digest([np.asarray(rows.own_weights, np.float64)])
    return digests


def _features(backend: AnyBackend, rows: Rows) -> Iterator[HostArray]:
    """Yield the selected rows of X in chunks; those of a sparse matrix as the arrays of its rows."""
    X, numbers, n = rows.X, rows.numbers, len(rows)
    each = max(1, CHUNK // max(1, X.shape[1]))
    if is_sparse(X):
        matrix = X.tocsr().copy()
        matrix.sum_duplicates()
        for part in chunks(n, each):
            some = matrix[part if numbers is None else numbers[part]]
            yield from (some.indptr, some.indices, some.data.astype(backend.dtype, copy=False))
    elif isinstance(X, np.ndarray):
        for part in chunks(n, each):
            yield X[part if numbers is None else numbers[part]].astype(backend.dtype, copy=False)
    else:  # on the device, where only slices are sure to work
        for part in chunks(X.shape[0], each):
            yield backend.to_host(X[part]).astype(backend.dtype, copy=False)
        if numbers is not None:
            yield numbers


def _digest(arrays: Iterator[HostArray] | list[HostArray]) -> str:
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(f"{array.dtype.str}{array.shape}".encode())
        sha256.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return sha256.hexdigest()


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], words: Callable[[object], str] = described
) -> list[str]:
    """Return in words what differs between plain data by name; `words` describes a value, None if missing."""
    return [
        f"{shown(name)} is {words(after.get(name))}, and was {words(before.get(name))}"
        for name in dict.fromkeys([*before, *after])
        if not is_same(before.get(name), after.get(name))
    ]


def check_same(place: str, recorded: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    """Raise CheckpointError that names each setting, and each part of the rows, that is not as it was.

    Both have "settings", plain data by name, and "data", digests by name; `place` names the file.
    """
    found = differences(recorded["settings"], present["settings"], _shown)
    before, after = recorded["data"], present["data"]
    for name in dict.fromkeys([*before, *after]):
        if not is_same(before.get(name), after.get(name)):
            how = "differ" if name in before and name in after else "are given" if name in after else "lack"
            found.append(f"the {shown(name)} {how}")
    if not found:
        return
    more = len(found) - MOST
    listed = "; ".join(found[:MOST]) + (f"; and {more} more" if more > 0 else "")
    raise CheckpointError(
        f"{place} is the checkpoint of another training: here {listed}. Give what that training was "
        f"given, or train anew with another checkpoint."
    )


def _shown(value: object) -> str:
    return "not given" if value is None else described(value)
