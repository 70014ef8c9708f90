"""Formulas as ONNX operators: an operator of its own where there is one, else the formula, composed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...backend.expression import COMPARISONS, Expression, in_order
from ...formulas.activation import ACTIVATIONS, Activation
from ...formulas.activations import SELU_ALPHA, SELU_SCALE
from ...formulas.families import settings_named
from .graph import Graph

NAMES = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "abs": "Abs",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
    "sin": "Sin",
    "cos": "Cos",
    "sign": "Sign",
    "maximum": "Max",
    "minimum": "Min",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "equal": "Equal",
    "where": "Where",
}
"""The operations of formulas that ONNX has; see `COMPOSED` for the others."""

OF_BOTH = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}
"""Built-in activations that are one operator, which onnxruntime computes in float32 and float64."""

OF_FLOAT32: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "leaky_relu": ("LeakyRelu", lambda negative_slope: {"alpha": negative_slope}),
    "elu": ("Elu", lambda alpha: {"alpha": alpha}),
    "selu": ("Selu", lambda: {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
    "softplus": ("Softplus", dict),
    "softsign": ("Softsign", dict),
    "hard_sigmoid": ("HardSigmoid", lambda: {"alpha": 1 / 6, "beta": 0.5}),
}
"""Those that are one operator, with these numbers, in float32 alone: in float64 they are composed."""


def activated(graph: Graph, activation: Activation, z: str) -> str:
    """Add an activation of the value `z`; return the name of its output."""
    if activation.formula.is_identity:
        return z
    if activation.is_built_in:
        family, settings = settings_named("activation", activation.name, ACTIVATIONS)
        if family in OF_BOTH:
            return graph.node(OF_BOTH[family], z, name=family)
        if family == "silu":
            return graph.node("Mul", z, graph.node("Sigmoid", z), name=family)
        if family in OF_FLOAT32 and graph.dtype == np.float32:
            operator, numbers = OF_FLOAT32[family]
            return graph.node(operator, z, name=family, **numbers(**settings))
    return composed(graph, activation.formula.value, {"z": z})


def linked(graph: Graph, link: str, output: str) -> str:
    """Add what a loss's link makes of the last layer's output; return the name of the prediction."""
    operators = {"sigmoid": "Sigmoid", "exponential": "Exp"}
    if link == "identity":
        return output
    return graph.node("Softmax", output, axis=1) if link == "softmax" else graph.node(operators[link], output)


def composed(graph: Graph, expression: Expression, values: Mapping[str, str]) -> str:
    """Add a formula of values; return the name of the result."""
    results: dict[Expression, str] = {}
    for part in in_order([expression]):
        if part.op == "variable":
            results[part] = values[str(part.value)]
        elif part.op == "number":
            with np.errstate(over="ignore"):
                results[part] = graph.constant(part.value or 0.0)
        elif part.op == "tiny":
            results[part] = graph.constant(np.finfo(graph.dtype).tiny)
        else:
            operands = [
                _as_number(graph, results[each])
                if each.op in COMPARISONS and (part.op != "where" or place)
                else results[each]
                for place, each in enumerate(part.args)
            ]
            if part.op in COMPOSED:
                results[part] = COMPOSED[part.op](graph, *operands)
            else:
                results[part] = graph.node(NAMES[part.op], *operands)
    made = results[expression]
    return _as_number(graph, made) if expression.op in COMPARISONS else made


def _as_number(graph: Graph, condition: str) -> str:
    return graph.node("Cast", condition, to=graph.kind(graph.dtype))


def _expm1(graph: Graph, x: str) -> str:
    """e^x - 1; where |x| < 1 as 2 t / (1 - t), t = tanh(x / 2), in which little cancels."""
    one, two = graph.constant(1.0), graph.constant(2.0)
    t = graph.node("Tanh", graph.node("Div", x, two))
    near = graph.node("Div", graph.node("Mul", two, t), graph.node("Sub", one, t))
    far = graph.node("Sub", graph.node("Exp", x), one)
    return graph.node("Where", _is_near(graph, x), near, far)


def _log1p(graph: Graph, x: str) -> str:
    """log u, u = 1 + x; where |x| < 1 log(u) x / (u - 1), so that the rounding of u cancels (W. Kahan)."""
    one = graph.constant(1.0)
    u = graph.node("Add", one, x)
    log = graph.node("Log", u)
    mended = graph.node("Div", graph.node("Mul", log, x), graph.node("Sub", u, one))
    near = graph.node("Where", graph.node("Equal", u, one), x, mended)
    return graph.node("Where", _is_near(graph, x), near, log)


def _is_near(graph: Graph, x: str) -> str:
    return graph.node("Greater", graph.constant(1.0), graph.node("Abs", x))


COMPOSED: dict[str, Callable[..., str]] = {"expm1": _expm1, "log1p": _log1p}
"""The operations of formulas that ONNX lacks."""
