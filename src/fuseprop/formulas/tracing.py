"""From a function that a person writes to a formula: traced, made to let NaN through, and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from itertools import product
from math import inf
from typing import Any

import numpy as np

from ..backend.derivative import derivative
from ..backend.expression import (
    MAX_OPERATIONS,
    Expression,
    equal,
    evaluate,
    in_order,
    number,
    substitute,
    variables,
    where,
)
from ..backend.formula import ActivationFormula, LossFormula, Y, Z
from ..checks.quoting import quoted
from ..checks.settings import is_finite_number

_NAME = re.compile(r"[\w][\w .,()=+-]{0,59}", re.ASCII)

LONGEST_TEXT = 200
"""How many characters the text of a formula of one's own may have."""

STEP = 1e-6
"""Of central differences: their error is some 1e-10 of a formula's third derivative, and of its rounding."""

ROUGH = 1e-4
"""By how much a slope may differ from central differences, of itself or of 1."""

POINTS = np.array([-4.3, -2.9, -1.7, -1.1, -0.61, -0.23, -0.017, 0.013, 0.19, 0.53, 0.97, 1.3, 2.1, 3.7])
"""Where a slope is compared: both signs, and none at the whole numbers and halves where kinks tend to be."""


def check_name(what: str, name: object, taken: Collection[str]) -> None:
    """Raise TypeError or ValueError for what cannot be the name of a formula of one's own."""
    if not isinstance(name, str):
        raise TypeError(f"the name of the {what} must be text, got {quoted(name)}.")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"the name of the {what} must be 1 to 60 letters, digits, spaces and _-.,()=+, got "
            f"{quoted(name)}."
        )
    if _head(name) in taken:
        raise ValueError(f"{quoted(name)} is the name of a built-in {what}; choose another.")


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that no built-in formula has; a later version may have built in what a file calls so."""
    return f"own {name}"[:60] if _head(name) in taken else name


def _head(name: str) -> str:
    return name.partition("(")[0].strip()


def check_text(what: str, name: str, text: object) -> None:
    """Raise TypeError or ValueError for what cannot be the text of a formula of one's own."""
    if text is None:
        return
    if not isinstance(text, str):
        raise TypeError(f"the text of the {what} {quoted(name)} must be text, got {quoted(text)}.")
    if not (0 < len(text) <= LONGEST_TEXT and text.isprintable()):
        raise ValueError(
            f"the text of the {what} {quoted(name)} must be 1 to {LONGEST_TEXT} printable characters, got "
            f"{quoted(text)}."
        )


def traced(what: str, name: str, function: Callable[..., Any], *inputs: Expression) -> Expression:
    """Return the expression that a function makes of its inputs; NaN in them is made to go through.

    Raises TypeError for what is no function of them, or returns no formula; ValueError for one that is too
    long.
    """
    if not callable(function):
        raise TypeError(f"the {what} {quoted(name)} must be a function, got {quoted(function)}.")
    variables_of = " and ".join(str(each) for each in inputs)
    try:
        made = function(*inputs)
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise
        raise TypeError(  # the function was not entered
            f"the {what} {quoted(name)} must be a function of {variables_of}: {error}."
        ) from None
    if not isinstance(made, Expression):
        try:
            made = number(made)
        except (TypeError, ValueError):
            raise TypeError(
                f"the {what} {quoted(name)} must return a formula of {variables_of}, got {quoted(made)}."
            ) from None
    made = letting_nan_through(made, [str(each.value) for each in inputs])
    size = len(in_order([made]))
    if size > MAX_OPERATIONS:
        raise ValueError(
            f"the {what} {quoted(name)} has {size} operations; a formula may have {MAX_OPERATIONS}."
        )
    return made


def letting_nan_through(expression: Expression, names: Sequence[str]) -> Expression:
    """Return an expression that is NaN where a variable in it is, and otherwise the same.

    A comparison with NaN does not hold, so that ``where(y > 0, 1, 0)`` would lose one.
    """
    made = expression
    for name in sorted(variables(expression) & set(names)):
        others = [other for other in names if other != name]
        for values in product((-1.5, -0.5, 0.0, 0.5, 1.5), repeat=len(others)):
            point = {name: np.float64(np.nan), **dict(zip(others, map(np.float64, values), strict=True))}
            with np.errstate(all="ignore"):
                lost = not np.isnan(evaluate(made, point))
            if lost:
                x = next(node for node in in_order([expression]) if node.value == name)
                made = where(equal(x, x), made, x)
                break
    return made


