"""Activations, losses and updates: each formula once, and what formulas of one's own are made of.

``Activation("swish", lambda z: z * sigmoid(z))`` and ``Loss("asymmetric", lambda y, t: where(y > t, 3 * (y -
t), t - y))`` are formulas that run on every backend, fused like the built-in ones. Activations and losses
that are built in can be parts of them, and so can the functions below; `+ - * / ** abs > >= < <=` work as in
Python.
"""

from typing import Any

from ..backend.expression import (
    Expression,
    cos,
    equal,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    sign,
    sin,
    sqrt,
    tiny,
    where,
)
from . import activations, losses  # noqa: F401 (which fill ACTIVATIONS and LOSSES)
from .activation import ACTIVATIONS, Activation, as_activation
from .families import Family
from .loss import LOSSES, Loss, as_loss
from .updates import ADAM, MOMENTUM, NESTEROV, UPDATES

__all__ = [
    "ACTIVATIONS",
    "ADAM",
    "LOSSES",
    "MOMENTUM",
    "NESTEROV",
    "UPDATES",
    "Activation",
    "Expression",
    "Family",
    "Loss",
    "as_activation",
    "as_loss",
    "cos",
    "equal",
    "exp",
    "expm1",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "sign",
    "sin",
    "sqrt",
    "tiny",
    "where",
]
__all__ += [*ACTIVATIONS, *LOSSES]


def __getattr__(name: str) -> Family[Any]:
    """Return the family of that name, such as `sigmoid` or `huber`."""
    family: Family[Any] | None = ACTIVATIONS.get(name) or LOSSES.get(name)
    if family is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return family


def __dir__() -> list[str]:
    return sorted({*globals(), *ACTIVATIONS, *LOSSES})
