"""PyTorch: eager with its fused SGD, the compiled step, and on a GPU recorded CUDA graphs of both."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..floors import copied_elements, product_operands
from ..problem import SCAN, Problem, scans
from . import Form, Running
from .pytorch_steps import Training, compiled, graph, recorded, set_threads

NAME, MODULE, DISTRIBUTIONS = "PyTorch", "torch", ("torch",)

COMPILES = "torch.compile takes half a minute for a network"


def forms(device: str) -> list[Form]:
    """Return the steps that suit the device, the ordinary loop, and what the floor is made of."""

    def in_graph(made: Callable[[Problem, str], Training], steps: int) -> Callable[[Problem], Running]:
        return lambda problem: graph(made(problem, device), steps)

    listed = [
        Form("PyTorch eager", "step", lambda problem: Training(problem, device).each(), note="fused SGD"),
        Form(
            "PyTorch compiled",
            "step",
            lambda problem: compiled(problem, device).each(),
            note="torch.compile",
            aside=COMPILES,
        ),
        Form("PyTorch", "fit", lambda problem: _fit(problem, device), note="eager loop, fused SGD"),
        Form("PyTorch products", "products", lambda problem: _products(problem, device)),
        Form("PyTorch copy", "copy", lambda problem: _copy(problem, device)),
    ]
    if device != "cpu":
        torch.cuda.init()  # raises where there is none
        torch.cuda.set_device(int(device.partition(":")[2] or 0))
        listed += [
            Form("PyTorch launch", "launch", lambda problem: _launch(problem, device)),
            Form("PyTorch graph", "step", in_graph(Training, 1), note="CUDA graph by hand, fused SGD"),
            Form(f"PyTorch graph of {SCAN}", "step", in_graph(Training, SCAN), fits),
            Form(f"PyTorch compiled graph of {SCAN}", "step", in_graph(compiled, SCAN), fits, aside=COMPILES),
        ]
    return listed


def fits(problem: Problem) -> str | None:
    """Return why SCAN steps in one call cannot be timed, None where they can."""
    return None if scans(problem) else f"{SCAN} steps take too long for one call"


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

    def products() -> None:
        for a, b, out in calls:
            torch.mm(a, b, out=out)

    return _alone(problem, device, products)


def _copy(problem: Problem, device: str) -> Running:
    source = torch.ones(copied_elements(problem), device=device)
    target = torch.zeros_like(source)
    return _alone(problem, device, lambda: target.copy_(source))


def _launch(problem: Problem, device: str) -> Running:
    one = torch.zeros(1, device=device)
    return _alone(problem, device, lambda: one.add_(1))


def _alone(problem: Problem, device: str, call: Callable[[], object]) -> Running:
    """Return what makes this call for every step; on a GPU many in a graph, which costs its host nothing."""
    unit = SCAN if device != "cpu" and scans(problem) else 1
    made = call if device == "cpu" else recorded(call, unit)

    def run(steps: int) -> None:
        set_threads(problem)
        for _ in range(steps // unit):
            made()
        if device != "cpu":
            torch.cuda.synchronize()

    return Running(run, unit=unit)