def derived_slope(value: Expression) -> Expression:
    """Return the derivative of f(z), of the output y where it can be told from that, else of z."""
    of_z = derivative(value, "z")
    of_y = of_z if value is Z else substitute(of_z, {value: Y})
    slope = of_z if "z" in variables(of_y) else of_y
    return letting_nan_through(slope, sorted(variables(slope)))


def check_activation_formula(name: str, formula: ActivationFormula, low: object, high: object) -> None:
    """Raise ValueError unless the slope is the slope, and low is below high."""
    check_coding("activation", name, low, high)
    _check_dtype(name, formula.value, formula.slope)

    def value(z: Any) -> Any:
        return evaluate(formula.value, {"z": z})

    def slope(z: Any) -> Any:
        return evaluate(formula.slope, {"y": value(z), "z": z})

    _check_slope(f"activation {quoted(name)}", "z", value, slope, POINTS)
    if not np.any(np.nan_to_num(slope(POINTS))):
        raise ValueError(
            f"activation {quoted(name)} cannot be trained by gradient descent: its slope is 0 everywhere."
        )


def check_loss_formula(name: str, formula: LossFormula, low: float, high: float) -> None:
    """Raise ValueError unless the slope is the slope, for targets from low to high."""
    _check_dtype(name, formula.term, formula.slope)
    targets = [t for t in (-1.93, -1.0, -0.41, 0.0, 0.37, 1.0, 2.59) if low <= t <= high]
    if not targets:
        targets = [(low + high) / 2 if low > -inf and high < inf else low if low > -inf else high]
    for t in targets:

        def value(y: Any, t: float = t) -> Any:
            return evaluate(formula.term, {"y": y, "t": np.float64(t)})

        def slope(y: Any, t: float = t) -> Any:
            return evaluate(formula.slope, {"y": y, "t": np.float64(t)})

        _check_slope(f"loss {quoted(name)} with the target {t:g}", "y", value, slope, POINTS)


def check_is_squared(name: str, formula: LossFormula) -> None:
    """Raise ValueError unless the loss is c (y - t)^2, of which R^2 is computed."""
    y, t = POINTS[:, None], POINTS[None, ::3]
    with np.errstate(all="ignore"):
        of_one = evaluate(formula.term, {"y": np.float64(1.0), "t": np.float64(0.0)})
        terms = evaluate(formula.term, {"y": y, "t": t})
        is_squared = of_one > 0 and np.allclose(terms, of_one * (y - t) ** 2, rtol=1e-9)
    if not is_squared:
        raise ValueError(
            f'loss {quoted(name)} is no squared error, and "r2" is computed of those alone. Use the metric '
            f'"d2" or "loss".'
        )


def check_coding(what: str, name: str, low: object, high: object) -> None:
    """Raise ValueError unless low and high are finite numbers in this order."""
    if not (is_finite_number(low) and is_finite_number(high) and low < high):  # type: ignore[operator]
        raise ValueError(
            f"low and high of the {what} {quoted(name)} must be numbers, low below high, got {quoted(low)} "
            f"and {quoted(high)}."
        )


def _check_dtype(name: str, *expressions: Expression) -> None:
    """Raise ValueError for numbers that float32 cannot hold."""
    for node in in_order(expressions):
        if node.op == "number":
            assert isinstance(node.value, float)
            if abs(node.value) > float(np.finfo(np.float32).max):
                raise ValueError(f"the formula {quoted(name)} has the number {node.value:g}, beyond float32.")


def _check_slope(
    what: str, name: str, value: Callable[[Any], Any], slope: Callable[[Any], Any], points: Any
) -> None:
    """Raise ValueError where a slope differs from central differences, but at kinks and overflows."""
    with np.errstate(all="ignore"):
        here = np.broadcast_to(value(points), points.shape)
        right = (np.broadcast_to(value(points + STEP), points.shape) - here) / STEP
        left = (here - np.broadcast_to(value(points - STEP), points.shape)) / STEP
        got = np.broadcast_to(slope(points), points.shape)
        central, size = (left + right) / 2, np.maximum(1, np.abs(left) + np.abs(right))
        smooth = np.isfinite(central) & (np.abs(right - left) <= 1e-3 * size)
        wrong = smooth & ~(np.abs(got - central) <= ROUGH * np.maximum(size, np.abs(here)))
    if np.isnan(here).all():
        raise ValueError(f"{what} is not a number at any {name} from {points[0]:g} to {points[-1]:g}.")
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"{what}: its slope at {name} = {points[place]:g} is {got[place]:.6g}, but the function rises by "
            f"{central[place]:.6g} there. Correct the slope, or leave it out: it is then derived."
        )
