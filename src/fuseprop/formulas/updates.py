"""The updates: what a step of an optimizer makes of each parameter and of what it keeps for it.

Each formula stands here once, for one parameter w with its gradient g. Weight decay is not part of them: it
adds c w to g, see `Backend.update`.
"""

from __future__ import annotations

from ..backend.expression import sqrt, variable
from ..backend.formula import G, UpdateFormula, W


def _momentum() -> tuple[UpdateFormula, UpdateFormula]:
    """Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"."""
    a, mu, v = variable("a"), variable("mu"), variable("v")
    moved = mu * v - a * G
    settings = "a", "mu"
    return (
        UpdateFormula(W + moved, (("v", moved),), settings),
        UpdateFormula(W - a * G + mu * moved, (("v", moved),), settings),
    )


def _adam() -> UpdateFormula:
    """Kingma & Ba 2015, "Adam: a method for stochastic optimization", section 2; the caller corrects a."""
    a, b1, b2, epsilon = (variable(name) for name in ("a", "b1", "b2", "epsilon"))
    m, v = variable("m"), variable("v")
    mean = b1 * m + (1 - b1) * G
    square = b2 * v + (1 - b2) * (G * G)
    new = W - a * mean / (sqrt(square) + epsilon)
    return UpdateFormula(new, (("m", mean), ("v", square)), ("a", "b1", "b2", "epsilon"))


MOMENTUM, NESTEROV = _momentum()
ADAM = _adam()

UPDATES: dict[str, UpdateFormula] = {"momentum": MOMENTUM, "nesterov": NESTEROV, "adam": ADAM}
"""The updates by name."""
