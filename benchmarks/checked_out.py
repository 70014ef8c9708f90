"""A checkout of fuseprop, old or new: the bare step by its own stepper, `fit` by its public interface.

What holds between commits is what users call, and that a checkout has a `stepper.py`, in one of the folders
`OF_ITS_STEPPER`, which steps its own package. Nothing else of what a checkout measures itself with is used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import fuseprop
from fuseprop.benchmarks.machine import said
from fuseprop.benchmarks.peers import Form, Running
from fuseprop.benchmarks.problem import LEARNING_RATE, MOMENTUM, Problem

from .origin import check_origin, checkout

NAME, MODULE, DISTRIBUTIONS = "fuseprop", "fuseprop", ("fuseprop",)

OF_ITS_STEPPER = ("src/fuseprop/benchmarks", "benchmarks")
"""Where a checkout has its stepper: the newer ones first."""

ITS_BENCHMARKS = "fuseprop.benchmarks_of_the_checkout"
"""The package as which that folder is imported: its own relative imports lead to its own fuseprop."""


def forms(device: str) -> list[Form]:
    """Return the bare step and `fit`."""
    fuseprop.load_backend(device)  # raises where there is no such device
    check_origin()
    return [
        Form("fuseprop", "step", partial(_step, device)),
        Form("fuseprop", "fit", partial(_fit, device)),
    ]


def estimator(table: str, dtype: str, solver: str) -> Callable[[], Any]:
    """Return what fits an estimator of the checkout; it returns the estimator."""
    from fuseprop.benchmarks.estimators import TABLES, pair

    return pair(TABLES[table], dtype, solver)[0]


def _step(device: str, problem: Problem) -> Running:
    package = ModuleType(ITS_BENCHMARKS)
    package.__path__ = [str(checkout() / folder) for folder in OF_ITS_STEPPER]
    sys.modules.setdefault(ITS_BENCHMARKS, package)
    stepper = importlib.import_module(f"{ITS_BENCHMARKS}.stepper").Stepper(problem, _open(device))
    return Running(stepper.run, stepper.network.weights, about=partial(_replayed, stepper.backend))


def _replayed(backend: Any) -> dict[str, Any]:
    """Return how steps are replayed, where the checkout can tell: "compiled, x86_64_v3, 2 threads"."""
    replay = getattr(backend, "replay", None)
    if replay is None:
        return {}
    why = getattr(backend, "not_compiled", None)
    if why is not None:
        return {"replay": f"calls, not compiled: {why}"}
    if replay != "compiled":
        return {"replay": replay}
    loaded = importlib.import_module("fuseprop_numpy.compiled.library").library()
    return {"replay": f"compiled, {loaded.build}, {said(loaded.functions.fuseprop_get_num_threads())}"}


def _fit(device: str, problem: Problem) -> Running:
    loss = "sigmoid_cross_entropy" if problem.binary else "softmax_cross_entropy"
    layers = fuseprop.mlp(list(problem.case.sizes), activation=problem.activation)
    network = fuseprop.Network(layers, loss=loss, seed=0, backend=_open(device))
    network.set_weights(problem.weights)
    optimizer = fuseprop.MomentumSGD(learning_rate=LEARNING_RATE, momentum=MOMENTUM)

    def run(steps: int) -> None:
        network.fit(
            problem.X,
            problem.targets,
            optimizer,
            epochs=steps // problem.batches,
            batch_size=problem.case.batch,
            shuffle=problem.shuffle,
        )

    return Running(run, network.weights, problem.fit_epochs * problem.batches)


def _open(device: str) -> Any:
    backend = fuseprop.load_backend(device)
    check_origin()  # what opening it has brought, too
    return backend
