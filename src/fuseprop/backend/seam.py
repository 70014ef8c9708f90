"""The version of the seam: what a backend must have, what it may leave out, and which fuseprop it fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from .array import Array
from .errors import BackendUnavailable
from .program import Program
from .protocol import AnyBackend, Backend, BackendForProcesses

ByRows: TypeAlias = Callable[[Program, Sequence[Any]], Callable[..., None] | None]

VERSION = 2
"""Of the protocol. It grows when backends have to change; backends/README.md says what changed."""

OPTIONAL: dict[str, Any] = {
    "protocol_version": 1,
    "chunk_bytes": 4 << 20,
    "by_rows": None,
    "arithmetic": {},
    "provenance": None,
    "all_reduce": None,
}
"""What a backend may have beside them, and what counts where it does not.

protocol_version : int
    The version that it was written for.
chunk_bytes : int
    As much memory as the buffers of a chunk may take where rows are evaluated or predicted. From 2 to 12 MiB
    it made no difference on a CPU (5 networks from 4-16-3 to 784-512-512-10, NumPy, AMD EPYC); with less than
    0.5 MiB the calls took longer than the arithmetic.
by_rows : method
    ``by_rows(program, arrays)`` takes a program that computes each row from itself alone, and those of its
    arrays that hold rows. It returns a function of as many arrays, contiguous and alike but for how many rows
    they have, which does for all of their rows what the program does for its own; or None where it cannot.
    The numbers of a row must not depend on the rows beside it. Several threads may call the function.
arithmetic : dict
    What decides the last bits of a training's numbers beside the backend's name and device, such as versions
    of libraries and numbers of threads, as texts and numbers by name. A training that goes on from a
    checkpoint where these are others says so.
provenance : method
    ``provenance()`` returns what else tells which code computes, and by what, as texts and numbers by name:
    hashes of sources, builds, drivers, packages. The certificate of `fuseprop verify` holds them. It is asked
    for there alone, may take a second, and must not raise.
all_reduce : method
    That of `BackendForProcesses`, which is asked where several processes train together, and nowhere else.
"""

REQUIRED = tuple(sorted(name for name in vars(Backend) if not name.startswith("_")))
"""The members that a `Backend` must have."""


def option(backend: object, name: str) -> Any:
    """Return what a backend says of one of `OPTIONAL`, or what counts where it says nothing."""
    return getattr(backend, name, OPTIONAL[name])


def for_processes(backend: AnyBackend) -> BackendForProcesses[Array]:
    """Return a backend that adds up over processes; raise BackendUnavailable for one that does not."""
    if option(backend, "all_reduce") is None:
        raise BackendUnavailable(
            f"the backend {backend.name} has no all_reduce, which processes that train together need. Use "
            f"another one, or a single process."
        )
    return cast("BackendForProcesses[Array]", backend)


def check_backend(backend: object) -> None:
    """Raise TypeError for what is no backend.

    Raises BackendUnavailable for one of another version of the seam, and for one that lacks members.
    """
    kind = backend.__name__ if isinstance(backend, type) else type(backend).__name__
    missing = [name for name in REQUIRED if not hasattr(backend, name)]
    version = option(backend, "protocol_version")
    if isinstance(backend, type) or len(missing) > len(REQUIRED) // 2:
        got = f"the class {kind}" if isinstance(backend, type) else f"{backend!r:.100}"
        raise TypeError(f"backend must be a backend object (device= takes names), got {got}.")
    for name in ("protocol_version", "chunk_bytes"):
        value = option(backend, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < (name == "chunk_bytes"):
            raise BackendUnavailable(
                f"the backend {kind} says {name}={value!r:.60}, where a whole number is expected, such as "
                f"{OPTIONAL[name]}."
            )
    for name in ("by_rows", "provenance", "all_reduce"):
        method = option(backend, name)
        if not (method is None or callable(method)):
            raise BackendUnavailable(
                f"the backend {kind} says {name}={method!r:.60}, where a method is expected."
            )
    arithmetic = option(backend, "arithmetic")
    if not isinstance(arithmetic, Mapping):
        raise BackendUnavailable(
            f"the backend {kind} says arithmetic={arithmetic!r:.60}, where a dict is expected."
        )
    if version != VERSION:
        whose = "fuseprop" if version > VERSION else f"{kind}, or move it on as backends/README.md says"
        raise BackendUnavailable(
            f"{kind} was written for version {version} of the seam between fuseprop and its backends, and "
            f"this fuseprop has version {VERSION}. Install a newer {whose}."
        )
    if missing:
        raise BackendUnavailable(
            f"the backend {kind} lacks {', '.join(missing)}: see the class fuseprop.backend.Backend."
        )
