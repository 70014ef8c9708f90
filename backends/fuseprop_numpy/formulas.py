"""Formulas as NumPy calls: what an operation computes eagerly and what a replay does come from one list.

Every call is in place, and none mixes dtypes or broadcasts, but for numbers, which are arrays of no
dimensions: so a formula allocates nothing. What a formula has twice is computed once, and a few of its parts
have a call that is cheaper than their operations; see `_Lowering`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from fuseprop.backend import (
    COMPARISONS,
    Expression,
    HostArray,
    UpdateFormula,
    in_order,
    number,
    variable,
    variables,
)

from .plans import Instructions, Plan, Value

KEPT = 1000
"""Plans that are kept for the next call, of each sort."""

DEEP = 150
"""Operations from which on a formula is lowered operands first: else Python's recursion may end it. What only
`where` or -|x| would have done without is then computed all the same."""

WIDE = 512
"""Elements from which on an element costs more than a call.

`where` then selects bits in five calls, which have no branches to mispredict: 3.4 us at 512 elements and 3.9
at 1280, where np.putmask takes 2.8 and 6.8; 376 at 1024 x 512, where it takes 2208. And -|x| is two calls,
2.1 us at 4096 elements, where np.copysign takes 3.4 (float32, masks that change, measured).
"""

Z, W, G = variable("z"), variable("w"), variable("g")
GRADIENT, DECAY = variable("gradient"), variable("weight decay")
ONE = number(1.0)


def larger(a: HostArray, b: HostArray, out: HostArray) -> None:
    """Write the maxima; NumPy deprecates a third operand by position for these two."""
    np.maximum(a, b, out=out)


def smaller(a: HostArray, b: HostArray, out: HostArray) -> None:
    """Write the minima."""
    np.minimum(a, b, out=out)


def replace(out: HostArray, values: HostArray, mask: HostArray) -> None:
    """Write values where a mask holds.

    Cheap where it hardly ever does: 3.2 us at 128 x 128, against 95 with a random mask.
    """
    np.copyto(out, values, where=mask)


BY_NAME = {"maximum": larger, "minimum": smaller}
"""What computes these operations; all others are the functions of NumPy that have their names."""


def is_wide(array: HostArray) -> bool:
    """Whether an array has more elements than branches are cheap for."""
    return array.size > WIDE


@lru_cache(KEPT)
def activation_plan(value: Expression, dtype: np.dtype[Any], wide: bool) -> Plan:
    """Return out = f(z) over (z, out), which may be one array."""
    return lower({"out": value}, dtype, given=("z", "out"), aliases={"out": ("z",)}, wide=wide)


@lru_cache(KEPT)
def slope_plan(slope: Expression, dtype: np.dtype[Any], wide: bool) -> Plan:
    """Return out = gradient * f' over (gradient, point, out); `out` may be `gradient`."""
    (name,) = variables(slope) or ("y",)
    given = ("gradient", name, "out")
    return lower({"out": GRADIENT * slope}, dtype, given=given, aliases={"out": ("gradient",)}, wide=wide)


@lru_cache(KEPT)
def loss_plan(term: Expression, slope: Expression, dtype: np.dtype[Any], wide: bool) -> Plan:
    """Return terms = l(y, t) and gradient = dl/dy over (y, t, terms, gradient)."""
    given = ("y", "t", "terms", "gradient")
    return lower({"terms": term, "gradient": slope}, dtype, given=given, wide=wide)


@lru_cache(KEPT)
def update_plan(formula: UpdateFormula, dtype: np.dtype[Any], decays: bool, wide: bool) -> Plan:
    """Return an update over (w, moments ..., g); its numbers are the settings, at last the weight decay."""
    numbers = *formula.settings, str(DECAY.value)
    if decays:
        formula = formula.with_gradient(DECAY * W + G)
    names = ["w", *(name for name, _ in formula.moments)]
    return lower(
        formula.results,
        dtype,
        numbers=numbers,
        given=(*names, "g"),
        aliases={name: (name,) for name in names},
        wide=wide,
    )


def lower(
    results: Mapping[str, Expression],
    dtype: np.dtype[Any],
    *,
    given: Sequence[str],
    numbers: Sequence[str] = (),
    aliases: Mapping[str, Sequence[str]] | None = None,
    wide: bool = False,
) -> Plan:
    """Return the plan that computes formulas.

    Parameters
    ----------
    results : mapping
        The formula of each array that is written, by its name among those given.
    dtype : numpy.dtype
    given : sequence of str
        The names of the arrays, read or written or both, in the order in which a plan takes them.
    numbers : sequence of str
        The names of variables that are arrays of no dimensions.
    aliases : mapping
        By the name of an array that is written, those that it may be the same as.
    wide : bool
        Whether the arrays are so large that an element costs more than a call; see `WIDE`.
    """
    lowering = _Lowering(Instructions(dtype, numbers, given, aliases or {}), results.values(), wide=wide)
    values = {name: lowering.number(each) for name, each in results.items()}
    return lowering.instructions.plan(values)


