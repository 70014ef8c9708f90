"""Whether a training that goes on from a checkpoint is the same one: its settings, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..backend import AnyBackend, HostArray
from ..checks.quoting import shown
from ..checks.states import described, is_same
from ..world import ALONE, Processes
from .chunks import chunks
from .features import is_sparse
from .rows import Rows

CHUNK = 1 << 24
"""Numbers that are cast and hashed at once."""

MOST = 10
"""So many differences are named at most."""


def digests_of(backend: AnyBackend, rows: Rows, part: str, world: Processes = ALONE) -> dict[str, str]:
    """Return the SHA-256 of rows by what they are: X, targets, and weights where there are some.

    X and targets are hashed in the dtypes in which training reads them: lists and arrays of any dtype are the
    same where they are the same to it. In a `world` these are digests of the rows of all processes, however
    many there are: see `_shared_digest`.
    """
    targets = rows.own_targets
    labels = targets.values is targets.labels
    arrays: dict[str, Iterable[HostArray]] = {
        "X": _features(backend, rows),
        "targets": [np.asarray(targets.values, np.int64 if labels else backend.dtype)],
    }
    if rows.weights is not None:
        arrays["weights"] = [np.asarray(rows.own_weights, np.float64)]
    if world is ALONE:
        return {f"{what} of {part}": _digest(each) for what, each in arrays.items()}
    first = sum(world.gathered(len(rows))[: world.rank])
    arrays["X"] = _features(backend, rows, dense=True)
    return {f"{what} of {part}": _shared_digest(world, first, each) for what, each in arrays.items()}


def _features(backend: AnyBackend, rows: Rows, *, dense: bool = False) -> Iterator[HostArray]:
    """Yield the selected rows of X in chunks; those of a sparse matrix as its arrays, unless `dense`."""
    X, numbers, n = rows.X, rows.numbers, len(rows)
    each = max(1, CHUNK // max(1, X.shape[1]))
    if is_sparse(X):
        matrix = X.tocsr().copy()
        matrix.sum_duplicates()
        for part in chunks(n, each):
            some = matrix[part if numbers is None else numbers[part]]
            if dense:
                yield some.toarray().astype(backend.dtype, copy=False)
                continue
            yield from (some.indptr, some.indices, some.data.astype(backend.dtype, copy=False))
    elif isinstance(X, np.ndarray):
        for part in chunks(n, each):
            yield X[part if numbers is None else numbers[part]].astype(backend.dtype, copy=False)
    else:  # on the device, where only slices are sure to work
        for part in chunks(X.shape[0], each):
            yield backend.to_host(X[part]).astype(backend.dtype, copy=False)
        if numbers is not None:
            yield numbers


LANES = 2
"""Sums of 64 bits of which a digest of several processes' rows is made."""


def _shared_digest(world: Processes, first: int, arrays: Iterable[HostArray]) -> str:
    """Return a digest of rows that several processes hold, this one those from `first` on.

    Sums over processes have no order, so each row is hashed with its number among all, and the hashes are
    added up: sum_i mix(i + sum_j a_j w_ij) modulo 2^64 for words w of 64 bits, once for each lane of random
    odd a_j (multilinear hashing: D. Lemire, O. Kaser, Strongly universal string hashing is fast, 2014).
    It tells other rows and other orders apart, but not what was forged to be alike.
    """
    sums = np.zeros(LANES + 1, np.uint64)
    for array in arrays:
        flat = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
        words = np.zeros((len(flat), -(-flat.shape[1] // 8) * 8), np.uint8)
        words[:, : flat.shape[1]] = flat
        numbers = np.arange(first, first + len(flat), dtype=np.uint64)
        for lane in range(LANES):
            a = np.random.Philox(key=lane).random_raw(words.shape[1] // 8) | np.uint64(1)
            hashes = numbers * _ODD + (words.view(np.uint64) * a).sum(axis=1, dtype=np.uint64)
            sums[lane] += _mixed(hashes).sum(dtype=np.uint64)
        sums[LANES] += np.uint64(len(flat))
        first += len(flat)
    return "".join(f"{each:016x}" for each in world.total(sums).tolist())


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _mixed(words: HostArray) -> HostArray:
    """Return words whose every bit depends on all bits of the given ones: the end of SplitMix64."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: HostArray = words ^ (words >> np.uint64(31))
    return mixed


def _digest(arrays: Iterable[HostArray]) -> str:
    from hashlib import sha256  # only where checkpoints are kept

    digest = sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


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
    from ..checkpoints import CheckpointError

    more = len(found) - MOST
    listed = "; ".join(found[:MOST]) + (f"; and {more} more" if more > 0 else "")
    raise CheckpointError(
        f"{place} is the checkpoint of another training: here {listed}. Give what that training was "
        f"given, or train anew with another checkpoint."
    )


def _shown(value: object) -> str:
    return "not given" if value is None else described(value)
