"""From a function that a person writes to a formula: traced, made to let NaN through, and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import isfinite
from typing import Any

import numpy as np

from ..backend.derivative import Slopes, derivative
from ..backend.expression import (
    COMPARISONS,
    MAX_OPERATIONS,
    MAX_SLOPE,
    Expression,
    equal,
    evaluate,
    in_order,
    number,
    substitute,
    variable,
    variables,
    where,
)
from ..backend.formula import ActivationFormula, LossFormula, Y, Z
from ..checks.quoting import quoted
from ..checks.settings import is_finite_number
from .families import check_float32

_NAME = re.compile(r"[\w][\w .,()=+-]{0,59}", re.ASCII)

LONGEST_TEXT = 200
"""How many characters the text of a formula of one's own may have."""

STEP = 1e-6
"""Of differences, times the point's own size where that is above 1."""

ROUGH = 1e-3
"""By how much of itself a slope may differ from central differences, beside what these lose by rounding."""

CANCELLED = 1e-12
"""How much a slope may lose where it cancels, such as sigmoid(z) - 1: a share of the largest one."""

TINY = float(np.finfo(np.float64).tiny)

_BESIDE = (0.0013, 0.017, 0.19, 0.53, 0.97, 1.3, 2.1, 3.7, 5.3, 7.9, 13.1, 29.3, 71.7)

_AT = (0.0, 0.5, 1.0, 2.0, 3.0, 6.0)

POINTS = np.array(sorted({*_BESIDE, *_AT, *(-x for x in (*_BESIDE, *_AT))}))
"""Where a slope is compared: on both sides of 0, at the numbers where kinks tend to be and beside them."""

TARGETS = (-31.0, -7.3, -1.93, -1.0, -0.41, 0.0, 0.37, 1.0, 2.59, 6.1, 53.0)
"""The targets for which the slope of a loss is compared, those that it takes and those at its ends."""


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
    unknown = variables(made) - {str(each) for each in inputs}
    if unknown:
        raise ValueError(
            f"the {what} {quoted(name)} must be a formula of {variables_of}, got "
            f"{', '.join(sorted(unknown))} in it as well."
        )
    size = len(in_order([made]))
    if size > MAX_OPERATIONS:
        raise ValueError(
            f"the {what} {quoted(name)} has {size} operations, numbers and variables; a formula may have "
            f"{MAX_OPERATIONS}. Write a shorter one."
        )
    return made


def letting_nan_through(expression: Expression, names: Sequence[str]) -> Expression:
    """Return an expression that is NaN where a variable in it is, and otherwise the same.

    A comparison with NaN does not hold, so that ``where(y > 0, 1, 0)`` would lose one.
    """
    made = expression
    for name in sorted(variables(expression) & set(names)):
        if not _is_nan_with(made, name):
            x = variable(name)
            made = where(equal(x, x), made, x)
    return made


def _is_nan_with(expression: Expression, name: str) -> bool:
    """Whether an expression is NaN wherever that variable is, whatever the other variables are."""
    is_nan: dict[Expression, bool] = {}
    for node in in_order([expression]):
        if node.op == "variable":
            is_nan[node] = node.value == name
        elif node.op == "where":
            condition, a, b = node.args
            x, other = condition.args
            if condition.op == "equal" and x is other is b:  # b is taken where it is NaN, for whatever reason
                is_nan[node] = is_nan[a] or is_nan[b]
            else:
                is_nan[node] = is_nan[b] and (is_nan[x] or is_nan[other] or is_nan[a])
        else:
            is_nan[node] = node.op not in COMPARISONS and any(is_nan[operand] for operand in node.args)
    return is_nan[expression]


def derived_slope(value: Expression, known: Slopes) -> Expression:
    """Return the derivative of f(z), of the output y where it can be told from that, else of z."""
    of_z = derivative(value, "z", known)
    of_y = of_z if value is Z else substitute(of_z, {value: Y})
    slope = of_z if "z" in variables(of_y) else of_y
    return letting_nan_through(slope, sorted(variables(slope)))


@contextmanager
def collecting_slopes() -> Iterator[Slopes]:
    """Collect the slopes of what a function puts into its formula, for `derivative`."""
    collected: dict[Expression, Sequence[tuple[Expression, Expression]]] = {}
    token = _COLLECTED.set(collected)
    try:
        yield collected
    finally:
        _COLLECTED.reset(token)


def remember_slopes(expression: Expression, *slopes: tuple[Expression, Expression]) -> None:
    """Tell the formula that is being traced what an expression is a function of, and its slope by each."""
    collected = _COLLECTED.get()
    if collected is not None and all(expression is not by for by, _ in slopes):
        collected[expression] = slopes


_COLLECTED: ContextVar[dict[Expression, Sequence[tuple[Expression, Expression]]] | None] = ContextVar(
    "slopes of the formula that is traced", default=None
)


