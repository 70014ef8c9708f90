"""Backends by name or device, found through the entry-point group ``fuseprop.backends``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from ..checks.choices import suggestion
from .errors import BackendUnavailable
from .protocol import AnyBackend
from .seam import check_backend

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "fuseprop.backends"

BACKEND_OF = {"cpu": "numpy", "cuda": "cupy"}
"""Which backend serves a kind of device; a backend can always be asked for by its own name too."""

VARIABLE = "FUSEPROP_DEVICE"
"""The environment variable that names a device where neither the code nor the command line does."""

AUTO = ("cuda", "cpu")
"""What "auto" tries, in this order."""


@dataclass(frozen=True)
class BackendStatus:
    """Whether a registered backend can be used here; `reason` says why not, and is empty where it can."""

    name: str
    available: bool
    reason: str


def load_backend(device: str | None = None, dtype: str = "float32") -> AnyBackend:
    """Return a new backend object.

    Parameters
    ----------
    device : str, optional
        "cpu", "cuda", "cuda:1", or the name of an installed backend, alone or with one of its devices
        ("numpy", "mine:device"). What is named is what comes, or an error. Only "auto" chooses: the first of
        cuda and cpu that can be used, and says so once (logger "fuseprop", level INFO). None stands for the
        environment variable FUSEPROP_DEVICE, or else "auto"; the variable overrides no device that is named.
    dtype : "float32" | "float64"
        The dtype of values, gradients and losses.

    Raises BackendUnavailable, saying what is missing; ValueError for an unknown dtype, TypeError for a device
    that is no name.

    Examples
    --------
    >>> from fuseprop import load_backend
    >>> backend = load_backend("cpu", "float64")
    >>> backend.name, backend.device, backend.dtype.name
    ('numpy', 'cpu', 'float64')
    """
    return backend_on(device, dtype, otherwise="auto")


def backend_on(device: str | None, dtype: str, *, otherwise: str) -> AnyBackend:
    """As `load_backend`, but `otherwise` is the device that None and an unset FUSEPROP_DEVICE stand for."""
    if not isinstance(device, str | None):
        raise TypeError(f'device must be a name such as "cpu" or "cuda:1", got {device!r}.')
    wanted = named_device(device, otherwise)
    if wanted != "auto":
        try:
            return _open(wanted, dtype)
        except BackendUnavailable as error:
            if device is not None or not os.environ.get(VARIABLE):
                raise
            raise BackendUnavailable(f"{error} The variable {VARIABLE} names this device.") from error
    backend, why = _choose(dtype)
    _log_once(why)
    return backend


def named_device(device: str | None, otherwise: str) -> str:
    """Return `device`; if it is None, what FUSEPROP_DEVICE names; if that is not set, `otherwise`."""
    return (os.environ.get(VARIABLE) or otherwise) if device is None else device


def installed_backends() -> list[str]:
    """Return the names of the registered backends, sorted, without trying whether they can be used."""
    return list(_installed())


def available_backends() -> list[BackendStatus]:
    """Return every registered backend and whether it can be used here, in order of their names.

    Examples
    --------
    >>> from fuseprop import available_backends
    >>> [status.name for status in available_backends() if status.name == "numpy"]
    ['numpy']
    """
    statuses = []
    for name in installed_backends():
        try:
            _open(name, "float32")
        except BackendUnavailable as error:
            statuses.append(BackendStatus(name, False, str(error)))
        else:
            statuses.append(BackendStatus(name, True, ""))
    return statuses


def explain_auto() -> str:
    """Return which device "auto" takes here, and why it takes none of those before it.

    Raises BackendUnavailable where there is no device at all.
    """
    return _choose("float32")[1]


def _choose(dtype: str) -> tuple[AnyBackend, str]:
    """Open the first device of AUTO that can be used; return its backend, and why it was taken."""
    reasons = []
    for device in AUTO:
        try:
            backend = _open(device, dtype)
        except BackendUnavailable as error:
            reasons.append(f"{device} cannot be used: {error}")
        else:
            why = " ".join(reasons) or "the first choice."
            return backend, f'"auto" takes {backend.device} ({backend.name}): {why}'
    raise BackendUnavailable("no device can be used. " + " ".join(reasons))


@cache
def _log_once(text: str) -> None:
    """Log a text the first time that it comes up."""
    import logging  # fifteen modules of Python, for one line

    logging.getLogger("fuseprop").info(text)


def backend_class(name: str) -> type[AnyBackend] | None:
    """Return the class that a backend is registered with; None where it cannot be imported."""
    try:
        return cast(type[AnyBackend], _installed()[name].load())
    except ImportError:
        return None


def _open(device: str, dtype: str) -> AnyBackend:
    kind, _, rest = device.partition(":")
    name = BACKEND_OF.get(kind, kind)
    if name not in _installed():
        here = f"Installed here: {', '.join(_installed())}."
        if kind in BACKEND_OF:
            raise BackendUnavailable(f"{device!r} needs the backend {name!r}, which is not installed. {here}")
        close = suggestion(kind, [*BACKEND_OF, *_installed()])
        raise BackendUnavailable(f"{device!r} is neither a device nor an installed backend. {here}{close}")
    try:
        backend_class = _installed()[name].load()
    except ImportError as error:
        raise BackendUnavailable(f"the backend {name!r} cannot be imported: {error}") from error
    chosen = device if kind in BACKEND_OF else rest
    given = {"dtype": dtype, **({"device": chosen} if chosen else {})}
    _check_call(name, backend_class, given)
    backend = backend_class(**given)
    check_backend(backend)
    return cast(AnyBackend, backend)


def _check_call(name: str, backend_class: Callable[..., object], given: dict[str, str]) -> None:
    """Raise BackendUnavailable where a backend's class cannot be called with these arguments."""
    try:
        signature = inspect.signature(backend_class)
    except (TypeError, ValueError):  # it does not say what it takes
        return
    try:
        signature.bind(**given)
    except TypeError as error:
        call = ", ".join(f"{parameter}={value!r}" for parameter, value in given.items())
        raise BackendUnavailable(
            f"the backend {name!r} cannot be made: its class is called as "
            f"{getattr(backend_class, '__name__', name)}({call}), and does not take that: {error}. See "
            f"backends/README.md."
        ) from None


@cache
def _installed() -> dict[str, EntryPoint]:
    """Read the entry points once: looking through the installed distributions takes milliseconds."""
    from importlib.metadata import entry_points  # a third of the time of `import fuseprop` (16 of 47 ms)

    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}
