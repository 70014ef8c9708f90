"""The examination of fuseprop doctor: what is installed, which backends work, and how to repair others."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..backend import AnyBackend, BackendUnavailable, Finding
from ..backend.registry import BACKEND_OF, failure, installed_backends, is_ours, load_backend, package_of
from ..checks.quoting import literal
from ..formulas.activation import ACTIVATIONS, activate
from ..installing import how_to_install, installed_version
from ..world import ALONE, Processes
from .processes_found import processes_found

GROUP = "fuseprop.doctor"


@dataclass(frozen=True)
class Examination:
    """The findings by section, whether each backend works, and a verdict with a command to type.

    Attributes
    ----------
    sections : dict of str to list of Finding
        "fuseprop" first, then one section of each backend's package about its environment, then "processes".
    backends : list of Finding
        Whether each installed backend works: one fused kernel and one product against NumPy in float64.
    verdict : str
        One or two sentences.
    """

    sections: dict[str, list[Finding]]
    backends: list[Finding]
    verdict: str

    @property
    def works(self) -> bool:
        """Whether any backend works."""
        return any(finding.ok for finding in self.backends)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain dictionaries and lists."""
        return {**asdict(self), "works": self.works}


def examine(processes: Processes = ALONE) -> Examination:
    """Examine everything, also what takes long (compiling a kernel, starting a GPU). Does not raise.

    Several processes do so alike; each has its own findings, and process 0 those about all.
    """
    sections = {
        "fuseprop": [
            _fuseprop(),
            Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
            _tables(),
        ]
    }
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, not is_ours(entry))):
        taken = entry.name in (*sections, "processes")
        title = f"{entry.name} of {package_of(entry) or 'another package'}" if taken else entry.name
        sections[title] = _of_package(entry)
    tried = {name: _try(name) for name in installed_backends()}
    devices = ", ".join(finding.found for finding in tried.values() if finding.ok) or "no backend works"
    sections["processes"] = processes_found(processes, devices)
    return Examination(sections, list(tried.values()), _verdict(tried))


def _of_package(entry: EntryPoint) -> list[Finding]:
    """Return what a backend's package finds; where it cannot be examined, its error is the finding."""
    try:
        found = list(entry.load()())
        if not all(isinstance(finding, Finding) for finding in found):
            raise TypeError(f"expected a list of fuseprop.backend.Finding, got {literal(found)}")
    except BaseException as error:  # it is the code of others, and may raise anything
        return [Finding("examination", failure(error), ok=False)]
    return found


def _fuseprop() -> Finding:
    """Return the version; with a fix if fuseprop is not installed: its backends are not found then."""
    if installed_version() is not None:
        return Finding("fuseprop", __version__)
    found = f"{__version__}, not installed: imported from {Path(__file__).resolve().parents[1]}"
    return Finding("fuseprop", found, ok=False, fix=how_to_install())


def _tables() -> Finding:
    """Return the versions of what reads files and data frames; with a fix if one of them does not work."""
    found, ok = [], True
    for name, shown in (("duckdb", "DuckDB"), ("narwhals", "narwhals")):
        try:
            found.append(f"{shown} {import_module(name).__version__}")
        except Exception as error:
            is_absent = isinstance(error, ModuleNotFoundError) and error.name == name
            why = "is not installed" if is_absent else f"fails: {type(error).__name__}: {error}"
            found.append(f"{shown} {why}")
            ok = False
    return Finding("tables", ", ".join(found), ok=ok, fix="" if ok else how_to_install("tables"))


def _try(name: str) -> Finding:
    """Open a backend, run one fused kernel and one product on it, and compare."""
    try:
        backend = load_backend(name)
        wrong = _miscomputed(backend)
    except BackendUnavailable as error:
        return Finding(name, str(error), ok=False)
    except BaseException as error:
        # A broken installation may raise any exception, and the user needs its text.
        return Finding(name, f"fails: {failure(error)}", ok=False)
    if wrong:
        return Finding(name, f"computes wrong on {backend.device}: {wrong}", ok=False)
    return Finding(name, f"works on {backend.device}")


def _miscomputed(backend: AnyBackend) -> str:
    """Return the operation whose result is wrong, or ""."""
    host = np.linspace(-2, 2, 6 * 6).reshape(6, 6)
    a, out = backend.from_host(host), backend.empty((6, 6))
    backend.matmul(a, a.T, out=out)
    if not np.allclose(backend.to_host(out), host @ host.T, rtol=1e-4, atol=1e-4):
        return "a matrix product"
    backend.bias_activation(a, None, ACTIVATIONS["sigmoid"]().formula, out=out)
    if not np.allclose(backend.to_host(out), activate("sigmoid", host), rtol=1e-4):
        return "the sigmoid kernel"
    return ""


def _verdict(tried: dict[str, Finding]) -> str:
    data = "digits" if find_spec("sklearn") else "xor"  # scikit-learn brings the digits
    working = [kind for kind, name in BACKEND_OF.items() if name in tried and tried[name].ok]
    if "cuda" in working:
        return f"A GPU can be used. Type: fuseprop train {data} --device cuda"
    gpu = tried.get(BACKEND_OF["cuda"])
    why = f" A GPU cannot: {gpu.found}" if gpu else ""
    if "cpu" in working:
        return f"The CPU can be used. Type: fuseprop train {data} --device cpu.{why}"
    again = installed_version() is not None
    return f"Nothing works here. Type: {how_to_install(again=again)}.{why}"
