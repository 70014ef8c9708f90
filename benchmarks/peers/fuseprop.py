"""fuseprop itself: the bare step, and `Network.fit`."""

from __future__ import annotations

from functools import partial

from fuseprop.registry import load_backend

from ..problem import Problem
from ..stepper import Stepper, make_network, make_optimizer
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "fuseprop", "fuseprop", ("fuseprop",)


def forms(device: str) -> list[Form]:
    """Return the bare step as `fit` runs it, `fit`, and `fit` that also tells the accuracy."""

    def step(problem: Problem) -> Running:
        stepper = Stepper(problem, load_backend(device))
        return Running(stepper.run, stepper.network.weights)

    def fit(problem: Problem, metric: str | None) -> Running:
        network, optimizer = make_network(problem, load_backend(device), metric), make_optimizer()

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

    return [
        Form("fuseprop", "step", step),
        Form("fuseprop", "fit", partial(fit, metric="loss"), note="history of the loss, as in peers' loops"),
        Form("fuseprop with accuracy", "fit", partial(fit, metric="accuracy"), note="history of both"),
    ]
