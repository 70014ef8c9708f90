"""An expression as C++: one statement for each number that is used twice, and one for each result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import count

from .expression import COMPARISONS, OPERATIONS, Expression, in_order, variables

DEEPEST = 50
"""Operations within each other in one statement; a deeper part gets a statement of its own."""

FUNCTIONS = {"abs": "fabs", "maximum": "larger", "minimum": "smaller"}
"""The C++ functions that have another name; `larger`, `smaller` and `sign` are ours, and keep a NaN."""


def statements(results: Mapping[str, Expression]) -> list[str]:
    """Return C++ statements that assign each result, for a floating-point type T.

    The variables are C++ variables of their names. Every operation stands on its own: nothing is reordered,
    and what is contracted into one instruction is up to the compiler.

    Parameters
    ----------
    results : mapping
        By what is assigned to, such as ``"const T slope"``, the expression.
    """
    order = in_order(results.values())
    uses = Counter(operand for node in order for operand in node.args)
    uses.update(results.values())
    names: dict[Expression, str] = {}
    lines: list[str] = []
    free = (name for i in count() if (name := f"v{i}") not in variables(*results.values()))
    depth: dict[Expression, int] = {}

    def text(node: Expression, *, condition: bool = False) -> tuple[str, int]:
        """Return C++ and how tightly it binds, as `Operation.rank`; -1 for what is chosen by a condition."""
        if node in names:
            return names[node], 4
        if node.op == "number":
            return _literal(node.value), 4
        if node.op == "variable":
            return str(node.value), 4
        if node.op == "tiny":
            return "smallest_normal<T>()", 4
        rank = OPERATIONS[node.op].rank
        if node.op == "where":
            chosen, a, b = text(node.args[0], condition=True), *map(text, node.args[1:])
            return f"{chosen[0]} ? {_within(a, -1)} : {_within(b, -1)}", -1
        operands = [text(each) for each in node.args]
        if rank == 4:
            return f"{FUNCTIONS.get(node.op, node.op)}({', '.join(each for each, _ in operands)})", 4
        left = rank - 1 if rank in (1, 2) else rank  # a + b + c is (a + b) + c
        inside = [_within(each, rank if place else left) for place, each in enumerate(operands)]
        made = OPERATIONS[node.op].text.format(*inside)
        return (f"T({made})", 4) if node.op in COMPARISONS and not condition else (made, rank)

    for node in order:
        depth[node] = 1 + max((depth[operand] for operand in node.args), default=0)
        if node.args and (uses[node] > 1 or depth[node] >= DEEPEST):
            made, _ = text(node)
            names[node], depth[node] = next(free), 0
            lines.append(f"const T {names[node]} = {made};")
    return lines + [f"{target} = {text(node)[0]};" for target, node in results.items()]


def _within(text: tuple[str, int], rank: int) -> str:
    """Return an operand's C++, in parentheses unless it binds more tightly than what it stands in."""
    return text[0] if text[1] > rank else f"({text[0]})"


def _literal(value: object) -> str:
    assert isinstance(value, float)
    return f"T({int(value)})" if value.is_integer() and 0 < abs(value) < 1e15 else f"T({value!r})"
