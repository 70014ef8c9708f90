"""An expression as C++: one statement for each number that is used twice, and one for each result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import NamedTuple

from .expression import COMPARISONS, OPERATIONS, Expression, in_order, variables

DEEPEST = 50
"""Operations within each other in one statement; a deeper part gets a statement of its own."""


class Dialect(NamedTuple):
    """How C++ writes what differs between numbers and vectors of them.

    Attributes
    ----------
    type : str
        The type of a value.
    number : callable
        ``number(value)`` returns a number; it is called once for each place where one stands.
    tiny : callable
        ``tiny()`` returns the smallest normal number.
    truth : str
        The number, 1 or 0, that a comparison is; with braces for it.
    holds : str
        The comparison that such a number was; with braces for it.
    choice : str
        What a comparison chooses; with braces for it and the two sides.
    choice_rank : int
        How tightly that binds, as `Operation.rank`; -1 for less than all.
    functions : mapping
        The names of functions where they differ from those of `OPERATIONS`.

    Examples
    --------
    >>> from fuseprop.backend import statements, variable
    >>> from fuseprop.backend.cpp import SCALARS
    >>> vectors = SCALARS._replace(type="Vector")
    >>> statements({"const Vector y": variable("z") * 2}, vectors)
    ['const Vector y = z * T(2);']
    """

    type: str
    number: Callable[[float], str]
    tiny: Callable[[], str]
    truth: str
    holds: str
    choice: str
    choice_rank: int
    functions: Mapping[str, str]


def _literal(value: float) -> str:
    return f"T({int(value)})" if value.is_integer() and 0 < abs(value) < 1e15 else f"T({value!r})"


SCALARS = Dialect(
    type="T",
    number=_literal,
    tiny=lambda: "smallest_normal<T>()",
    truth="T({})",
    holds="{}",
    choice="{} ? {} : {}",
    choice_rank=-1,
    functions={"abs": "fabs", "maximum": "larger", "minimum": "smaller"},
)
"""Of one number, of a floating-point type T; `larger`, `smaller` and `sign` are ours, and keep a NaN."""


def statements(results: Mapping[str, Expression], dialect: Dialect | None = None) -> list[str]:
    """Return C++ statements that assign each result.

    The variables are C++ variables of their names. Every operation stands on its own: nothing is reordered,
    and what is contracted into one instruction is up to the compiler.

    Parameters
    ----------
    results : mapping
        By what is assigned to, such as ``"const T slope"``, the expression.
    dialect : Dialect, optional
        `SCALARS` by default.

    Examples
    --------
    >>> from fuseprop.backend import statements, variable
    >>> statements({"const float y": variable("z") * 2})
    ['const float y = z * T(2);']
    """
    dialect = dialect or SCALARS
    order = in_order(results.values())
    uses = Counter(operand for node in order for operand in node.args)
    uses.update(results.values())
    names: dict[Expression, str] = {}
    lines: list[str] = []
    free = (name for i in count() if (name := f"v{i}") not in variables(*results.values()))
    depth: dict[Expression, int] = {}

    def text(node: Expression, *, condition: bool = False) -> tuple[str, int]:
        """Return C++ and how tightly it binds, as `Operation.rank`; see `Dialect.choice_rank`."""
        if node in names:
            return dialect.holds.format(names[node]) if condition else names[node], 4
        if node.op == "number":
            assert isinstance(node.value, float)
            return dialect.number(node.value), 4
        if node.op == "variable":
            return str(node.value), 4
        if node.op == "tiny":
            return dialect.tiny(), 4
        rank = OPERATIONS[node.op].rank
        if node.op == "where":
            chosen, a, b = text(node.args[0], condition=True), *map(text, node.args[1:])
            sides = _within(a, -1), _within(b, -1)
            return dialect.choice.format(chosen[0], *sides), dialect.choice_rank
        operands = [text(each) for each in node.args]
        if rank == 4:
            return f"{dialect.functions.get(node.op, node.op)}({', '.join(each for each, _ in operands)})", 4
        left = rank - 1 if rank in (1, 2) else rank  # a + b + c is (a + b) + c
        inside = [_within(each, rank if place else left) for place, each in enumerate(operands)]
        made = OPERATIONS[node.op].text.format(*inside)
        is_number = node.op in COMPARISONS and not condition
        return (dialect.truth.format(made), 4) if is_number else (made, rank)

    for node in order:
        depth[node] = 1 + max((depth[operand] for operand in node.args), default=0)
        if node.args and (uses[node] > 1 or depth[node] >= DEEPEST):
            made, _ = text(node)
            names[node], depth[node] = next(free), 0
            lines.append(f"const {dialect.type} {names[node]} = {made};")
    return lines + [f"{target} = {text(node)[0]};" for target, node in results.items()]


def _within(text: tuple[str, int], rank: int) -> str:
    """Return an operand's C++, in parentheses unless it binds more tightly than what it stands in."""
    return text[0] if text[1] > rank else f"({text[0]})"
