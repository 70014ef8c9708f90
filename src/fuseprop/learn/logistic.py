"""Logistic regression is backpropagation through one unit."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend, HostArray
from ..callbacks import OnEpochEnd
from ..callbacks.history import History
from ..layers.dense import mlp
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel, Regions
from .data import clouds
from .result import Cell, Result, topic

CENTRES = np.array([[-1.0, -0.5], [1.0, 0.5]])
SHOWN = (0, 2, 5, 10, 20, 50, 100, 200)
"""Epochs after which the table has a row; after the first one the bias is 0 but for rounding."""


@topic("Logistic regression is backpropagation through one unit.")
def logistic(backend: AnyBackend, seed: int) -> Result:
    """Train one sigmoid unit on two clouds, and take its gradient apart."""
    X, labels = clouds(np.random.default_rng(seed), CENTRES, 40, 0.7)
    network = Network(mlp([2, 1], initializer="zeros"), "sigmoid_cross_entropy", seed=seed, backend=backend)
    rows: list[tuple[Cell, ...]] = []

    def note(epochs: int) -> None:
        if epochs in SHOWN:
            (weights, bias), scores = network.weights()[0], network.evaluate(X, labels)
            numbers = (float(weights[0, 0]), float(weights[1, 0]), float(bias[0]))
            rows.append((epochs, scores["loss"], scores["accuracy"], *numbers))

    note(0)
    history = network.fit(
        X,
        labels,
        MomentumSGD(0.5, momentum=0.0),
        epochs=SHOWN[-1],
        batch_size=len(X),
        callbacks=[OnEpochEnd(lambda history: note(history.epochs))],
    )
    trace = network.trace(X, labels)
    error = network.predict(X)[:, 0] - labels
    difference = float(np.abs(trace.delta[0][:, 0] - error / len(X)).max())
    z, [(weights, bias)] = trace.z[0][:, 0], network.weights()
    sums = np.linspace(z.min(), z.max(), 101)
    along = (sums[:, None] - bias) * weights[:, 0] / (weights**2).sum()  # the rows of these sums nearest to 0
    s_curve = [
        *(Curve(f"t = {t}", z[labels == t], labels[labels == t], points=True) for t in (0, 1)),
        Curve("p = 1 / (1 + exp(-z))", sums, network.predict(along)[:, 0]),
    ]
    points = {f"t = {name}": X[labels == name] for name in (0, 1)}
    regions = Regions.of_probabilities(network.predict, points)
    by_hand = X.T @ error / len(X)
    return Result(
        "one sigmoid unit with cross-entropy on two clouds of 40 points, learning rate 0.5",
        ("epochs", "loss", "accuracy", "w1", "w2", "b"),
        rows,
        Figure(
            "Logistic regression",
            [
                Panel("loss", "epochs done", "cross-entropy (nats a row)", [_curve(history)]),
                Panel(
                    "shade: p, line: p = 0.5",
                    "x1",
                    "x2",
                    ground=regions,
                ),
                Panel("p over the weighted sum", "z = w1 x1 + w2 x2 + b", "p, and t of each row", s_curve),
            ],
        ),
        "The unit's p is 0.5 on a line, where its weighted sum is 0, and runs along an S from 0 on the one "
        "side to 1 on the other, the shade of the plane. Its delta is (p - t) / m and dE/dw the sum of delta "
        "x, logistic regression's own gradient found by backpropagation, along which the loss falls all the "
        "way to its one minimum.",
        text=f"after training: largest |delta - (p - t)/m| = {difference:.2g}; "
        f"dE/dw by backpropagation {_pair(trace.dW[0][:, 0])}, sum of (p - t) x / m {_pair(by_hand)}",
    )


def _curve(history: History) -> Curve:
    """Return the loss over the epochs before it: all rows are one step, whose loss is that before it."""
    return Curve("loss", range(history.epochs), history.train_loss)


def _pair(numbers: HostArray) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)