def check_activation_formula(name: str, formula: ActivationFormula, low: object, high: object) -> bool:
    """Return whether the slope is other than 0 anywhere.

    Raise ValueError unless the slope is the slope, f(z) depends on z, and low is below high.
    """
    if not (is_finite_number(low) and is_finite_number(high) and low < high):  # type: ignore[operator]
        raise ValueError(
            f"low and high of the activation {quoted(name)} must be numbers, low below high, got "
            f"{quoted(low)} and {quoted(high)}."
        )
    _check_numbers(f"the activation {quoted(name)}", formula.value, formula.slope)

    def value(z: Any) -> Any:
        return evaluate(formula.value, {"z": z})

    def slope(z: Any) -> Any:
        return evaluate(formula.slope, {"y": value(z), "z": z})

    moves = _check_slope(f"activation {quoted(name)}", "z", value, slope, POINTS)
    with np.errstate(all="ignore"):
        values = np.asarray(value(POINTS))
    if not moves and np.all(values == values.flat[0]):
        raise ValueError(
            f"activation {quoted(name)} is the same at every z from {POINTS[0]:g} to {POINTS[-1]:g}, so that "
            f"no weight in front of it changes anything. Write a function that depends on z there."
        )
    return moves


def check_loss_formula(name: str, formula: LossFormula, low: float, high: float) -> None:
    """Raise ValueError unless the slope is the slope and not 0 everywhere, for targets from low to high."""
    _check_numbers(f"the loss {quoted(name)}", formula.term, formula.slope)
    ends = [end for end in (low, high) if isfinite(end)]
    near = [end + sign * step for end in ends for sign in (-1, 1) for step in (0.0, 0.37, 1.0, 17.0)]
    middle = [sum(ends) / 2] if len(ends) == 2 else []
    targets = sorted({*TARGETS, *near, *middle})
    moves = False
    for t in (t for t in targets if low <= t <= high):

        def value(y: Any, t: float = t) -> Any:
            return evaluate(formula.term, {"y": y, "t": np.float64(t)})

        def slope(y: Any, t: float = t) -> Any:
            return evaluate(formula.slope, {"y": y, "t": np.float64(t)})

        points = np.unique(np.concatenate([POINTS, t + POINTS]))
        moves |= _check_slope(f"loss {quoted(name)} with the target {t:g}", "y", value, slope, points)
    if not moves:
        raise ValueError(
            f"loss {quoted(name)} cannot be trained by gradient descent: its slope is 0 for every output."
        )


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


def _check_numbers(what: str, *expressions: Expression) -> None:
    """Raise ValueError for numbers that float32 cannot hold, and for a slope that no file would keep."""
    for node in in_order(expressions):
        if node.op == "number":
            assert isinstance(node.value, float)
            check_float32(f"a number of {what}", node.value)
    longest = max(len(in_order([each])) for each in expressions)
    if longest > MAX_SLOPE:
        raise ValueError(
            f"the slope of {what} has {longest} operations, numbers and variables; it may have {MAX_SLOPE}. "
            f"Write a shorter formula."
        )


def _check_slope(
    what: str, name: str, value: Callable[[Any], Any], slope: Callable[[Any], Any], points: Any
) -> bool:
    """Raise ValueError where a slope is neither that on one side of a point, nor between the two.

    Return whether the slope is other than 0 anywhere. What is not finite is passed over.
    """
    with np.errstate(all="ignore"):
        here = np.broadcast_to(np.asarray(value(points), np.float64), points.shape)
        got = np.broadcast_to(np.asarray(slope(points), np.float64), points.shape)

        def differences(step: Any) -> tuple[Any, Any, Any]:
            above, below = (np.asarray(value(at), np.float64) for at in (points + step, points - step))
            rounding = 16 * np.finfo(np.float64).eps * np.maximum(np.abs(above), np.abs(below)) / step
            return (here - below) / step, (above - here) / step, rounding + TINY / step

        step = STEP * np.maximum(1, np.abs(points))
        left, right, rounding = differences(step)
        far_left, far_right, _ = differences(4 * step)  # by how much they change tells how far off they are
        bend = 2 * np.maximum(np.abs(far_left - left), np.abs(far_right - right))
        allowed = ROUGH * np.maximum(np.abs(left), np.abs(right)) + bend + rounding
        allowed = allowed + CANCELLED * np.max(np.abs(got[np.isfinite(got)]), initial=0.0)
        finite = np.isfinite(left) & np.isfinite(right)
        fits = (got >= np.minimum(left, right) - allowed) & (got <= np.maximum(left, right) + allowed)
        wrong = finite & ~fits
    if np.isnan(here).all():
        advice = " If targets must lie in an interval, give it: low=..., high=...." if name == "y" else ""
        raise ValueError(
            f"{what} is not a number at any {name} from {points[0]:g} to {points[-1]:g}.{advice}"
        )
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"{what}: its slope at {name} = {points[place]:g} is {got[place]:.6g}, but the function rises by "
            f"{(left[place] + right[place]) / 2:.6g} there. Correct the slope, or leave it out: it is then "
            f"derived."
        )
    return bool(np.any(np.nan_to_num(got)))
