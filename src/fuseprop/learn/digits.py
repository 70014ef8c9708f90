"""What a network for handwritten digits looks for, which ones it confuses, and where it errs most."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..data.datasets import load_dataset
from ..layers.dense import mlp
from ..metrics.scores import confusion_matrix
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Figure, Images, Matrix, Panel
from .result import Cell, Result, topic

SIDE = 8
"""Pixels along each side of an image."""

BRIGHTEST = 16.0
TEST = 500
HIDDEN, EPOCHS = 16, 12
WORST = 8


@topic("What a network for handwritten digits looks for, and which ones it confuses.")
def digits(backend: AnyBackend, seed: int) -> Result:
    """Train 16 hidden units on images of digits, and look at their weights and at the rows that go wrong.

    Raises DataError without scikit-learn, which has the images.
    """
    table = load_dataset("digits")
    order = np.random.default_rng(seed).permutation(len(table))
    X = table.X[order] / BRIGHTEST
    target = table.require_targets()[order, 0].astype(np.int64)
    classes = [str(digit) for digit in range(10)]
    network = Network(
        mlp([SIDE * SIDE, HIDDEN, len(classes)], "tanh"), "softmax_cross_entropy", seed=seed, backend=backend
    )
    optimizer = MomentumSGD(0.1, 0.6, weight_decay=0.01)
    network.fit(X[TEST:], target[TEST:], optimizer, epochs=EPOCHS, batch_size=32)
    X, target = X[:TEST], target[:TEST]
    p = network.predict(X).astype(np.float64)
    taken = p.argmax(axis=1)
    counts = confusion_matrix(target, taken, classes=range(len(classes)))
    rows: list[tuple[Cell, ...]] = []
    for digit, of_digit in enumerate(counts):
        right, all_rows = int(of_digit[digit]), int(of_digit.sum())
        wrong = np.where(np.arange(len(classes)) == digit, 0, of_digit)
        most = f"{wrong.argmax()} ({wrong.max()})" if wrong.any() else "none"
        mean_p = float(p[target == digit, digit].mean())
        rows.append((classes[digit], all_rows, right, right / all_rows, mean_p, most))
    of_truth = p[np.arange(TEST), target]
    worst = np.argsort(of_truth, kind="stable")[:WORST]
    titles = [f"{target[row]} as {taken[row]}, p {of_truth[row]:.3f}" for row in worst]
    units = network.weights()[0][0].T.reshape(HIDDEN, SIDE, SIDE)
    scores = network.evaluate(X, target)
    return Result(
        f"digits of 8 x 8 pixels, {HIDDEN} hidden tanh units, {len(table) - TEST:,} rows learned from in "
        f"{EPOCHS} epochs, {TEST} rows to test",
        ("digit", "rows", "right", "share right", "mean p of the truth", "most often taken for (rows)"),
        rows,
        Figure(
            "Digits",
            [
                Panel(
                    "weights of hidden units (black +, grey 0, white -)",
                    ground=Images(units, [f"unit {i + 1}" for i in range(HIDDEN)], 4, signed=True),
                ),
                Panel("test rows", "taken for", "digit", ground=Matrix(counts, classes, classes)),
                Panel(
                    "most wrong: truth as answer, p of the truth",
                    ground=Images(X[worst].reshape(-1, SIDE, SIDE), titles, 4),
                ),
            ],
        ),
        "A hidden unit adds up the ink where its weights are dark and subtracts it where they are light, so "
        "that it looks for a stroke in one place and for none beside it. Digits that are confused "
        "share strokes, and the most wrong rows show which: see each as the answer given.",
        f"on the test rows: accuracy {scores['accuracy']:.4f}, loss {scores['loss']:.6g}",
    )
