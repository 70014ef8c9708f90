"""PyTorch's training step: eager, compiled whole, and recorded by hand as a CUDA graph.

PyTorch's momentum is v = mu v + g, w -= lr v: with a constant learning rate the same weights as ours. On
small networks it runs on one thread, its best form there: 241 us a step against 290 at 64-32-10 batch 32; at
784-128-10 batch 128 two are better, 695 against 923 (measured on two cores).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..device import Stopwatch
from ..problem import LEARNING_RATE, MOMENTUM, Problem
from . import Running

# Strict float32: products in TF32 are another precision class.
torch.set_float32_matmul_precision("highest")
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

THREADS = torch.get_num_threads()
SERIAL_FLOPS = 1e7

WARM_UP = 3
"""Steps before what is recorded: libraries set themselves up, the compiler compiles, momentum appears."""


def set_threads(problem: Problem) -> None:
    """One thread for small networks, PyTorch's default for the others."""
    torch.set_num_threads(1 if problem.case.step_flops < SERIAL_FLOPS else THREADS)


class Training:
    """A network, its data on the device, its loss and its optimizer."""

    def __init__(self, problem: Problem, device: str) -> None:
        self.problem, self.device = problem, device
        set_threads(problem)
        layers: list[nn.Module] = []
        for i, (w, b) in enumerate(problem.weights):
            layer = nn.Linear(*w.shape, device=device)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(w.T.copy()))
                layer.bias.copy_(torch.from_numpy(b))
            hidden = nn.Sigmoid() if problem.activation == "sigmoid" else nn.ReLU()
            layers += [layer, hidden] if i < len(problem.weights) - 1 else [layer]
        self.network = nn.Sequential(*layers)
        self._start = [p.detach().clone() for p in self.network.parameters()]
        self.loss = nn.BCEWithLogitsLoss() if problem.binary else nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, fused=True
        )
        self.X = torch.from_numpy(problem.X).to(device)
        self.targets = torch.from_numpy(problem.targets).to(device)
        order = torch.from_numpy(problem.order).to(device)
        self.batches = list(order.reshape(problem.batches, problem.case.batch))

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        """Learn from a batch; return its loss."""
        loss = self.loss(self.network(self.X.index_select(0, rows)), self.targets.index_select(0, rows))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss

    def weights(self) -> list[tuple[Any, Any]]:
        """Return host arrays, inputs first."""
        linear = [layer for layer in self.network if isinstance(layer, nn.Linear)]
        return [(x.weight.detach().cpu().numpy().T, x.bias.detach().cpu().numpy()) for x in linear]

    def wait(self) -> None:
        """Wait for the GPU."""
        if self.device != "cpu":
            torch.cuda.synchronize()

    def restart(self) -> None:
        """Go back to the starting weights, at rest."""
        with torch.no_grad():
            for p, start in zip(self.network.parameters(), self._start, strict=True):
                p.copy_(start)
            for velocity in self.velocities():
                velocity.zero_()

    def velocities(self) -> list[torch.Tensor]:
        """Return the momentum of every parameter; the optimizer has it from its first step on."""
        return [self.optimizer.state[p]["momentum_buffer"] for p in self.network.parameters()]

    def each(self) -> Running:
        """Return what takes one step after the other."""
        return self.running(self.step)

    def running(self, step: Any, unit: int = 1) -> Running:
        """Return what calls `step(rows)` for one batch after the other."""
        taken = 0

        def enqueue(steps: int) -> None:
            nonlocal taken
            set_threads(self.problem)
            for k in range(taken, taken + steps, unit):
                step(self.batches[k % len(self.batches)])
            taken += steps

        def run(steps: int) -> None:
            enqueue(steps)
            self.wait()

        watch = None if self.device == "cpu" else Stopwatch(self.wait, _mark, _between)
        return Running(run, self.weights, unit, enqueue, watch)


class Compiled(Training):
    """The whole step, from the gather to the update, as one compiled function without graph breaks."""

    def __init__(self, problem: Problem, device: str) -> None:
        super().__init__(problem, device)
        parameters = dict(self.network.named_parameters())
        names, values = list(parameters), [p.detach() for p in parameters.values()]
        self._velocities = [torch.zeros_like(v) for v in values]

        def loss_of(values: list[torch.Tensor], x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            arrays = dict(zip(names, values, strict=True))
            return self.loss(torch.func.functional_call(self.network, arrays, (x,)), t)

        def step(rows: torch.Tensor) -> torch.Tensor:
            x, t = self.X.index_select(0, rows), self.targets.index_select(0, rows)
            gradients, loss = torch.func.grad_and_value(loss_of)(values, x, t)
            for w, v, g in zip(values, self._velocities, gradients, strict=True):
                v.mul_(MOMENTUM).sub_(g, alpha=LEARNING_RATE)
                w.add_(v)
            return loss

        torch._dynamo.reset()
        # As an attribute, so that no call of ours stands around the compiled one.
        self.step = torch.compile(step, fullgraph=True, dynamic=False)  # type: ignore[method-assign]

    def velocities(self) -> list[torch.Tensor]:
        """Return the momentum of every parameter."""
        return self._velocities


_compiled: list[tuple[Problem, Compiled]] = []


def compiled(problem: Problem, device: str) -> Compiled:
    """Return the compiled step for a problem, at its start: compiled once for all forms that use it."""
    if not _compiled or _compiled[0][0] is not problem:
        _compiled[:] = [(problem, Compiled(problem, device))]
    training = _compiled[0][1]
    training.restart()
    return training


def _mark() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _between(start: torch.cuda.Event, end: torch.cuda.Event) -> float:
    return float(start.elapsed_time(end)) / 1e3


def graph(training: Training, steps: int) -> Running:
    """A CUDA graph recorded by hand: `steps` steps in one launch, a cursor on the device finds the rows."""
    problem, n = training.problem, training.problem.case.batch
    order = torch.from_numpy(problem.order).to(training.device)
    cursor = torch.zeros(1, dtype=torch.int64, device=training.device)
    ahead = torch.arange(n, device=training.device)

    def step() -> None:
        training.step(order.index_select(0, cursor + ahead))
        cursor.add_(n).remainder_(len(order))

    replay = recorded(step, steps)
    training.restart()
    cursor.zero_()
    return training.running(lambda _: replay(), steps)


@dataclass(frozen=True)
class Recorded:
    """A CUDA graph, and the call that was recorded.

    A graph knows the addresses of the tensors that were there before it, and does not keep them: the call
    does, and is kept for that. Without it a replay reads and writes what others have been given since.
    """

    graph: torch.cuda.CUDAGraph
    call: Callable[[], object]

    def __call__(self) -> None:
        """Ask for the calls of the graph."""
        self.graph.replay()


def recorded(call: Callable[[], object], times: int) -> Recorded:
    """Return what makes so many calls as one CUDA graph; a few are made on the way.

    As PyTorch's notes on CUDA graphs ask: warmed up on another stream, for which this one waits.
    """
    here, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(here)
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            call()
    here.wait_stream(side)
    made = torch.cuda.CUDAGraph()
    with torch.cuda.graph(made):
        for _ in range(times):
            call()
    return Recorded(made, call)
