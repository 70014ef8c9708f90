"""A network that is too large learns the noise of its rows too, and what helps against it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..backend import AnyBackend, HostArray
from ..callbacks import EarlyStopping, History
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Panel
from ..schedules import Cosine
from .approximation import bends
from .result import Cell, Result, topic

LEARNED, VALIDATION, TEST = 14, 100, 400
"""How many rows are learned from, how many watch, and how many nobody looks at before the end."""

NOISE = 0.4
UNITS, SLOPE = 100, 12.0
EPOCHS = 1000


@dataclass(frozen=True)
class Remedy:
    """What is done against overfitting: the epochs without an improvement, and the strengths of the rest."""

    name: str
    patience: int | None = None
    weight_decay: float = 0.0
    dropout: float = 0.0


REMEDIES = (
    Remedy("no remedy"),
    Remedy("early stopping", patience=100),
    Remedy("weight decay", weight_decay=0.055),
    Remedy("dropout", dropout=0.3),
)


@topic("A network that is too large learns the noise of its rows too, and what helps against it.")
def overfitting(backend: AnyBackend, seed: int) -> Result:
    """Fit few noisy rows of a wave with far too many units, with no remedy and with each of three."""
    rng = np.random.default_rng(seed)
    learned, watched, unseen = (_rows(rng, count) for count in (LEARNED, VALIDATION, TEST))
    line = np.linspace(-1.0, 1.0, 200).reshape(-1, 1)
    rows: list[tuple[Cell, ...]] = []
    watching, fits, plain = [], [], None
    for remedy in REMEDIES:
        network = Network(
            [bends(UNITS, SLOPE, remedy.dropout), Dense(UNITS, 1, "identity")],
            "mean_squared_error",
            seed=seed,
            backend=backend,
        )
        history = network.fit(
            *learned,
            MomentumSGD(Cosine(0.015, EPOCHS), 0.6, weight_decay=remedy.weight_decay),
            epochs=EPOCHS,
            batch_size=LEARNED,
            validation=watched,
            callbacks=[] if remedy.patience is None else [EarlyStopping(remedy.patience)],
        )
        plain = plain or history
        losses = [network.evaluate(*some)["loss"] for some in (learned, watched, unseen)]
        norms = [float(np.linalg.norm(weights)) for weights, _ in network.weights()]
        rows.append((remedy.name, history.epochs, history.best_epoch, *losses, *norms))
        watching.append(Curve(remedy.name, range(1, history.epochs + 1), history.validation_loss))
        fits.append(Curve(remedy.name, line[:, 0].tolist(), network.predict(line)[:, 0].tolist()))
    assert plain is not None
    points = Curve("learned from", learned[0][:, 0].tolist(), learned[1][:, 0].tolist(), points=True)
    wave = Curve("the wave", line[:, 0].tolist(), _wave(line)[:, 0].tolist())
    loss = partial(Panel, x_label="epoch", y_label="mean squared error", log_x=True, y_limits=(0.0, 0.6))
    return Result(
        f"{LEARNED} rows of sin(pi x) with noise of {NOISE}, {UNITS} hidden tanh units, at most {EPOCHS} "
        f"epochs; losses: mean squared errors of the final weights",
        ("remedy", "epochs", "best epoch", "training", "validation", "test", "||W1||", "||W2||"),
        rows,
        Figure(
            "Overfitting",
            [
                loss("no remedy", curves=_both(plain)),
                loss("validation rows, with each remedy", curves=watching),
                Panel("learned without a remedy", "x", "y", [points, wave, fits[0]]),
                Panel("learned with each remedy", "x", "y", [points, wave, *fits[1:]]),
            ],
        ),
        "Without a remedy the training loss falls for as long as training goes on, but the validation loss "
        "rises after its best epoch, because the network goes on bending towards the noise of its few rows. "
        "Early stopping takes the weights of the best epoch, weight decay holds the weights small and so the "
        "curve flat, and dropout lets no unit rely on any other: each errs less on rows never seen.",
    )


def _rows(rng: np.random.Generator, count: int) -> tuple[HostArray, HostArray]:
    """Return x (n, 1), one in each of n equal parts of [-1, 1], and the wave there with noise (n, 1)."""
    x = 2 * (np.arange(count) + rng.uniform(size=count)).reshape(-1, 1) / count - 1
    return x, _wave(x) + rng.normal(0.0, NOISE, x.shape)


def _wave(x: HostArray) -> HostArray:
    return np.sin(np.pi * x)


def _both(history: History) -> list[Curve]:
    """Return the curves of training and validation, and a mark at the best epoch."""
    epochs, best = range(1, history.epochs + 1), history.best_epoch
    return [
        Curve("training", epochs, history.train_loss),
        Curve("validation", epochs, history.validation_loss),
        Curve(f"best (epoch {best})", [best], [history.validation_loss[best - 1]], points=True),
    ]
