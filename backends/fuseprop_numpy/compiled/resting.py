"""Whether an update leaves alone what no layer has: numbers between layers, 0 like their gradients.

The flat parameters have a gap behind each layer. Calls update the gaps as all else; a step in the library
goes over layers alone, which is the same as long as zeros stay zeros.
"""

from __future__ import annotations

from functools import lru_cache

from fuseprop.backend import Expression, UpdateFormula, in_order

KEEPING_ZERO = frozenset(
    (
        "negative",
        "abs",
        "sqrt",
        "expm1",
        "log1p",
        "tanh",
        "sin",
        "sign",
        "add",
        "subtract",
        "maximum",
        "minimum",
    )
)
"""Operations that give 0 where all operands are 0."""


@lru_cache(1000)
def keeps_zeros(formula: UpdateFormula) -> bool:
    """Whether a parameter of 0 with a gradient and moments of 0 keeps all of them, whatever the settings.

    Settings are finite, and what is divided by is not 0.
    """
    zeros = {"w", "g", *(name for name, _ in formula.moments)}
    results = list(formula.results.values())
    at_rest: set[Expression] = set()
    for node in in_order(results):
        if _is_zero(node, zeros, at_rest):
            at_rest.add(node)
    return all(result in at_rest for result in results)


def _is_zero(node: Expression, zeros: set[str], at_rest: set[Expression]) -> bool:
    match node.op:
        case "variable":
            return node.value in zeros
        case "number":
            return node.value == 0
        case "multiply":
            return any(each in at_rest for each in node.args)
        case "divide":
            return node.args[0] in at_rest
        case "where":
            return all(each in at_rest for each in node.args[1:])
    return node.op in KEEPING_ZERO and all(each in at_rest for each in node.args)
