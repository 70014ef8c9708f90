"""The one place of this folder that knows how fuseprop runs a training step."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np

from fuseprop import Dense, MomentumSGD, Network, mlp
from fuseprop.backend import INTEGER, AnyBackend, Program, Runner
from fuseprop.formulas.loss import as_loss
from fuseprop.layers.targets import encode_targets
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows
from fuseprop.training.step import training_step

from .problem import LEARNING_RATE, MOMENTUM, Problem


def make_network(problem: Problem, backend: AnyBackend, metric: str | None = None) -> Network:
    """Return the problem's network with its starting weights."""
    design = problem.design
    if design is None:
        loss = as_loss("sigmoid_cross_entropy" if problem.binary else "softmax_cross_entropy")
        layers = mlp(problem.case.sizes, problem.activation)
    else:
        loss = design.loss
        layers = [Dense(*shape, f) for shape, f in zip(problem.case.shapes, design.activations, strict=True)]
    network = Network(layers, loss, metric=metric, seed=0, backend=backend)
    network.set_weights(problem.weights)
    return network


def make_optimizer() -> MomentumSGD:
    """Return the optimizer that everyone uses."""
    return MomentumSGD(LEARNING_RATE, MOMENTUM)


class Stepper:
    """A network in training, one step after the other, over the problem's order again and again.

    No hits are counted: the bare step is compared with steps that count none either.

    The step is recorded and replayed, as in `Network.fit`; with ``eager`` each is called through the layers.
    """

    def __init__(self, problem: Problem, backend: AnyBackend, *, eager: bool = False) -> None:
        self.backend = backend
        self.network = make_network(problem, backend)
        self.optimizer = make_optimizer()
        stack = self.network.stack
        targets = encode_targets(problem.targets, stack.loss, stack.layers[-1], len(problem.X))
        self.training = Epoch(
            backend,
            stack,
            "loss",
            self.optimizer,
            Rows(problem.X, targets, None),
            batch_size=problem.case.batch,
        )
        self.batch = self.training.batches[0]
        self._order = problem.order
        self.training.send(self._order)
        self._start = backend.from_host(np.zeros(1), dtype=INTEGER)
        self._batches = problem.batches
        self._next = 0
        self._program = None if eager else self.record()
        self._take = self._call_times if self._program is None else backend.compile(self._program)

    def compile(self) -> Runner:
        """Record a step and return what replays it."""
        return self.backend.compile(self.record())

    def record(self) -> Program:
        """Return a step as a program."""
        return self.training.program(self.batch)

    def _call(self, backend: AnyBackend) -> None:
        training = self.training
        training_step(
            backend,
            training.stack,
            training.metric,
            self.optimizer,
            training.examples,
            training.state,
            self.batch,
        )

    def _call_times(self, times: int) -> None:
        for _ in range(times):
            self._call(self.backend)

    def step(self) -> None:
        """Gather, forward, loss, backward, update; does not wait for the device."""
        self.steps(1)

    def steps(self, times: int) -> None:
        """Take that many steps, going back to the epoch's first batch after its last."""
        while times > 0:
            if self._next == self._batches:
                self.rewind()
            run = min(times, self._batches - self._next)
            self._take(run)
            self._next += run
            times -= run

    def call(self) -> None:
        """Take the epoch's first step layer by layer: what is scratch to a replay then holds what it says."""
        self.rewind()
        self._call(self.backend)
        self.rewind()

    def rewind(self) -> None:
        """Go to the epoch's first batch."""
        self.backend.copy(self._start, out=self.training.state.cursor)
        self._next = 0

    def epoch(self) -> None:
        """Send the order to the device and take all steps, as `fit` does; does not wait for the device."""
        self.training.send(self._order)
        self._next = 0
        self.steps(self._batches)

    def forward(self) -> None:
        """All layers, on the rows of `call`."""
        self.network.stack.forward(self.backend, self.batch.x, self.batch.outputs)

    def backward(self) -> None:
        """From the last layer's gradient to every parameter's, on the rows of `call`."""
        batch = self.batch
        self.network.stack.backward(self.backend, batch.x, batch.outputs, batch.gradients)

    def update(self) -> None:
        """The optimizer's step."""
        self.optimizer.update(self.backend, self.network.stack.parameters)

    def session(self) -> AbstractContextManager[None]:
        """Return what surrounds replayed steps, as in `fit`; nothing for called ones."""
        return nullcontext() if self._program is None else self.backend.session([self._program])

    def enqueue(self, steps: int) -> None:
        """Ask for that many steps."""
        with self.session():
            self.steps(steps)

    def run(self, steps: int) -> None:
        """Take that many steps and wait for the device."""
        with self.session():
            self.steps(steps)
            self.backend.synchronize()
