"""One peer in one process: it builds its forms, passes them through the gate, and times blocks of steps.

``python -m fuseprop.benchmarks.worker MODULE DEVICE`` reads requests from standard input and answers on
standard output, a line of JSON each. The other end is `turns.py`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache
from queue import SimpleQueue
from typing import Any

from .design import Design
from .device import is_lost
from .gate import Gate
from .machine import describe
from .networks import named
from .peers import Form, Running
from .problem import Problem, batches_of, in_order, make_problem, scale_of
from .shortening import shortened

WARM_UP = 0.005
"""Seconds of steps before those that are timed: caches and threads wake up. One unit at least."""

LONG_UNIT = 50 * WARM_UP
"""Seconds of a unit that needs none: waking up is at most a fiftieth of it."""


class Worker:
    """The forms of one peer, and those that are set up for the network of the moment."""

    def __init__(self, module: str, device: str) -> None:
        self.peer, self.device = importlib.import_module(module), device
        self.forms: list[Form] = self.peer.forms(device)
        self.running: dict[int | str, Running] = {}
        self.of_unit: dict[int | str, float] = {}
        """Seconds that a unit of a form took when it was run last."""

    def hello(self) -> dict[str, Any]:
        """Say who is there and in which forms."""
        return {
            "name": self.peer.NAME,
            "version": _version(self.peer.DISTRIBUTIONS[0]),
            "forms": [
                {"name": f.name, "table": f.table, "note": f.note} | ({"aside": f.aside} if f.aside else {})
                for f in self.forms
            ],
        }

    def machine(self) -> dict[str, Any]:
        """Describe the machine, as this process sees it, and its GPU where this process uses one."""
        return describe(gpu=self.device.startswith("cuda"))

    def build(
        self,
        form: int,
        case: str,
        activation: str,
        reference: float | None = None,
        *,
        scale: str | None = None,
        design: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Set a form up and pass it through the gate: {"skipped": why}, or {"gate": verdict or None}.

        `reference` is the gate's, where another verdict has told it already; `scale` how much work there is,
        where that is not the device's to say; `design` a `Design` as text; `key` under which name the form is
        timed, where one of each network is kept. What the form says about itself stands beside the verdict,
        and of a loop over epochs, how many steps one has.
        """
        chosen = self.forms[form]
        fitted = chosen.table == "fit"
        asked = (case, activation, scale or self.device, design)
        problem = _problem(*asked, fitted=fitted)
        why_not = chosen.fits(problem)
        if why_not is not None:
            return {"skipped": why_not}
        running = chosen.build(problem)
        verdict = None
        if chosen.table in ("step", "fit"):
            # A loop's own order cannot be foreseen: the gate has it take the rows in order.
            gate = _gate(*asked, reference, fitted=fitted)
            examined = running
            if fitted:
                examined = chosen.build(in_order(_problem(*asked)))
            assert examined.weights is not None
            examined.run(gate.steps)
            verdict = gate.verdict(examined.weights())
        self.running[form if key is None else key] = running
        epoch = {"epoch": problem.batches} if fitted else {}
        return {"gate": verdict, **epoch, **running.about()}

    def build_estimator(self, table: str, solver: str, dtype: str) -> dict[str, Any]:
        """Set up a fit of an estimator on a table as the form "estimator": {"epochs": that it takes}."""
        fit = self.peer.estimator(table, dtype, solver)
        epochs = int(fit().n_iter_)

        def run(times: int) -> None:
            for _ in range(times):
                fit()

        self.running["estimator"] = Running(run)
        return {"epochs": epochs}

    def time(self, form: int | str, seconds: float, steps: int | None = None) -> dict[str, Any]:
        """Time a block: {"steps": n, "seconds": of all n}; n is chosen to last `seconds` where not given.

        On a GPU also the "host" and "device" seconds of one step: see `Stopwatch`.
        """
        if form not in self.running:
            raise LookupError(
                "nothing is built to be timed: the process is a new one, and building failed there"
            )
        running = self.running[form]
        clock = time.perf_counter
        if steps is None:
            steps, taken = running.unit, 0.0
            while taken < seconds / 2:
                steps *= 1 if taken == 0.0 else max(2, min(100, int(seconds / taken / 2)))
                start = clock()
                running.run(steps)
                taken = clock() - start
            self.of_unit[form] = taken * running.unit / steps
            steps = max(1, round(steps * seconds / taken / running.unit)) * running.unit
        if self.of_unit.get(form, 0.0) < LONG_UNIT:
            start = clock()
            running.run(running.unit)
            while clock() - start < WARM_UP:
                running.run(running.unit)
        start = clock()
        running.run(steps)
        timed = {"steps": steps, "seconds": clock() - start}
        self.of_unit[form] = timed["seconds"] * running.unit / steps
        return timed if running.watch is None else timed | running.watch.apart(running.enqueue, running.unit)

    def drop(self) -> dict[str, Any]:
        """Forget the network."""
        self.running.clear()
        self.of_unit.clear()
        _problem.cache_clear()
        _gate.cache_clear()
        gc.collect()
        return {}


@cache
def _problem(
    case: str, activation: str, device: str, design: str | None = None, *, fitted: bool = False
) -> Problem:
    drawn, scale = named(case), scale_of(device)
    if fitted and batches_of(drawn, scale, fitted=True) == batches_of(drawn, scale):
        return _problem(case, activation, device, design)  # the same rows, and drawing them takes its time
    own = None if design is None else Design.of_text(design)
    return make_problem(drawn, activation, fitted=fitted, device=device, design=own)


@cache
def _gate(
    case: str, activation: str, device: str, design: str | None, reference: float | None, *, fitted: bool
) -> Gate:
    problem = _problem(case, activation, device, design)
    return Gate(in_order(problem) if fitted else problem, reference)


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def main(module: str, device: str) -> None:
    """Answer requests until there are no more; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        worker = Worker(module, device)
        answer(worker.hello())
    except Exception as error:
        # A library that is not installed, or finds no such device, says so in an exception of its own.
        answer({"absent": _first_line(error), "why": str(error)})
        return
    for line in _requests():
        request = json.loads(line)
        try:
            answer(getattr(worker, request.pop("do"))(**request))
        except Exception as error:
            # A library may fail in any way on one network; it is to be reported, and the others go on.
            ends = {"ends": True} if is_lost(device) else {}
            answer({"error": f"{type(error).__name__}: {_first_line(error)}"} | ends)


GRACE = 2.0
"""Seconds in which a process ends by itself, once whoever asks is gone."""


def _requests() -> Iterator[str]:
    """Yield requests. When there are no more, the process ends, even amid one that takes minutes."""
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_receive, args=(lines,), daemon=True).start()
    yield from iter(lines.get, "")


def _receive(lines: SimpleQueue[str]) -> None:
    # Past the lock of sys.stdin, which a process that ends would wait for.
    with os.fdopen(os.dup(0), "rb", buffering=0) as requests:
        for line in requests:
            lines.put(line.decode())
    lines.put("")
    time.sleep(GRACE)
    os._exit(1)  # whoever asked was killed, and nobody waits for what is still computed


def _first_line(error: BaseException) -> str:
    return shortened((str(error).strip().splitlines() or [repr(error)])[0], 200)


if __name__ == "__main__":
    main(*sys.argv[1:])
