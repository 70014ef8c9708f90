"""The formulas that the contract goes through: all that are built in, by their registries, and a user's own.

Some of the latter are drawn at random. Their kinks lie where a variable meets a number or another variable,
so that rounding puts no element on the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count, cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuseprop.backend import Expression, UpdateFormula, evaluate, number, variable, variables
from fuseprop.formulas import (
    ACTIVATIONS,
    LOSSES,
    UPDATES,
    Activation,
    Family,
    Loss,
    cos,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    sin,
    sqrt,
    tanh,
    where,
)
from fuseprop.formulas.loss import AnyLoss

CONNECTIVES: tuple[Callable[[Expression, Expression], Expression], ...] = (
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (1 + b * b),
    lambda a, b: tanh(a) + b,
    lambda a, b: a * sin(b),
    lambda a, b: a * cos(b),
    lambda a, b: a + exp(-(b * b)),
    lambda a, b: expm1(-(a * a)) - b,
    lambda a, b: log1p(a * a) * b,
    lambda a, b: log(2 + a * a) - b,
    lambda a, b: sqrt(1 + a * a) - b,
)
"""What drawn formulas are made of: smooth, and of the size of a and b."""


def drawn(rng: np.random.Generator, leaves: Sequence[Expression], depth: int) -> Expression:
    """Return an expression of that depth over some of the leaves."""
    if depth == 0:
        return leaves[int(rng.integers(len(leaves)))]
    connective = CONNECTIVES[int(rng.integers(len(CONNECTIVES)))]
    return connective(drawn(rng, leaves, depth - 1), drawn(rng, leaves, depth - 1))


def _activation_drawn(seed: int) -> Activation:
    def value(z: Expression) -> Expression:
        kinks = (maximum(z, 0.25), minimum(z, -0.5), abs(z - 0.125), where(z > 0.75, z, 0.75))
        return z + drawn(np.random.default_rng(seed), (z, z, z, number(0.625), *kinks), 2)

    return Activation(f"drawn {seed}", value)


def _loss_drawn(seed: int) -> Loss:
    def term(y: Expression, t: Expression) -> Expression:
        kinks = (abs(y - t), maximum(y, t), where(y >= t, 2 * (y - t), t - y))
        return (y - t) ** 2 + drawn(np.random.default_rng(seed), (y, t, y - t, number(0.375), *kinks), 2)

    return Loss(f"drawn {seed}", term)


def _update_drawn(seed: int) -> UpdateFormula:
    rng = np.random.default_rng(seed)
    w, g, p, q, a, b, c = map(variable, ("w", "g", "p", "q", "a", "b", "c"))
    leaves = (g, p, q, abs(g), maximum(p, q), a, b)
    new_p, new_q = (old + a * drawn(rng, leaves, 2) for old in (p, q))
    return UpdateFormula(w - a * g - c * drawn(rng, leaves, 2), (("p", new_p), ("q", new_q)), ("a", "b", "c"))


def _members(family: Family[Any]) -> list[Any]:
    """Return the member with the default parameters, and one with others."""
    others = {}
    for name, parameter in family.parameters.items():
        candidates = (value for value in (0.2, 1.35, -0.7) if value != parameter.default)
        for value in candidates:
            try:
                others[name] = parameter.check(name, value)
                break
            except ValueError:
                continue
    return [family(), family(**others)] if others else [family()]


def _by_name(made: Sequence[Any]) -> dict[str, Any]:
    return {each.name: each for each in made}


_OWN = (
    Activation("bent", lambda z: (sqrt(z * z + 1) - 1) / 2 + z),
    Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y)),
)

ACTIVATION_CASES: dict[str, Activation] = _by_name(
    [
        *(member for family in ACTIVATIONS.values() for member in _members(family)),
        _OWN[0],
        *map(_activation_drawn, (1, 2)),
    ]
)
"""Activations by name."""

TRAINABLE_CASES = {name: each for name, each in ACTIVATION_CASES.items() if each.has_slope}
"""Those that networks are trained with."""

LOSS_CASES: dict[str, AnyLoss] = _by_name(
    [
        *(member for family in LOSSES.values() for member in _members(family)),
        _OWN[1],
        *map(_loss_drawn, (1, 2)),
    ]
)
"""Losses by name."""

ELEMENTWISE: dict[str, Loss] = {name: loss for name, loss in LOSS_CASES.items() if isinstance(loss, Loss)}
"""Those that are a sum of terms."""

UPDATE_CASES: dict[str, UpdateFormula] = {**UPDATES, "drawn": _update_drawn(1)}
"""Updates by name."""


def in_turn(names: Mapping[str, Any], others: Sequence[Any], each: int) -> list[tuple[str, Any]]:
    """Return every name with so many of the others, which take turns."""
    turn = cycle(others)
    return [(name, next(turn)) for name in names for _ in range(each)]


def all_in_turn(first: Mapping[str, Any], second: Mapping[str, Any], third: Sequence[Any]) -> list[Any]:
    """Return every pair of first and second with one of the third, so that all pairs of these come too."""
    turns = (cycle([*third[start % len(third) :], *third[: start % len(third)]]) for start in count())
    return [
        (a, b, c) for a, turn in zip(first, turns, strict=False) for b, c in zip(second, turn, strict=False)
    ]


def reference(
    expression: Expression, values: Mapping[str, NDArray[Any]], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the values of an expression in float64, by the formula itself."""
    in_float64 = {name: np.asarray(value, np.float64) for name, value in values.items()}
    with np.errstate(all="ignore"):
        return np.array(np.broadcast_to(evaluate(expression, in_float64), shape), np.float64)


def has_digits(name: str) -> bool:
    """Whether a formula has digits where a variable is large; a drawn one may be the sine of a square."""
    return not name.startswith("drawn")


def depends(expression: Expression, name: str) -> bool:
    """Whether a variable is in an expression."""
    return name in variables(expression)
