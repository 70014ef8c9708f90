"""PyTorch: eager with its fused SGD, the compiled step, and on a GPU recorded CUDA graphs.

PyTorch's momentum is v = mu v + g, w -= lr v: with a constant learning rate the same weights as ours. On
small networks it runs on one thread, its best form there: 241 us a step against 290 at 64-32-10 batch 32; at
784-128-10 batch 128 two are better, 695 against 923 (measured on two cores).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..floors import copied_elements, product_operands
from ..problem import LEARNING_RATE, MOMENTUM, SCAN, Problem, scans
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "PyTorch", "torch", ("torch",)

# Strict float32: products in TF32 are another precision class.
torch.set_float32_matmul_precision("highest")
torch.backends.cudnn.allow_tf32 = False

THREADS = torch.get_num_threads()
SERIAL_FLOPS = 1e7


def forms(device: str) -> list[Form]:
    """Return the steps that suit the device, the ordinary loop, and what the floor is made of."""
    listed = [
        Form("PyTorch eager", "step", lambda problem: _eager(problem, device), note="fused SGD"),
        Form("PyTorch compiled", "step", lambda problem: _compiled(problem, device), note="torch.compile"),
        Form("PyTorch", "fit", lambda problem: _fit(problem, device), note="eager loop, fused SGD"),
        Form("PyTorch products", "products", lambda problem: _products(problem, device)),
        Form("PyTorch copy", "copy", lambda problem: _copy(problem, device)),
    ]
    if device != "cpu":
        listed += [
            Form("PyTorch graph", "step", lambda problem: _graph(problem, device, 1), note="1 step a graph"),
            Form(
                f"PyTorch graph of {SCAN}",
                "step",
                lambda problem: _graph(problem, device, SCAN),
                fits=lambda problem: None if scans(problem.case) else "64 steps take too long for one call",
            ),
        ]
    return listed


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

    def running(self, step: Any, unit: int = 1) -> Running:
        """Return what calls `step(rows)` for one batch after the other."""
        taken = 0

        def run(steps: int) -> None:
            nonlocal taken
            set_threads(self.problem)
            for k in range(taken, taken + steps, unit):
                step(self.batches[k % len(self.batches)])
            taken += steps
            self.wait()

        return Running(run, self.weights, unit)


def _eager(problem: Problem, device: str) -> Running:
    training = Training(problem, device)
    return training.running(training.step)


def _compiled(problem: Problem, device: str) -> Running:
    """The whole step, from the gather to the update, as one compiled function without graph breaks."""
    training = Training(problem, device)
    parameters = dict(training.network.named_parameters())
    names, values = list(parameters), [p.detach() for p in parameters.values()]
    velocities = [torch.zeros_like(v) for v in values]

    def loss_of(values: list[torch.Tensor], x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        arrays = dict(zip(names, values, strict=True))
        return training.loss(torch.func.functional_call(training.network, arrays, (x,)), t)

    def step(rows: torch.Tensor) -> torch.Tensor:
        x, t = training.X.index_select(0, rows), training.targets.index_select(0, rows)
        gradients, loss = torch.func.grad_and_value(loss_of)(values, x, t)
        for w, v, g in zip(values, velocities, gradients, strict=True):
            v.mul_(MOMENTUM).sub_(g, alpha=LEARNING_RATE)
            w.add_(v)
        return loss

    torch._dynamo.reset()
    return training.running(torch.compile(step, fullgraph=True, dynamic=False))


def _graph(problem: Problem, device: str, steps: int) -> Running:
    """CUDA graphs recorded by hand: `steps` steps in one launch, a cursor on the device finds the rows."""
    training, n = Training(problem, device), problem.case.batch
    order = torch.from_numpy(problem.order).to(device)
    cursor, ahead = torch.zeros(1, dtype=torch.int64, device=device), torch.arange(n, device=device)

    def step() -> None:
        training.step(order.index_select(0, cursor + ahead))
        cursor.add_(n).remainder_(len(order))

    kept = [p.detach().clone() for p in training.network.parameters()]
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):  # what is recorded must have run before: libraries set themselves up
            step()
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(steps):
            step()
    with torch.no_grad():
        for p, start in zip(training.network.parameters(), kept, strict=True):
            p.copy_(start)
            training.optimizer.state[p]["momentum_buffer"].zero_()
        cursor.zero_()
    return training.running(lambda _: graph.replay(), steps)


def _fit(problem: Problem, device: str) -> Running:
    training, n = Training(problem, device), problem.case.batch
    generator = torch.Generator().manual_seed(0)
    in_order = torch.from_numpy(problem.order)

    def run(steps: int) -> None:
        set_threads(problem)
        for _ in range(steps // problem.batches):
            order = torch.randperm(len(in_order), generator=generator) if problem.shuffle else in_order
            total = torch.zeros((), device=device)
            for rows in order.to(device).split(n):
                total += training.step(rows).detach()
            float(total / problem.batches)

    return Running(run, training.weights, problem.batches)


def _products(problem: Problem, device: str) -> Running:
    calls = [tuple(torch.from_numpy(a).to(device) for a in abc) for abc in product_operands(problem)]

    def run(steps: int) -> None:
        set_threads(problem)
        for _ in range(steps):
            for a, b, out in calls:
                torch.mm(a, b, out=out)
        if device != "cpu":
            torch.cuda.synchronize()

    return Running(run)


def _copy(problem: Problem, device: str) -> Running:
    source = torch.ones(copied_elements(problem), device=device)
    target = torch.zeros_like(source)

    def run(steps: int) -> None:
        set_threads(problem)
        for _ in range(steps):
            target.copy_(source)
        if device != "cpu":
            torch.cuda.synchronize()

    return Running(run)
