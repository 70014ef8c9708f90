"""fuseprop itself: the bare step, and `Network.fit`; on a GPU in all its ways to replay a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

from fuseprop.backend import AnyBackend
from fuseprop.backend.registry import load_backend

from ..device import cupy_stopwatch
from ..problem import Problem
from ..stepper import Stepper, make_network, make_optimizer
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "fuseprop", "fuseprop", ("fuseprop",)

SLOWER = ("fused", "eager")
"""How a backend that takes `replay` can be asked to replay a step, other than in its own best way."""


def forms(device: str) -> list[Form]:
    """Return the bare step as `fit` runs it, `fit`, and `fit` that also tells the accuracy."""
    best = partial(load_backend, device)
    best()  # raises where there is no such device
    return [
        Form("fuseprop", "step", partial(_step, best)),
        *(
            Form(f"fuseprop {name}", "step", partial(_step, opened))
            for name, opened in slower_ways(type(best()), device).items()
        ),
        Form(
            "fuseprop",
            "fit",
            partial(_fit, best, metric="loss"),
            note="history of the loss, as in peers' loops",
        ),
        Form("fuseprop with accuracy", "fit", partial(_fit, best, metric="accuracy"), note="history of both"),
    ]


def slower_ways(backend: type[Any], device: str) -> dict[str, Callable[[], AnyBackend]]:
    """Return by name what opens a backend that replays steps otherwise than it would; none on a CPU."""
    if "replay" not in signature(backend).parameters:
        return {}
    return {name: partial(backend, "float32", device, replay=name) for name in SLOWER}


def _step(opened: Callable[[], AnyBackend], problem: Problem) -> Running:
    backend = opened()
    stepper = Stepper(problem, backend)
    running = Running(stepper.run, stepper.network.weights, enqueue=stepper.enqueue)
    if not backend.device.startswith("cuda"):
        return running
    # Steps that are captured are taken in epochs, as `fit` takes them: one graph holds many.
    unit = problem.batches if getattr(backend, "replay", "eager") == "captured" else 1
    return replace(running, unit=unit, watch=cupy_stopwatch(), about=partial(_about, backend, stepper))


def _about(backend: Any, stepper: Stepper) -> dict[str, Any]:
    """Return how many launches a step is, and why steps were not captured if they should have been."""
    from fuseprop_cupy.replay.plan import plan

    fused = getattr(backend, "replay", "eager") != "eager"
    told: dict[str, Any] = {"launches": plan(backend, stepper.record(), fused=fused).facts.launches}
    why = getattr(backend, "not_captured", None)
    return told | ({"note": f"not captured: {why}"} if why else {})


def _fit(opened: Callable[[], AnyBackend], problem: Problem, metric: str | None) -> Running:
    network, optimizer = make_network(problem, opened(), metric), make_optimizer()

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
