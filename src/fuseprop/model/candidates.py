"""Settings to try: drawn around those that the rules choose, where nothing is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from .settings import Settings

DEPTHS = (1, 2, 3)
"""The numbers of hidden layers, all of one size."""

WIDTH, RATE, DECAY = 4.0, 10.0, 30.0
"""How many times smaller or larger than the rules' a hidden layer, a rate and a weight decay may be."""

BATCHES = (0.5, 1, 2, 4, 8)
"""The sizes of batches, as multiples of the rules'."""

SOME_DECAY = 3e-4
"""The weight decay to draw around where the rules choose none."""

DROPOUT = (0.05, 0.5)
"""The range of dropout in every second candidate; there is none in the others."""


def draw(rng: np.random.Generator, base: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by name, drawn around `base`; nothing is drawn for a setting that is `given`.

    What is drawn for one setting does not depend on which others are given: each has a generator of its own.
    """
    own = dict(zip(SPACE, rng.spawn(len(SPACE)), strict=True))
    return {name: SPACE[name](own[name], base, given) for name in free_settings(given)}


def free_settings(given: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings that are drawn: all in `SPACE` that are not given.

    Dropout is of hidden layers, and is not drawn where there are to be none.
    """
    known = {setting.name for setting in fields(Settings)}
    if "hidden" in given and not given["hidden"]:
        known.discard("dropout")
    return [name for name in SPACE if name in known and name not in given]


def _hidden(rng: np.random.Generator, base: Settings, given: Mapping[str, Any]) -> tuple[int, ...]:
    """Return layers of one size, as many as activations are given, if more than one is."""
    depth, factor = int(rng.choice(DEPTHS)), _times(rng, WIDTH)
    activation = given.get("activation")
    if isinstance(activation, tuple | list) and len(activation) > 1:
        depth = len(activation)
    return (max(4, 4 * round(max(base.hidden, default=16) * factor / 4)),) * depth


def _learning_rate(rng: np.random.Generator, base: Settings, _: Mapping[str, Any]) -> float:
    return _two_digits(base.learning_rate * _times(rng, RATE))


def _weight_decay(rng: np.random.Generator, base: Settings, _: Mapping[str, Any]) -> float:
    return _two_digits((base.weight_decay or SOME_DECAY) * _times(rng, DECAY))


def _batch_size(rng: np.random.Generator, base: Settings, _: Mapping[str, Any]) -> int:
    return max(1, int(base.batch_size * rng.choice(BATCHES)))


def _dropout(rng: np.random.Generator, _: Settings, __: Mapping[str, Any]) -> float:
    has, rate = rng.random() < 0.5, rng.uniform(*DROPOUT)
    return round(float(rate), 2) if has else 0.0


def _times(rng: np.random.Generator, most: float) -> float:
    """Return a factor between 1 / most and most, whose logarithm is uniform."""
    return float(most ** rng.uniform(-1, 1))


def _two_digits(number: float) -> float:
    return float(f"{number:.2g}")


SPACE: dict[str, Callable[[np.random.Generator, Settings, Mapping[str, Any]], Any]] = {
    "hidden": _hidden,
    "learning_rate": _learning_rate,
    "weight_decay": _weight_decay,
    "batch_size": _batch_size,
    "dropout": _dropout,
}
"""How each setting is drawn, from the rules' settings and those that are given."""
