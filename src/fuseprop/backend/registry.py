"""Backends by name or device, found through the entry-point group ``fuseprop.backends``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from ..checks.choices import suggestion
from ..checks.quoting import literal, printable
from .errors import BackendUnavailable
from .protocol import AnyBackend
from .seam import check_backend

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "fuseprop.backends"

BACKEND_OF = {"cpu": "numpy", "cuda": "cupy"}
"""Which backend serves a kind of device; a backend can always be asked for by its own name too."""

DTYPES = ("float32", "float64")
"""Of values, gradients and losses; what a backend raises for another is an error of who asked."""

VARIABLE = "FUSEPROP_DEVICE"
"""The environment variable that names a device where neither the code nor the command line does."""

OURS = frozenset(BACKEND_OF.values())
"""The names of fuseprop's own backends."""

DISTRIBUTION = "fuseprop"
"""The package that registers them."""

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

    Raises BackendUnavailable, saying what is missing, or with what the backend's package fails; ValueError
    for an unknown dtype, TypeError for a device that is no name.

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
    """Return the class that a backend is registered with; None where it cannot be had."""
    try:
        return cast(type[AnyBackend], _loaded(name))
    except BackendUnavailable:
        return None


def failure(error: BaseException) -> str:
    """Return an exception as one printable text: its type and what it says.

    Raises it where it is no fault of the code that raised it: an interrupt, or memory that has run out.
    """
    if isinstance(error, KeyboardInterrupt | MemoryError):
        raise error
    return printable(f"{type(error).__name__}: {error}".removesuffix(": "))


def package_of(entry: object) -> str:
    """Return the package that registers an entry point, with its version: "mine 1.0"; "" for none."""
    dist = getattr(entry, "dist", None)
    return "" if dist is None else printable(f"{dist.name} {dist.version}")


def is_ours(entry: object) -> bool:
    """Return whether fuseprop itself registers an entry point."""
    return package_of(entry).partition(" ")[0] == DISTRIBUTION


def _open(device: str, dtype: str) -> AnyBackend:
    kind, _, rest = (device, "", "") if device in _installed() else device.partition(":")
    name = BACKEND_OF.get(kind, kind)
    if name not in _installed():
        here = f"Installed here: {', '.join(_installed())}."
        if kind in BACKEND_OF:
            raise BackendUnavailable(f"{device!r} needs the backend {name!r}, which is not installed. {here}")
        close = suggestion(kind, [*BACKEND_OF, *_installed()])
        raise BackendUnavailable(f"{device!r} is neither a device nor an installed backend. {here}{close}")
    chosen = device if kind in BACKEND_OF else rest
    given = {"dtype": dtype, **({"device": chosen} if chosen else {})}
    backend_class = _loaded(name)
    _check_call(name, backend_class, given)
    try:
        backend = backend_class(**given)
        check_backend(backend)
    except BackendUnavailable:
        raise
    except BaseException as error:  # it is the code of others, and may raise anything
        if dtype not in DTYPES and isinstance(error, ValueError | TypeError):
            raise
        raise BackendUnavailable(f"{_named(name)} cannot be made: {failure(error)}") from error
    return cast(AnyBackend, backend)


def _loaded(name: str) -> Callable[..., object]:
    """Return what the entry point of a backend names; BackendUnavailable where it cannot be called."""
    try:
        found: object = _installed()[name].load()
    except BackendUnavailable:
        raise
    except ImportError as error:
        raise BackendUnavailable(f"{_named(name)} cannot be imported: {printable(str(error))}") from error
    except BaseException as error:  # a module may raise anything, even SystemExit
        raise BackendUnavailable(f"{_named(name)} cannot be imported: {failure(error)}") from error
    if not callable(found):
        raise BackendUnavailable(
            f"{_named(name)} cannot be made: its entry point names {literal(found)}, where a class is "
            f"expected. See backends/README.md."
        )
    return found


def _named(name: str) -> str:
    """Return a backend in words, with the package that it is of."""
    package = package_of(_installed()[name])
    return f"the backend {name!r}" + (f" of the package {package}" if package else "")


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
            f"{_named(name)} cannot be made: its class is called as "
            f"{getattr(backend_class, '__name__', name)}({call}), and does not take that: {error}. See "
            f"backends/README.md."
        ) from None


class _Entry(Protocol):
    """What is asked of an entry point."""

    def load(self) -> Any: ...


@dataclass(frozen=True)
class _Refused:
    """What stands for an entry point that cannot be taken, and says so where its backend is asked for."""

    why: str

    def load(self) -> NoReturn:
        raise BackendUnavailable(self.why)


@cache
def _installed() -> dict[str, _Entry]:
    """Read the entry points once: looking through the installed distributions takes milliseconds."""
    from importlib.metadata import entry_points  # a third of the time of `import fuseprop` (16 of 47 ms)

    return chosen_entries(entry_points(group=GROUP))


def chosen_entries(entries: Iterable[EntryPoint]) -> dict[str, _Entry]:
    """Return the entry points by name, sorted; no package takes the name of another's, or of a device.

    One that would stands under its name and its package's, and is refused there. Where several packages have
    a name that is none of fuseprop's, all are refused under it.
    """
    found: dict[str, _Entry] = {}
    for name, several in groupby(sorted(entries, key=lambda entry: entry.name), lambda entry: entry.name):
        by_value = {entry.value: entry for entry in several}  # the same class twice is no question
        alike = list(by_value.values())
        packages = " and ".join(package_of(entry) or entry.value for entry in alike)
        if name in OURS or name in (*BACKEND_OF, "auto") or ":" in name:
            for entry in alike:
                package = package_of(entry)
                if name in OURS and is_ours(entry):
                    found[name] = entry
                else:
                    whose = f"is that of {DISTRIBUTION}'s own backend" if name in OURS else "means a device"
                    found[f"{name} of {package or entry.value}"] = _Refused(
                        f"the package {package or entry.value} names a backend {name!r}, which {whose}: it "
                        f"has to take another name. Until then, type: pip uninstall "
                        f"{package.partition(' ')[0] or entry.value}"
                    )
        elif len(alike) > 1:
            found[name] = _Refused(
                f"several packages name a backend {name!r}: {packages}. Uninstall all of them but one."
            )
        else:
            (found[name],) = alike
    return dict(sorted(found.items()))
