"""scikit-learn: MLPClassifier(solver="sgd"). Its own loop is an epoch, in which it gathers its batches.

Its single step (`partial_fit` of one batch) takes six times as long as one step of that loop, so both tables
show the loop; for the bare step it takes the order that everyone takes, instead of drawing one.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier, _multilayer_perceptron

from ..problem import LEARNING_RATE, MOMENTUM, Problem
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "scikit-learn", "sklearn.neural_network", ("scikit-learn",)

_own_shuffle = _multilayer_perceptron.shuffle


def forms(device: str) -> list[Form]:
    """Return the epoch loop, twice; there is none on a GPU."""
    if device != "cpu":
        return []
    note = "epochs of partial_fit"
    return [
        Form("scikit-learn", "step", lambda problem: _epochs(problem, given_order=True), note=note),
        Form("scikit-learn", "fit", lambda problem: _epochs(problem, given_order=False), note=note),
    ]


def _epochs(problem: Problem, *, given_order: bool) -> Running:
    estimator = MLPClassifier(
        problem.case.sizes[1:-1],
        activation="logistic" if problem.activation == "sigmoid" else "relu",
        solver="sgd",
        alpha=0.0,
        batch_size=problem.case.batch,
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        shuffle=given_order or problem.shuffle,
        random_state=0,
    )
    X, n = problem.X, problem.case.batch
    _multilayer_perceptron.shuffle = _own_shuffle
    # The classes are those of the first call; what this step learns is overwritten.
    estimator.partial_fit(X[:n], problem.labels[:n], classes=np.arange(max(2, problem.case.sizes[-1])))
    for (w, b), coefficients, intercepts in zip(
        problem.weights, estimator.coefs_, estimator.intercepts_, strict=True
    ):
        coefficients[...], intercepts[...] = w, b
    for velocity in estimator._optimizer.velocities:
        velocity[...] = 0

    def run(steps: int) -> None:
        _multilayer_perceptron.shuffle = _given if given_order else _own_shuffle
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(steps // problem.batches):
                estimator.partial_fit(X, problem.labels)

    def _given(rows: np.ndarray, random_state: object) -> np.ndarray:  # noqa: ARG001
        return problem.order

    return Running(
        run, lambda: list(zip(estimator.coefs_, estimator.intercepts_, strict=True)), problem.batches
    )
