"""fuseprop itself: the bare step, and `Network.fit`; the step in all ways in which it can be replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

from fuseprop_numpy.compiled.library import REBUILD, NotCompiled, library

from fuseprop.backend import AnyBackend
from fuseprop.backend.registry import load_backend

from ..device import cupy_stopwatch
from ..problem import Problem
from ..stepper import Stepper, make_network, make_optimizer
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "fuseprop", "fuseprop", ("fuseprop",)

SLOWER = {"cpu": ("calls",), "cuda": ("fused", "eager")}
"""By device, how a backend that takes `replay` can be asked to replay a step, other than in its best way."""


def forms(device: str) -> list[Form]:
    """Return the bare step as `fit` runs it, `fit`, and `fit` that also tells the accuracy.

    On a CPU that is a compiled step, and calls of NumPy stand beside it in both tables; where steps are not
    compiled at all, calls are what there is, and a note says why. A step that is not compiled although others
    are fails: it would be taken for one.
    """
    best = partial(load_backend, device)
    backend: AnyBackend = best()  # raises where there is no such device
    ways = slower_ways(type(backend), device)
    ways.pop(getattr(backend, "replay", ""), None)
    note = "history of the loss, as in peers' loops"
    return [
        Form("fuseprop", "step", partial(_step, best)),
        *(
            Form(f"fuseprop {name}", "step", partial(_step, opened), aside="a slower way of the same backend")
            for name, opened in ways.items()
        ),
        Form("fuseprop", "fit", partial(_fit, best, metric="loss"), note=note),
        Form("fuseprop with accuracy", "fit", partial(_fit, best, metric="accuracy"), note="history of both"),
        *(
            Form(f"fuseprop {name}", "fit", partial(_fit, opened, metric="loss"), note=note)
            for name, opened in ways.items()
            if name == "calls"
        ),
    ]


def slower_ways(backend: Callable[..., AnyBackend], device: str) -> dict[str, Callable[[], AnyBackend]]:
    """Return by name what opens a backend that replays steps otherwise than it would."""
    if "replay" not in signature(backend).parameters:
        return {}
    names = SLOWER.get(device.partition(":")[0], ())
    return {name: partial(backend, "float32", device, replay=name) for name in names}


def _on_cpu(backend: Any) -> dict[str, Any]:
    """Return how steps are replayed on a CPU: by which build and with how many threads, or why by calls."""
    if backend.replay == "compiled":
        loaded = library()
        if loaded.is_stale:
            raise RuntimeError(f"the library of compiled steps is of older sources. Type: {REBUILD}")
        threads = loaded.functions.fuseprop_get_num_threads()
        return {"replay": "compiled", "build": loaded.build, "threads": threads}
    return {"replay": backend.replay}


def _note(told: dict[str, Any]) -> str:
    if told["replay"] == "compiled":
        return f"compiled: {told['build']}, {told['threads']} thread{'s' if told['threads'] > 1 else ''}"
    try:
        library()
    except NotCompiled as why:
        return f"calls of NumPy: nothing is compiled here, {why}"
    return "calls of NumPy"


def _must_be_compiled(backend: Any) -> None:
    """Raise RuntimeError where a backend that compiles steps has not compiled one."""
    why = getattr(backend, "not_compiled", None)
    if why is not None:
        raise RuntimeError(f"not compiled: {why}")


def _step(opened: Callable[[], AnyBackend], problem: Problem) -> Running:
    backend = opened()
    stepper = Stepper(problem, backend)
    running = Running(stepper.run, stepper.network.weights, enqueue=stepper.enqueue)
    if backend.name == "numpy":
        why = getattr(backend, "not_compiled", None)
        if why is not None and problem.design is not None:  # a formula of one's own may have no such step
            return replace(running, about=lambda: {"replay": "calls", "note": f"calls of NumPy: {why}"})
        _must_be_compiled(backend)
        told = _on_cpu(backend)
        return replace(running, about=lambda: told | {"note": _note(told)})
    if backend.name != "cupy":
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
    backend: Any = opened()
    network, optimizer = make_network(problem, backend, metric), make_optimizer()
    on_cpu = not backend.device.startswith("cuda")

    def run(steps: int) -> None:
        network.fit(
            problem.X,
            problem.targets,
            optimizer,
            epochs=steps // problem.batches,
            batch_size=problem.case.batch,
            shuffle=problem.shuffle,
        )
        if on_cpu:
            _must_be_compiled(backend)

    unit = problem.fit_epochs * problem.batches
    return Running(run, network.weights, unit, about=partial(_on_cpu, backend) if on_cpu else dict)
