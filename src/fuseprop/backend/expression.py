"""Formulas of numbers as objects: written once, and turned into every form in which they are computed.

``1 / (1 + exp(-z))`` with ``z = variable("z")`` is an `Expression`: a graph of the operations in
`OPERATIONS`. Equal expressions are one object, so that what a formula has twice is computed once. From an
expression come its values (`evaluate`), its derivative (`derivative`), C++ (`cpp`) and plain data
(`serialized`); backends make of it what is fast for them.

In every form of a formula NaN goes through: an operation of a NaN is NaN, but for comparisons, which do not
hold then, as in IEEE 754.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias
from weakref import WeakValueDictionary

import numpy as np


class Operation(NamedTuple):
    """One operation of formulas.

    Attributes
    ----------
    arity : int
        How many operands it has.
    compute : callable
        ``compute(xp, *operands)`` does it with the functions of a module like NumPy.
    text : str
        How a person writes it, with a pair of braces for each operand.
    rank : int
        How tightly it binds in `text`: 0 for a comparison, 1 for a sum, 2 for a product, 3 for a sign, 4 for
        a function.
    """

    arity: int
    compute: Callable[..., Any]
    text: str
    rank: int = 4


def _function(name: str, arity: int = 1) -> Operation:
    def compute(xp: Any, *operands: Any) -> Any:
        return getattr(xp, name)(*operands)

    return Operation(arity, compute, f"{name}({', '.join(['{}'] * arity)})")


def _infix(sign: str, rank: int, compute: Callable[[Any, Any], Any]) -> Operation:
    return Operation(2, lambda _, a, b: compute(a, b), f"{{}} {sign} {{}}", rank)


OPERATIONS: dict[str, Operation] = {
    "add": _infix("+", 1, operator.add),
    "subtract": _infix("-", 1, operator.sub),
    "multiply": _infix("*", 2, operator.mul),
    "divide": _infix("/", 2, operator.truediv),
    "negative": Operation(1, lambda _, a: -a, "-{}", 3),
    "abs": Operation(1, lambda _, a: abs(a), "|{}|"),
    **{
        name: _function(name)
        for name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "sign")
    },
    "maximum": _function("maximum", 2),
    "minimum": _function("minimum", 2),
    "greater": _infix(">", 0, operator.gt),
    "greater_equal": _infix(">=", 0, operator.ge),
    "equal": _infix("==", 0, operator.eq),
    "where": _function("where", 3),
}
"""All operations by name; the names are those of NumPy's functions."""

COMPARISONS = frozenset({"greater", "greater_equal", "equal"})
"""The operations whose result is a truth value; where a number is expected, it is 1 or 0."""

LEAVES = frozenset({"number", "variable", "tiny"})
"""What has no operands: a number, a variable, and the smallest normal number of the dtype."""

MAX_OPERATIONS = 200
"""The most parts of one formula: operations, numbers and variables. gelu has 14, its slope some 30."""

MAX_SLOPE = 10 * MAX_OPERATIONS
"""The most parts of a slope. A derivative has up to six for each of what it is the slope of."""

MAX_TEXT = 1000
"""How many characters of a formula's text are written out; three points stand for a part that is longer."""


