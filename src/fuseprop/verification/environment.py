"""What a certificate says of backends, code and machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import __version__
from ..backend import AnyBackend
from ..backend.registry import failure
from ..backend.seam import option
from ..world.processor import processor

SOURCES = (".py", ".cu", ".cuh", ".cpp", ".hpp", ".so", ".pyd", ".dll", ".dylib")
"""The files of a package that its digest is of."""

PREFIXES = ("FUSEPROP_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_", "CUPY_", "NVIDIA_TF32")
"""How environment variables begin that computing may depend on."""

WHY = ("not_compiled", "not_captured")
"""Where a backend says why steps do not run in its best way."""


def described(backends: Sequence[AnyBackend]) -> dict[str, Any]:
    """Return what tells a backend: its class, device, arithmetic, and the code that it computes by.

    They are one backend in several dtypes.
    """
    backend = backends[0]
    kind, ask = type(backend), option(backend, "provenance")
    fell_back = [str(getattr(each, name)) for each in backends for name in WHY if getattr(each, name, None)]
    return {
        "backend": backend.name,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "device": backend.device,
        "replay": getattr(backend, "replay", None),
        "not_in_its_best_way": fell_back,
        "arithmetic": dict(option(backend, "arithmetic")),
        "provenance": {} if ask is None else _told(ask),
        "package": digest_of(kind.__module__.partition(".")[0]),
    }


def _told(ask: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a backend tells of its code; where it cannot, with what it fails."""
    try:
        return dict(ask())
    except BaseException as error:  # it is the code of others, and may raise anything
        return {"failed": failure(error)}


def environment() -> dict[str, Any]:
    """Return when, by which fuseprop, and on which machine; no name of a host."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "fuseprop": __version__,
        "fuseprop_sources": digest_of("fuseprop"),
        "python": platform.python_version(),
        "numpy": sys.modules["numpy"].__version__,
        "system": platform.platform(),
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "variables": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(PREFIXES)},
    }


def digest_of(package: str) -> str:
    """Return the SHA-256 of the code in a package, or of the module where it is one file; "" of none."""
    file = getattr(import_module(package), "__file__", None)
    if file is None:
        return ""
    path = Path(file)
    folder = path.parent
    paths = sorted(folder.rglob("*")) if path.name == "__init__.py" else [path]
    digest = sha256()
    for each in paths:
        if each.suffix in SOURCES:
            digest.update(each.relative_to(folder).as_posix().encode() + b"\0" + each.read_bytes())
    return digest.hexdigest()