class _Lowering:
    """Turns expressions into calls.

    Those that differ from the operations: -|x| is a sign copied onto x, unless `wide`; a comparison is a
    mask, which is copied to floats where a number is expected; `where` writes one side over the other, or
    selects bits; numbers alone are computed here, in the dtype.
    """

    def __init__(self, instructions: Instructions, roots: Any, *, wide: bool) -> None:
        self.instructions = instructions
        self._dtype, self._wide = instructions.dtype, wide
        self._uses = Counter(operand for node in in_order(roots) for operand in node.args)
        self._uses.update(roots)
        self._known: dict[Expression, float | None] = {}
        self._values: dict[Expression, Value] = {}
        self._numbers: dict[Expression, Value] = {}  # comparisons as numbers
        self._masks: dict[Value, Value] = {}  # as bits
        self._constants: dict[bytes, Value] = {}
        self._given = {name: Value(is_number=True, name=name) for name in instructions.numbers}
        self._given |= {name: Value(name=name) for name in instructions.given}
        order = in_order(roots)
        if len(order) > DEEP:
            for node in order:
                self.value(node)

    def number(self, node: Expression) -> Value:
        """Return the value of an expression as a number, 1 or 0 where it is a comparison."""
        value = self.value(node)
        if value.kind != "mask":
            return value
        if node not in self._numbers:
            self._numbers[node] = self.instructions.copy(value, is_number=value.is_number)
        return self._numbers[node]

    def value(self, node: Expression) -> Value:
        """Return the value of an expression; a mask where it is a comparison."""
        if node not in self._values:
            self._values[node] = self._lowered(node)
        return self._values[node]

    def _lowered(self, node: Expression) -> Value:
        if node.op == "variable":
            return self._given[str(node.value)]
        constant = self._constant(node)
        if constant is not None:
            return self._as_value(constant)
        if node.op == "where":
            return self._where(*node.args)
        add, operand = self.instructions.add, node.args[0]
        if node.op == "negative" and operand.op == "abs" and self._uses[operand] == 1 and not self._wide:
            return add(np.copysign, self.number(operand.args[0]), self._as_value(-1.0))
        for each in node.args:
            self.value(each)
        operands = [self.number(each) for each in node.args]
        function = BY_NAME.get(node.op) or getattr(np, node.op)
        return add(function, *operands, kind="mask" if node.op in COMPARISONS else "float")

    def _constant(self, node: Expression) -> float | None:
        """Return the number that an expression is, None where it has variables."""
        if node not in self._known:
            for each in in_order([node]):  # operands first, so that no depth is too much for Python
                if each not in self._known:
                    self._known[each] = self._computed(each)
        return self._known[node]

    def _computed(self, node: Expression) -> float | None:
        """Return the number that an operation on known numbers gives in the dtype."""
        if node.op == "variable":
            return None
        if node.op == "number":
            assert isinstance(node.value, float)
            return node.value
        if node.op == "tiny":
            return float(np.finfo(self._dtype).tiny)
        operands = [self._known[each] for each in node.args]
        if any(each is None for each in operands):
            return None
        with np.errstate(all="ignore"):
            numbers = [self._dtype.type(each) for each in operands]
            return float(getattr(np, node.op)(*numbers))

    def _as_value(self, constant: float) -> Value:
        with np.errstate(over="ignore"):
            array = np.array(constant, self._dtype)
        known = Value(is_number=True, constant=array)
        return self._constants.setdefault(array.tobytes(), known)

    def _where(self, condition: Expression, a: Expression, b: Expression) -> Value:
        holds = self._constant(condition)
        if holds is not None:
            return self.number(a if holds else b)
        x, y = condition.args
        if condition.op == "equal" and x is y:  # where x is no number, which hardly happens
            mask = self.instructions.add(np.not_equal, self.number(x), self.number(x), kind="mask")
            return self._overwritten(a, mask, self.number(b), replace)
        mask = self.value(condition)
        if mask.is_number or not self._wide:
            taken = self.number(a)
            return self._overwritten(b, mask, taken, replace if mask.is_number else np.putmask)
        bits, first, second = self._as_bits(mask), self.number(a), self.number(b)
        add = self.instructions.add
        if self._has_no_bits(b):
            return add(np.bitwise_and, first, bits, as_bits=True)
        if self._has_no_bits(a):
            return add(np.bitwise_and, second, add(np.invert, bits, kind="bits"), as_bits=True)
        differing = add(np.bitwise_xor, first, second, as_bits=True, is_number=False)
        chosen = add(np.bitwise_and, differing, bits, as_bits=True)
        return add(np.bitwise_xor, chosen, second, as_bits=True)

    def _overwritten(
        self, node: Expression, mask: Value, other: Value, function: Callable[..., Any]
    ) -> Value:
        """Return a value with another one in its place where a mask holds."""
        value = self.number(node)
        is_number = all(each.is_number for each in (value, mask, other))
        given = value.name is not None or value.constant is not None
        # With a constant condition, `where` is the value of a branch, which others may use.
        passed_on = node.op == "where" and self._constant(node.args[0]) is not None
        if given or passed_on or self._uses[node] > 1 or value.is_number != is_number:
            value = self.instructions.copy(value, is_number=is_number)
        operands = (value, mask, other) if function is np.putmask else (value, other, mask)
        return self.instructions.add(function, *operands, is_number=is_number, order="in place")

    def _has_no_bits(self, node: Expression) -> bool:
        """Whether it is the number 0, without a sign."""
        constant = self._constant(node)
        return constant == 0 and not np.signbit(constant)

    def _as_bits(self, mask: Value) -> Value:
        """Return all ones where a mask holds, and all zeros elsewhere."""
        if mask not in self._masks:
            add = self.instructions.add
            copied = self.instructions.copy(mask, "bits", is_number=mask.is_number)
            self._masks[mask] = add(np.negative, copied, kind="bits")
        return self._masks[mask]