class Expression:
    """An operation and its operands, a number, or a variable; see the module.

    Attributes
    ----------
    op : str
        A name in `OPERATIONS` or `LEAVES`.
    args : tuple of Expression
        The operands.
    value : float or str or None
        The number, or the variable's name.

    Raises TypeError where Python asks for its truth value or its number, which it has not yet, and for what
    formulas do not have.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, variable
    >>> z = variable("z")
    >>> float(evaluate(z * z + 1, {"z": np.float64(3)}))
    10.0
    """

    __slots__ = ("__weakref__", "args", "op", "value")

    def __init__(self, op: str, args: tuple[Expression, ...] = (), value: float | str | None = None) -> None:
        self.op, self.args, self.value = op, args, value

    def __add__(self, other: Operand) -> Expression:
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return apply("subtract", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return apply("subtract", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return apply("multiply", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return apply("multiply", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return apply("divide", other, self)

    def __pow__(self, power: int) -> Expression:
        """Multiply with itself; other powers than 1 to 8 are refused."""
        if isinstance(power, bool) or power not in range(1, 9):
            raise TypeError(
                f"a formula takes whole powers from 1 to 8, got {power!r:.60}. Use sqrt(x), or "
                f"exp(power * log(x))."
            )
        result = self
        for _ in range(int(power) - 1):
            result = result * self
        return result

    def __neg__(self) -> Expression:
        return apply("negative", self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return apply("abs", self)

    def __gt__(self, other: Operand) -> Expression:
        return apply("greater", self, other)

    def __ge__(self, other: Operand) -> Expression:
        return apply("greater_equal", self, other)

    def __lt__(self, other: Operand) -> Expression:
        return apply("greater", other, self)

    def __le__(self, other: Operand) -> Expression:
        return apply("greater_equal", other, self)

    def __eq__(self, other: object) -> bool:
        """Whether this is the same expression; anything else is refused, as it would be False in silence."""
        if self is other:
            return True
        raise TypeError(
            f"{self} == ... compares formulas, not the numbers that they stand for. Write equal(a, b), as "
            f"the condition of where, or a is b for expressions themselves."
        )

    __hash__ = object.__hash__

    def _refused(self, *_: object) -> NoReturn:
        raise TypeError(
            f"a formula has + - * / ** abs > >= < <= and the functions {_FUNCTIONS}, and nothing else; "
            f"{self} met another operation. Conditions stand one within the other: where(a, where(b, x, y), "
            f"y) for a and b. 2**z is exp(log(2) * z)."
        )

    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = _refused
    __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __rpow__ = __matmul__ = __rmatmul__ = _refused
    __round__ = __trunc__ = __floor__ = __ceil__ = __len__ = __iter__ = __getitem__ = _refused

    if not TYPE_CHECKING:  # for whom it would have every attribute

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            raise AttributeError(
                f"a formula has no .{name}: it stands for one number of many. Its functions are {_FUNCTIONS}."
            )

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **options: Any) -> Expression:
        """Understand NumPy's functions, as in ``np.exp(z)``."""
        name = {"absolute": "abs", "true_divide": "divide", "square": "square"}.get(
            ufunc.__name__, ufunc.__name__
        )
        if method == "__call__" and not options:
            if name == "square":
                return operands[0] * operands[0]  # type: ignore[no-any-return]
            if name in ("less", "less_equal"):
                return apply("greater" + name.removeprefix("less"), *reversed(operands))
            if name in OPERATIONS:
                return apply(name, *operands)
        how = " with options such as out" if name in OPERATIONS else ""
        raise TypeError(f"a formula cannot have numpy.{ufunc.__name__}{how}: its functions are {_FUNCTIONS}.")

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Expression:
        """Understand ``np.where(z > 0, a, b)``."""
        if function.__name__ == "where" and len(args) == 3 and not options:
            return where(*args)
        how = " but as where(condition, a, b)" if function.__name__ == "where" else ""
        raise TypeError(
            f"a formula cannot have numpy.{function.__name__}{how}: its functions are {_FUNCTIONS}."
        )

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"{self} has no truth value while the formula is written: it stands for many numbers. Write "
            f"where(condition, a, b) for if, and maximum(a, b) for max(a, b)."
        )

    def __float__(self) -> NoReturn:
        raise TypeError(
            f"{self} is not one number: it stands for many. Use the functions of fuseprop.formulas instead "
            f"of those of math: {_FUNCTIONS}."
        )

    __int__ = __index__ = __float__

    def __str__(self) -> str:
        return written(self)

    def __repr__(self) -> str:
        return f"<Expression {written(self):.200}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # All parts in one list: pickling one within the other would meet Python's limit of recursion.
        order = in_order([self])
        place = {node: i for i, node in enumerate(order)}
        return _rebuilt, ([(node.op, [place[each] for each in node.args], node.value) for node in order],)


Operand: TypeAlias = "Expression | float"

_FUNCTIONS = ", ".join(
    name for name, operation in OPERATIONS.items() if operation.text.startswith(name) or name == "abs"
)

_KNOWN: WeakValueDictionary[Any, Expression] = WeakValueDictionary()

_MAKING = RLock()
"""Held while an expression is added: two threads that make one formula must get one object."""

if hasattr(os, "register_at_fork"):  # a child is not to inherit it from a thread that it does not have
    os.register_at_fork(
        before=_MAKING.acquire, after_in_parent=_MAKING.release, after_in_child=_MAKING.release
    )


def _node(op: str, args: tuple[Expression, ...] = (), value: float | str | None = None) -> Expression:
    """Return the one expression with this operation and these operands."""
    # By `id`: the keys must not keep alive what they are of. An expression does that for its operands.
    key = op, tuple(map(id, args)), value.hex() if isinstance(value, float) else value
    known = _KNOWN.get(key)
    if known is None:
        with _MAKING:
            known = _KNOWN.setdefault(key, Expression(op, args, value))
    return known


def _rebuilt(parts: list[tuple[str, list[int], float | str | None]]) -> Expression:
    """Return the expression of a list of its parts, operands before what has them."""
    made: list[Expression] = []
    for op, places, value in parts:
        made.append(_node(op, tuple(made[place] for place in places), value))
    return made[-1]


def variable(name: str) -> Expression:
    """Return the variable of that name.

    Examples
    --------
    >>> from fuseprop.backend import variable, variables
    >>> variables(variable("z") + 1)
    {'z'}
    """
    return _node("variable", (), name)


def number(value: float) -> Expression:
    """Return a number. Raises TypeError for what is none, ValueError for nan and infinities.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, number
    >>> float(evaluate(number(0.5), {}))
    0.5
    """
    given: Any = value
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given.item()
    if isinstance(given, bool | np.bool_) or not isinstance(given, int | float | np.integer | np.floating):
        raise TypeError(f"a formula is made of its variables and numbers, got {given!r:.60}.")
    try:
        as_float = float(given)
    except OverflowError:
        as_float = float("inf")
    if not isfinite(as_float):
        raise ValueError(f"the numbers of a formula must be finite, got {value!r:.60}.")
    return _node("number", (), as_float)


def as_expression(operand: Operand) -> Expression:
    """Return an expression itself, and a number as one. Raises as `number`."""
    return operand if isinstance(operand, Expression) else number(operand)


def tiny() -> Expression:
    """Return the smallest normal number of the dtype: 1.2e-38 in float32, 2.2e-308 in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, variable
    >>> from fuseprop.formulas import maximum, tiny
    >>> z = variable("z")
    >>> bool(evaluate(maximum(z, tiny()), {"z": np.float32(0)}) > 0)
    True
    """
    return _node("tiny")


def apply(op: str, *operands: Operand) -> Expression:
    """Return an operation of `OPERATIONS` on expressions and numbers. Raises as `number`."""
    return _node(op, tuple(map(as_expression, operands)))


def exp(x: Operand) -> Expression:
    """e^x.

    Examples
    --------
    >>> from fuseprop import Activation
    >>> from fuseprop.formulas import exp
    >>> bell = Activation("bell", lambda z: exp(-z * z))
    """
    return apply("exp", x)


def expm1(x: Operand) -> Expression:
    """e^x - 1, exact near 0.

    Examples
    --------
    >>> from fuseprop import Activation
    >>> from fuseprop.formulas import expm1, where
    >>> own_elu = Activation("own_elu", lambda z: where(z > 0, z, expm1(z)))
    """
    return apply("expm1", x)


def log(x: Operand) -> Expression:
    """The natural logarithm.

    Examples
    --------
    >>> from fuseprop import Activation
    >>> from fuseprop.formulas import log
    >>> folded = Activation("folded", lambda z: log(2 + z * z))
    """
    return apply("log", x)


def log1p(x: Operand) -> Expression:
    """log(1 + x), exact near 0.

    Examples
    --------
    >>> from fuseprop import Activation
    >>> from fuseprop.formulas import log1p
    >>> soft = Activation("soft", lambda z: log1p(abs(z)))
    """
    return apply("log1p", x)


def sqrt(x: Operand) -> Expression:
    """The square root.

    Examples
    --------
    >>> from fuseprop import Activation
    >>> from fuseprop.formulas import sqrt
    >>> squareplus = Activation("squareplus", lambda z: (z + sqrt(z * z + 4)) / 2)
    """
    return apply("sqrt", x)


def tanh(x: Operand) -> Expression:
    """The hyperbolic tangent."""
    return apply("tanh", x)


def sin(x: Operand) -> Expression:
    """The sine of an angle in radians.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, variable
    >>> from fuseprop.formulas import sin
    >>> float(evaluate(sin(variable("z")), {"z": np.float64(0)}))
    0.0
    """
    return apply("sin", x)


def cos(x: Operand) -> Expression:
    """The cosine of an angle in radians.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, variable
    >>> from fuseprop.formulas import cos
    >>> float(evaluate(cos(variable("z")), {"z": np.float64(0)}))
    1.0
    """
    return apply("cos", x)


def sign(x: Operand) -> Expression:
    """-1, 0 or 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, variable
    >>> from fuseprop.formulas import sign
    >>> evaluate(sign(variable("z")), {"z": np.array([-2.0, 0.0, 3.0])})
    array([-1.,  0.,  1.])
    """
    return apply("sign", x)


def maximum(a: Operand, b: Operand) -> Expression:
    """The larger one; NaN if either is.

    Examples
    --------
    >>> from fuseprop import Activation
    >>> from fuseprop.formulas import maximum
    >>> own_relu = Activation("own_relu", lambda z: maximum(z, 0))
    """
    return apply("maximum", a, b)


def minimum(a: Operand, b: Operand) -> Expression:
    """The smaller one; NaN if either is.

    Examples
    --------
    >>> from fuseprop import Activation
    >>> from fuseprop.formulas import maximum, minimum
    >>> relu6 = Activation("relu6", lambda z: minimum(maximum(z, 0), 6))
    """
    return apply("minimum", a, b)


def equal(a: Operand, b: Operand) -> Expression:
    """Whether two numbers are equal, as a condition for `where`.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, variable
    >>> from fuseprop.formulas import equal, where
    >>> z = variable("z")
    >>> evaluate(where(equal(z, 0), 1, z), {"z": np.array([0.0, 2.0])})
    array([1., 2.])
    """
    return apply("equal", a, b)


def where(condition: Expression, a: Operand, b: Operand) -> Expression:
    """a where the condition holds, else b. Raises TypeError for a condition that is no comparison.

    Examples
    --------
    >>> from fuseprop import Loss
    >>> from fuseprop.formulas import where
    >>> asymmetric = Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y))
    """
    if not (isinstance(condition, Expression) and condition.op in COMPARISONS):
        raise TypeError(
            f"the condition of where must be a comparison, such as z > 0 or equal(z, 0), got "
            f"{condition!r:.100}."
        )
    return apply("where", condition, a, b)


# What is made of expressions


def in_order(roots: Iterable[Expression]) -> list[Expression]:
    """Return all that these expressions are made of, each once, operands before what has them.

    Examples
    --------
    >>> from fuseprop.backend import in_order, variable
    >>> z = variable("z")
    >>> [str(each) for each in in_order([z * z + 1])]
    ['z', 'z * z', '1', 'z * z + 1']
    """
    order: list[Expression] = []
    seen: set[Expression] = set()
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, operands_are_in = stack.pop()
        if operands_are_in:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(operand, False) for operand in reversed(node.args)]
    return order


def variables(*roots: Expression) -> set[str]:
    """Return the names of the variables in expressions.

    Examples
    --------
    >>> from fuseprop.backend import variable, variables
    >>> sorted(variables(variable("y") - variable("t")))
    ['t', 'y']
    """
    return {str(node.value) for node in in_order(roots) if node.op == "variable"}


_NUMBER = float | bool | np.longdouble
"""What `item` makes of a number or a truth value; a long double stays one."""


def evaluate(expression: Expression, values: Mapping[str, Any], xp: Any = np) -> Any:
    """Return the value of an expression: the formula itself, by array calls.

    Parameters
    ----------
    values : mapping
        An array or a number for each variable; arrays broadcast. Everything is computed in their dtype, which
        is one of NumPy's. NumPy's scalars of that dtype meet the arrays, from the left too: arrays that are
        not NumPy's say ``__array_ufunc__ = None``, so that their own operators get them.
    xp : module
        Where the functions are, such as `numpy` or `cupy`: exp, maximum, where, ...; and for formulas with
        `tiny`, ``finfo(dtype).tiny`` of a dtype of NumPy's, as `numpy.finfo` has it.

    Raises TypeError for arrays whose dtype is none of NumPy's.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, variable
    >>> evaluate(2 * variable("z"), {"z": np.array([1.0, 2.5])})
    array([2., 5.])
    """
    dtypes = [value.dtype for value in values.values() if hasattr(value, "dtype")]
    try:
        dtype = np.result_type(np.float16, *dtypes) if dtypes else np.dtype(np.float64)
    except TypeError:
        got = ", ".join(sorted({f"{each!r:.60}" for each in dtypes}))
        raise TypeError(
            f"evaluate takes numbers, and arrays whose dtype is one of NumPy's, such as np.dtype('float32'), "
            f"got {got}. A class with such a dtype and the operators of formulas holds other arrays: see "
            f"Column in backends/README.md."
        ) from None
    zero, one = dtype.type(0), dtype.type(1)
    results: dict[Expression, Any] = {}
    for node in in_order([expression]):
        if node.op == "number":
            results[node] = node.value
        elif node.op == "variable":
            results[node] = values[str(node.value)]
        elif node.op == "tiny":
            results[node] = dtype.type(xp.finfo(dtype).tiny).item()  # as a float, a long double's would be 0
        else:
            compute = OPERATIONS[node.op].compute
            operands = [
                xp.where(results[each], one, zero)
                if each.op in COMPARISONS and (node.op != "where" or place)
                else results[each]
                for place, each in enumerate(node.args)
            ]
            if all(isinstance(each, _NUMBER) for each in operands):  # numbers alone: the result is one
                with np.errstate(all="ignore"):
                    results[node] = compute(np, *map(dtype.type, operands)).item()
            elif node.op == "where":  # which makes float64 of two numbers
                chosen = [dtype.type(each) if isinstance(each, float) else each for each in operands[1:]]
                results[node] = compute(xp, operands[0], *chosen)
            else:
                results[node] = compute(xp, *operands)
    result = results[expression]
    return xp.where(result, one, zero) if expression.op in COMPARISONS else result


def substitute(expression: Expression, instead: Mapping[Expression, Expression]) -> Expression:
    """Return an expression with some of its parts replaced by others.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate, substitute, variable
    >>> z, a = variable("z"), variable("a")
    >>> float(evaluate(substitute(z + 1, {z: 2 * a}), {"a": np.float64(3)}))
    7.0
    """
    made: dict[Expression, Expression] = {}
    for node in in_order([expression]):
        if node in instead:
            made[node] = instead[node]
        else:
            made[node] = _node(node.op, tuple(made[each] for each in node.args), node.value)
    return made[expression]


def written(expression: Expression) -> str:
    """Return a formula as a person writes it, such as ``1 / (1 + exp(-z))``; see `MAX_TEXT`."""
    texts: dict[Expression, tuple[str, int]] = {}
    for node in in_order([expression]):
        if node.op == "number":
            assert isinstance(node.value, float)
            text = f"{node.value:.6g}"
            texts[node] = text, 1 if text.startswith("-") else 4
        elif node.op in LEAVES:
            texts[node] = str(node.value or node.op), 4
        else:
            operation = OPERATIONS[node.op]
            operands = []
            for place, each in enumerate(node.args):
                text, rank = texts[each]
                encloses = operation.rank == 4
                binds = rank > operation.rank or (rank == operation.rank and place == 0 and rank in (1, 2))
                operands.append(text if encloses or binds else f"({text})")
            text = operation.text.format(*operands)
            texts[node] = (text, operation.rank) if len(text) <= MAX_TEXT else ("...", 4)
    return texts[expression][0]
