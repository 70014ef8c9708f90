"""The version of the seam: what a backend must have, what it may leave out, and which fuseprop it fits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias, cast
from weakref import WeakSet

import numpy as np

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
    "host_memory": True,
    "allocated": None,
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
host_memory : bool
    Whether its arrays are in the host's memory, so that `share` takes a NumPy array as it is. False says that
    the device has memory of its own, or that the library cannot compute where the host's arrays are.
allocated : method
    ``allocated()`` returns the bytes of the device that living arrays use, where Python does not count them.
    The contract asks before and after a thousand steps.
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

    Raises BackendUnavailable for one of another version of the seam, and for one that lacks members, or whose
    methods take other arguments: one error names them all.
    """
    kind = backend.__name__ if isinstance(backend, type) else type(backend).__name__
    missing = [name for name in REQUIRED if not hasattr(backend, name)]
    version = option(backend, "protocol_version")
    if isinstance(backend, type) or len(missing) > len(REQUIRED) // 2:
        got = f"the class {kind}" if isinstance(backend, type) else f"{backend!r:.100}"
        raise TypeError(f"backend must be a backend object (device= takes names), got {got}.")
    for name, (expected, fits) in _OPTIONS.items():
        value = option(backend, name)
        if not fits(value):
            raise BackendUnavailable(
                f"the backend {kind} says {name}={value!r:.60}, where {expected} is expected."
            )
    if version != VERSION:
        whose = "fuseprop" if version > VERSION else f"{kind}, or move it on as backends/README.md says"
        raise BackendUnavailable(
            f"{kind} was written for version {version} of the seam between fuseprop and its backends, and "
            f"this fuseprop has version {VERSION}. Install a newer {whose}."
        )
    wrong = [f"it lacks {_usage(name)}" for name in missing]
    if missing or type(backend) not in _FITTING:
        wrong += [_misfit(backend, name) for name in REQUIRED if name not in missing]
    if any(wrong):
        fuseprop = import_module("fuseprop")  # which imports this module
        raise BackendUnavailable(
            f"the backend {kind} does not fit the protocol of fuseprop {fuseprop.__version__} "
            f"(version {VERSION}): {'; '.join(filter(None, wrong))}. See backends/README.md, and the class "
            f"fuseprop.backend.Backend."
        )
    _FITTING.add(type(backend))


_FITTING: WeakSet[type] = WeakSet()
"""Classes whose methods take the protocol's arguments: to look at all signatures takes 2.6 ms."""


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_method(value: object) -> bool:
    return value is None or callable(value)


_OPTIONS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "protocol_version": (
        f"a whole number, such as {VERSION},",
        lambda value: _is_whole(value) and value >= 0,
    ),
    "chunk_bytes": (
        f"a whole number, such as {OPTIONAL['chunk_bytes']},",
        lambda value: _is_whole(value) and value > 0,
    ),
    "by_rows": ("a method", _is_method),
    "all_reduce": ("a method", _is_method),
    "provenance": ("a method", _is_method),
    "allocated": ("a method", _is_method),
    "arithmetic": ("a dict", lambda value: isinstance(value, Mapping)),
    "host_memory": ("True or False", lambda value: isinstance(value, bool)),
}
"""What each of `OPTIONAL` is, and whether a value is that."""


def _usage(name: str) -> str:
    """Return a method of the protocol as it is called, such as "softmax(logits, *, out)"; else the name."""
    member = vars(Backend)[name]
    if not inspect.isfunction(member):
        return name
    _, *parameters = inspect.signature(member).parameters.values()
    return name + _text(parameters)


def _text(parameters: Sequence[inspect.Parameter]) -> str:
    return str(inspect.Signature([each.replace(annotation=each.empty) for each in parameters]))


def _misfit(backend: object, name: str) -> str:
    """Return what is wrong with a member that a backend has, or ""."""
    member, expected = getattr(backend, name), vars(Backend)[name]
    if not inspect.isfunction(expected):
        kinds = {"dtype": (np.dtype, "a NumPy dtype")}
        kind, what = kinds.get(name, (str, "a text"))
        return "" if isinstance(member, kind) else f"its {name} is {member!r:.60}, where {what} is expected"
    if not callable(member):
        return f"its {name} is {member!r:.60}, where a method is expected"
    try:
        own = inspect.signature(member)
    except (TypeError, ValueError):  # one in C may not say what it takes
        return ""
    _, *parameters = inspect.signature(expected).parameters.values()
    needed = [each for each in parameters if each.default is each.empty]
    for given in (needed, parameters):
        by_name = {each.name for each in given if each.kind is each.KEYWORD_ONLY or each not in needed}
        try:
            own.bind(*[None] * (len(given) - len(by_name)), **dict.fromkeys(by_name))
        except TypeError:
            return f"its {name}{_text(list(own.parameters.values()))} cannot be called as {_usage(name)}"
    return ""
