"""The derivative of an expression, by the rules of calculus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from .expression import Expression, apply, cos, exp, in_order, number, sign, sin, sqrt, where

ZERO, ONE = number(0.0), number(1.0)


Slopes: TypeAlias = Mapping[Expression, Sequence[tuple[Expression, Expression]]]
"""By expression, those that it is a function of, each with the derivative by it."""


def derivative(expression: Expression, name: str, known: Slopes | None = None) -> Expression:
    """Return d expression / d variable, the others held fixed.

    At a kink, where there is none, it is the mean of those on both sides for `abs`, `maximum` and `minimum`,
    so that kinks which cancel leave the right slope: max(z, 0) + log(1 + e^-|z|) is smooth. For `where` it is
    the slope of the branch that is taken.

    With `known`, the derivative of what has a sigmoid in it has y (1 - y), and not the slope of each of its
    operations.
    """
    slopes: dict[Expression, Expression] = {}
    for node in in_order([expression]):
        if node.op == "variable":
            slopes[node] = ONE if node.value == name else ZERO
        elif known and node in known and all(by in slopes for by, _ in known[node]):
            total = ZERO
            for by, slope in known[node]:
                total = _sum(total, _product(slope, slopes[by]))
            slopes[node] = total
        else:
            slopes[node] = _RULES[node.op](node, *(slopes[each] for each in node.args))
    return slopes[expression]


def _sum(a: Expression, b: Expression) -> Expression:
    if a is ZERO:
        return b
    if b is ZERO:
        return a
    return _product(number(2.0), a) if a is b else a + b


def _difference(a: Expression, b: Expression) -> Expression:
    if b is ZERO:
        return a
    return _minus(b) if a is ZERO else a - b


def _minus(a: Expression) -> Expression:
    if a.op == "number":
        return number(-_value(a)) if a is not ZERO else ZERO
    return a.args[0] if a.op == "negative" else -a


def _product(a: Expression, b: Expression) -> Expression:
    """Multiply, numbers first, so that 1/2 of 2 x is x."""
    if b.op == "number" and a.op != "number":
        a, b = b, a
    if a is ZERO or b is ZERO:
        return ZERO
    if a is ONE:
        return b
    if a.op == b.op == "number":
        return number(_value(a) * _value(b))
    if a.op == "number" and b.op == "multiply" and b.args[0].op == "number":
        return _product(number(_value(a) * _value(b.args[0])), b.args[1])
    if a is number(-1.0):
        return _minus(b)
    if b.op == "multiply" and b.args[0].op == "number":
        return _product(b.args[0], _product(a, b.args[1]))
    if a.op == "multiply" and a.args[0].op == "number":
        return _product(a.args[0], _product(a.args[1], b))
    return a * b


def _quotient(a: Expression, b: Expression) -> Expression:
    return ZERO if a is ZERO else a / b


def _value(node: Expression) -> float:
    assert isinstance(node.value, float)
    return node.value


def _chosen(condition: Expression, a: Expression, b: Expression) -> Expression:
    return a if a is b else where(condition, a, b)


def _of_the_larger(a: Expression, b: Expression, da: Expression, db: Expression) -> Expression:
    """Return da where a > b, db where b > a, and their mean where a = b."""
    if da is db:
        return da
    if da.op == db.op == "number":  # shorter, and NaN goes through by itself
        half = 0.5 * (_value(da) - _value(db))
        return _sum(_product(number(half), sign(_difference(a, b))), number(_value(db) + half))
    mean = _product(number(0.5), _sum(da, db))
    return where(a > b, da, where(b > a, db, mean))


def _nothing(node: Expression, *slopes: Expression) -> Expression:  # noqa: ARG001
    return ZERO


_RULES: dict[str, Callable[..., Expression]] = {
    "number": _nothing,
    "tiny": _nothing,
    "add": lambda _, da, db: _sum(da, db),
    "subtract": lambda _, da, db: _difference(da, db),
    "multiply": lambda node, da, db: _sum(_product(da, node.args[1]), _product(db, node.args[0])),
    "divide": lambda node, da, db: _difference(
        _quotient(da, node.args[1]), _quotient(_product(db, node), node.args[1])
    ),
    "negative": lambda _, da: _minus(da),
    "abs": lambda node, da: _product(da, sign(node.args[0])),
    "exp": lambda node, da: _product(da, node),
    "expm1": lambda node, da: _product(da, exp(node.args[0])),
    "log": lambda node, da: _quotient(da, node.args[0]),
    "log1p": lambda node, da: _quotient(da, apply("add", 1.0, node.args[0])),
    "sqrt": lambda node, da: _quotient(da, _product(number(2.0), sqrt(node.args[0]))),
    "tanh": lambda node, da: _product(da, 1.0 - node * node),
    "sin": lambda node, da: _product(da, cos(node.args[0])),
    "cos": lambda node, da: _minus(_product(da, sin(node.args[0]))),
    "sign": _nothing,
    "maximum": lambda node, da, db: _of_the_larger(node.args[0], node.args[1], da, db),
    "minimum": lambda node, da, db: _of_the_larger(node.args[0], node.args[1], db, da),
    "greater": _nothing,
    "greater_equal": _nothing,
    "equal": _nothing,
    "where": lambda node, _, da, db: _chosen(node.args[0], da, db),
}
"""By operation, its derivative from the node and the derivatives of its operands."""
