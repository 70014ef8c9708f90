"""What a library costs before it is fast: installed size, import, memory, and time to the first epoch.

``python -m benchmarks.footprint MODULE`` is the run that is looked at: in a fresh process it imports one
peer, trains one epoch of 64-32-10 as users call it, and prints what that took.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from statistics import median
from typing import Any

import click

from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.problem import make_problem
from fuseprop.benchmarks.shortening import shortened
from fuseprop.benchmarks.turns import environment

from .checkout import ROOT

CASE, ACTIVATION = "64-32-10-b32", "sigmoid"


OWN_PACKAGES = ("fuseprop", "fuseprop_numpy", "fuseprop_cupy")


def footprint(module: str, repeats: int = 3) -> dict[str, Any]:
    """Return a peer's sizes in bytes and times in seconds, or {"absent": why}; the median of some runs."""
    runs = []
    for _ in range(repeats):
        run = first_epoch(module)
        if "absent" in run:
            return run
        runs.append({**run, "import": import_time(run["module"])})
    own, everything = installed_size(runs[0]["distributions"])
    return {
        "name": runs[0]["name"],
        "installed": own,
        "installed_with_dependencies": everything,
        **{key: median(run[key] for run in runs) for key in ("import", "peak_memory", "ready")},
    }


def first_epoch(module: str) -> dict[str, Any]:
    """Train in a fresh process; `ready` is the time from its start to its trained epoch."""
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.footprint", module],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            text=True,
        )
        assert process.stdout is not None
        trained = process.stdout.readline()
        ready = time.perf_counter() - start
        figures = process.stdout.readline()
        process.stdout.close()
        if process.wait() or trained != "trained\n":
            errors.seek(0)
            said = (errors.read().strip().splitlines() or ["it did not train"])[-1]
            return {"absent": shortened(said, 200)}
    return {**json.loads(figures), "ready": ready}


def import_time(library: str) -> float:
    """Return the seconds that a fresh process spends on importing a library."""
    code = f"import time; t = time.perf_counter(); import {library}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def installed_size(names: Sequence[str]) -> tuple[int, int]:
    """Return the bytes on disk of the first distribution, and of all with everything that they require."""
    sizes: dict[str, int] = {}
    for name in names:
        _add_sizes(name, sizes)
    return sizes[_normal(names[0])], sum(sizes.values())


def _add_sizes(name: str, sizes: dict[str, int]) -> None:
    if _normal(name) in sizes:
        return
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return  # required for another system, or by an extra that was not asked for
    sizes[_normal(name)] = _size(found)
    for requirement in found.requires or ():
        needed, _, marker = requirement.partition(";")
        if "extra" not in marker:
            _add_sizes(re.split(r"[^A-Za-z0-9._-]", needed.strip())[0], sizes)


def _size(found: Distribution) -> int:
    if _normal(found.metadata["Name"]) == "fuseprop":  # an editable installation lists none of its files
        folders = [Path(importlib.util.find_spec(name).origin).parent for name in OWN_PACKAGES]
        files = [file for folder in folders for file in folder.rglob("*") if "__pycache__" not in file.parts]
    else:
        files = [Path(str(found.locate_file(file))) for file in found.files or ()]
    return sum(file.stat().st_size for file in files if file.is_file())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _environment() -> dict[str, str]:
    return {**environment([ROOT]), "KERAS_BACKEND": "jax"}


def _train(module: str) -> dict[str, Any]:
    """Train one epoch, say so, and look at the process."""
    peer = importlib.import_module(module)
    problem = make_problem(CASES[CASE], ACTIVATION)
    running = next(form for form in peer.forms("cpu") if form.table == "fit").build(problem)
    running.run(problem.batches)
    click.echo("trained")
    return {
        "name": peer.NAME,
        "module": peer.MODULE,
        "distributions": peer.DISTRIBUTIONS,
        "peak_memory": _peak_memory(),
    }


def _peak_memory() -> int:
    """Return the largest resident size that this process has had, in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    click.echo(json.dumps(_train(sys.argv[1])))
