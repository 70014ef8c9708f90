"""The nodes of a graph, followed from the rows that go in: dense layers, and formulas of what these give.

A value is a constant array, or `Rows`: a formula of the weighted sums of the dense layer behind it. Operators
of single numbers make longer formulas; Gemm and MatMul begin another layer, whose input is what the formula
says. All that is not in `OPERATORS` is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NoReturn, TypeAlias

import numpy as np

from ...backend import HostArray
from ...backend.expression import OPERATIONS, Expression, apply, maximum, minimum, sqrt, tiny, where
from ...backend.formula import Z
from ...checks.quoting import literal, shown
from ...formulas import activations as built_in
from ...formulas.activation import ACTIVATIONS, Activation, as_activation
from ..errors import NotConvertible
from .library import onnx_library
from .operators import NAMES

ADVICE = "Export dense layers and their activations alone."


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer: weighted sums z = x W + b.

    Attributes
    ----------
    source : Rows
        Its input x.
    weights, bias : (d, m), (m,)
    """

    source: Rows
    weights: HostArray
    bias: HostArray


@dataclass(frozen=True, eq=False)
class Rows:
    """A number of each row and unit: a formula of a layer's weighted sums, or of the graph's input.

    Attributes
    ----------
    layer : Layer or None
        None for the input.
    expression : Expression
        Of z.
    activation : Activation or None
        The built-in one that the formula is, where one operator said so.
    is_softmax : bool
        Whether they went through a softmax.
    """

    layer: Layer | None
    expression: Expression = Z
    activation: Activation | None = None
    is_softmax: bool = False

    @property
    def is_sum(self) -> bool:
        """Whether they are a layer's weighted sums themselves."""
        return self.layer is not None and self.expression is Z and not self.is_softmax


Value: TypeAlias = Rows | HostArray
Operands: TypeAlias = Sequence[Value | None]


@dataclass(frozen=True, eq=False)
class Node:
    """One operator of the graph.

    Attributes
    ----------
    place : str
        The file.
    proto : NodeProto
    opset : int
        The version of the operators.
    read : callable
        Makes an array of a TensorProto and what to call it.
    """

    place: str
    proto: Any
    opset: int
    read: Callable[[Any, str], HostArray]
    attributes: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        value_of = onnx_library("helper").get_attribute_value
        object.__setattr__(self, "attributes", {each.name: value_of(each) for each in self.proto.attribute})

    @property
    def operator(self) -> str:
        """The operator's name, with its domain where that is not ONNX's own."""
        domain = "" if self.proto.domain in ("", "ai.onnx") else f"{self.proto.domain}."
        return f"{domain}{self.proto.op_type}"

    @property
    def words(self) -> str:
        """The node, for messages."""
        name = self.proto.name or (self.proto.output[0] if self.proto.output else "")
        return f"node {literal(name)} ({shown(self.operator)})"

    def refuse(self, expected: str, advice: str = ADVICE) -> NoReturn:
        """Raise NotConvertible: what was expected of the node, and what to do."""
        raise NotConvertible(f"{self.place}: {self.words}: expected {expected}. {advice}")

    def attribute(self, name: str, default: Any, kind: type | tuple[type, ...]) -> Any:
        """Return an attribute of some type, or the default."""
        value = self.attributes.get(name, default)
        if not isinstance(value, kind):
            self.refuse(f"an attribute {name} of another type", "The file is damaged. Export it again.")
        return value

    def number(self, name: str, default: float, layer: Layer) -> float:
        """Return an attribute, which is a float32; for a layer of float32 as the decimal that was meant."""
        value: float = self.attribute(name, default, float)
        return float(str(np.float32(value))) if layer.bias.dtype == np.float32 else value

    def operand(self, operands: Operands, place: int) -> Value:
        """Return an operand that must be there."""
        value = operands[place] if place < len(operands) else None
        if value is None:
            self.refuse(f"an input {place + 1}", "The file is damaged. Export it again.")
        return value

    def rows(self, value: Value | None, what: str = "values of rows") -> Rows:
        """Return a value that is made of the rows, with no softmax before it."""
        if not isinstance(value, Rows):
            self.refuse(f"{what}, and got a constant")
        if value.is_softmax:
            self.refuse("nothing behind a Softmax, which is a network's end")
        return value

    def constant(self, value: Value | None, what: str) -> HostArray:
        """Return a value that is a constant."""
        if value is None or isinstance(value, Rows):
            self.refuse(f"a constant as the {what}")
        return value

    def behind_a_layer(self, rows: Rows) -> Layer:
        """Return the layer behind rows."""
        if rows.layer is None:
            self.refuse(
                "a Gemm or MatMul first",
                "Take what is done to the input before it out of the network, and do it to the rows.",
            )
        return rows.layer


# Dense layers


def _gemm(node: Node, operands: Operands) -> Value:
    if node.attribute("transA", 0, int):
        node.refuse("transA=0")
    weights = node.constant(node.operand(operands, 1), "weights (inputs, units)")
    weights = weights.T if node.attribute("transB", 0, int) else weights
    alpha, beta = node.attribute("alpha", 1.0, float), node.attribute("beta", 1.0, float)
    bias = operands[2] if len(operands) > 2 else None
    made = _layer(node, node.rows(operands[0]), weights if alpha == 1 else alpha * weights)
    if bias is None:
        return made
    added = node.constant(bias, "bias (units,)")
    return _affine(node, "add", made, added if beta == 1 else beta * added)


def _matmul(node: Node, operands: Operands) -> Value:
    rows, weights = node.operand(operands, 0), node.operand(operands, 1)
    return _layer(
        node, node.rows(rows, "rows (n, inputs) first"), node.constant(weights, "weights (inputs, units)")
    )


def _layer(node: Node, rows: Rows, weights: HostArray) -> Rows:
    if weights.ndim != 2 or 0 in weights.shape or weights.dtype.kind != "f":
        node.refuse(f"weights (inputs, units) of floats, and got {weights.dtype} {weights.shape}")
    if rows.layer is not None and len(rows.layer.bias) != len(weights):
        node.refuse(f"weights of {len(rows.layer.bias):,} inputs, and got {weights.shape}")
    return Rows(Layer(rows, weights, np.zeros(weights.shape[1], weights.dtype)))


def _affine(node: Node, op: str, rows: Rows, numbers: HostArray, *, first: bool = False) -> Rows:
    """Return a layer's sums with one number of each unit added, subtracted, multiplied, or as a divisor."""
    layer = node.behind_a_layer(rows)
    units = len(layer.bias)
    if numbers.dtype != layer.bias.dtype or numbers.ndim > 2 or prod(numbers.shape) not in (1, units):
        node.refuse(f"{units:,} numbers of {layer.bias.dtype}, and got {numbers.dtype} {numbers.shape}")
    weights, bias, each = layer.weights, layer.bias, np.broadcast_to(numbers.reshape(-1), (units,))
    with np.errstate(all="ignore"):
        if op in ("multiply", "divide"):
            compute = OPERATIONS[op].compute
            return Rows(Layer(layer.source, compute(np, weights, each), compute(np, bias, each)))
        if op == "subtract" and first:
            return Rows(Layer(layer.source, -weights, each - bias))
        return Rows(Layer(layer.source, weights, bias + each if op == "add" else bias - each))


# What leaves the rows as they are


def _same(node: Node, operands: Operands) -> Value:
    return node.operand(operands, 0)


def _dropout(node: Node, operands: Operands) -> Value:
    trains = operands[2] if len(operands) > 2 else None
    if trains is not None and node.constant(trains, "training_mode").any():
        node.refuse("no training_mode", "Export the network as it predicts.")
    return node.operand(operands, 0)


def _cast(node: Node, operands: Operands) -> Value:
    value, types = node.operand(operands, 0), onnx_library().TensorProto
    to = node.attribute("to", 0, int)
    kinds: dict[int, type[np.generic]] = {types.FLOAT: np.float32, types.DOUBLE: np.float64}
    if isinstance(value, Rows):
        if to not in kinds:
            node.refuse("a Cast to float32 or float64")
        return value
    kinds = {**kinds, types.INT64: np.int64, types.INT32: np.int32, types.BOOL: np.bool_}
    if to not in kinds:
        node.refuse("a Cast to float32, float64, whole numbers or truth values")
    with np.errstate(all="ignore"):
        return value.astype(kinds[to])


def _flatten(node: Node, operands: Operands) -> Value:
    if node.attribute("axis", 1, int) != 1:
        node.refuse("axis=1")
    value = node.operand(operands, 0)
    return value if isinstance(value, Rows) else value.reshape((*value.shape[:1], -1))


def _transpose(node: Node, operands: Operands) -> Value:
    value = node.constant(node.operand(operands, 0), "weights")
    order = node.attribute("perm", list(range(value.ndim))[::-1], list)
    if sorted(order) != list(range(value.ndim)):
        node.refuse("axes of the weights", "The file is damaged. Export it again.")
    return value.transpose(order)


def _reshape(node: Node, operands: Operands) -> Value:
    value = node.operand(operands, 0)
    given = node.constant(node.operand(operands, 1), "shape")
    shape = [int(size) for size in given.reshape(-1)[:9]]
    if isinstance(value, Rows):
        units = None if value.layer is None else len(value.layer.bias)
        fits = len(shape) == 2 and shape[0] in (-1, 0) and (shape[1] > 0 or shape[0] == 0)
        fits = fits and (units is None or shape[1] in (-1, 0, units))
        if not fits and not (shape == [-1] and units == 1):
            node.refuse(f"rows (n, units) as they are, and got the shape {shape}")
        return value
    shape = [value.shape[i] if size == 0 and i < value.ndim else size for i, size in enumerate(shape)]
    return value.reshape(shape)


def _squeeze(node: Node, operands: Operands) -> Value:
    value = node.operand(operands, 0)
    given = operands[1] if len(operands) > 1 else None
    axes = node.attributes.get("axes") if given is None else node.constant(given, "axes").tolist()
    if isinstance(value, Rows):
        if axes not in ([1], [-1]) or value.layer is None or len(value.layer.bias) != 1:
            node.refuse("the axis 1 of a single unit")
        return value
    return value.squeeze(None if axes is None else tuple(axes))


def _unsqueeze(node: Node, operands: Operands) -> Value:
    value = node.constant(node.operand(operands, 0), "weights")
    given = operands[1] if len(operands) > 1 else None
    axes = node.attributes.get("axes", []) if given is None else node.constant(given, "axes").tolist()
    if not isinstance(axes, list) or value.ndim + len(axes) > 8:
        node.refuse("a few axes", "The file is damaged. Export it again.")
    return np.expand_dims(value, tuple(axes))


def _constant(node: Node, _: Operands) -> Value:
    kinds = {
        "value_float": np.float32,
        "value_floats": np.float32,
        "value_int": np.int64,
        "value_ints": np.int64,
    }
    if [*node.attributes] == ["value"]:
        return node.read(node.attributes["value"], node.words)
    if len(node.attributes) != 1 or not kinds.keys() & node.attributes.keys():
        node.refuse("numbers")
    ((name, value),) = node.attributes.items()
    return np.array(value, kinds[name])


# Formulas of single numbers


def _elementwise(op: str, *, swapped: bool = False) -> Callable[[Node, Operands], Value]:
    def follow(node: Node, operands: Operands) -> Value:
        if len(operands) != OPERATIONS[op].arity:
            node.refuse(f"{OPERATIONS[op].arity} inputs")
        given = [node.operand(operands, place) for place in range(len(operands))]
        return _applied(node, op, given[::-1] if swapped else given)

    return follow


def _applied(node: Node, op: str, given: Sequence[Value]) -> Value:
    """Return an operation on values: as a formula, as another bias or other weights, or of constants."""
    arrays = [each for each in given if not isinstance(each, Rows)]
    if len(arrays) == len(given):
        if prod(np.broadcast_shapes(*(each.shape for each in arrays))) > max(each.size for each in arrays):
            node.refuse("constants of one shape")
        with np.errstate(all="ignore"):
            return np.asarray(OPERATIONS[op].compute(np, *arrays))
    rows = [node.rows(each) for each in given if isinstance(each, Rows)]
    layer = node.behind_a_layer(rows[0])
    if any(each.layer is not layer for each in rows):
        node.refuse("values of one layer, and got those of two, which is a connection that skips a layer")
    if op in ("add", "subtract", "multiply", "divide") and len(arrays) == 1 and rows[0].is_sum:
        first = not isinstance(given[0], Rows)
        is_vector = arrays[0].ndim > 0 and arrays[0].size in (1, len(layer.bias))
        if is_vector and (arrays[0].size > 1 or len(layer.bias) == 1) and not (first and op == "divide"):
            return _affine(node, op, rows[0], arrays[0], first=first)
    if any(each.size != 1 or each.dtype.kind not in "fi" for each in arrays):
        node.refuse("one number for all units")
    operands = [each.expression if isinstance(each, Rows) else _number(each) for each in given]
    return Rows(layer, _made(node, lambda: apply(op, *operands) if op != "where" else where(*operands)))  # type: ignore[arg-type]


def _number(constant: HostArray) -> Expression | float:
    """Return a constant as a number of a formula."""
    is_tiny = constant.dtype.kind == "f" and constant == np.finfo(constant.dtype).tiny
    return tiny() if is_tiny else float(constant.item())


def _made(node: Node, make: Callable[[], Any]) -> Any:
    """Return what a function makes; refuse the node where a formula has no such thing."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise NotConvertible(f"{node.place}: {node.words} is no formula of fuseprop: {error}") from error


def _formula(make: Callable[[Node, Layer, Expression], Expression]) -> Callable[[Node, Operands], Value]:
    """Return an operator of one value, as a formula."""

    def follow(node: Node, operands: Operands) -> Value:
        rows = node.rows(node.operand(operands, 0))
        layer = node.behind_a_layer(rows)
        return Rows(layer, _made(node, lambda: make(node, layer, rows.expression)))

    return follow


def _activation(make: Callable[[Node, Layer], Any]) -> Callable[[Node, Operands], Value]:
    """Return an operator that is a built-in activation, by its name with parameters."""

    def follow(node: Node, operands: Operands) -> Value:
        rows = node.rows(node.operand(operands, 0))
        layer = node.behind_a_layer(rows)
        member = _made(node, lambda: as_activation(make(node, layer)))
        return Rows(layer, member.of(rows.expression), member if rows.is_sum else None)

    return follow


def _selu(node: Node, layer: Layer) -> str:
    alpha = node.number("alpha", built_in.SELU_ALPHA, layer)
    gamma = node.number("gamma", built_in.SELU_SCALE, layer)
    if not np.allclose([alpha, gamma], [built_in.SELU_ALPHA, built_in.SELU_SCALE], rtol=1e-4, atol=0):
        node.refuse(f"alpha={built_in.SELU_ALPHA:.6g} and gamma={built_in.SELU_SCALE:.6g}")
    return "selu"


def _hard_sigmoid(node: Node, layer: Layer, z: Expression) -> Expression:
    alpha, beta = node.number("alpha", 0.2, layer), node.number("beta", 0.5, layer)
    if layer.bias.dtype == np.float32 and np.float32(alpha) == np.float32(1 / 6) and beta == 0.5:
        return built_in.hard_sigmoid.member().of(z)
    return minimum(maximum(alpha * z + beta, 0), 1)


def _gelu(node: Node, _: Layer) -> str:
    if node.attribute("approximate", b"none", bytes) != b"tanh":
        node.refuse('approximate="tanh"', 'Train it with the tanh form, as nn.GELU(approximate="tanh").')
    return "gelu"


def _swish(node: Node, layer: Layer, z: Expression) -> Expression:
    alpha = node.number("alpha", 1.0, layer)
    return z * built_in.sigmoid.member().of(z if alpha == 1 else alpha * z)


def _pow(node: Node, operands: Operands) -> Value:
    base, power = node.operand(operands, 0), node.constant(node.operand(operands, 1), "power")
    if power.size != 1 or power.item() not in (0.5, *range(1, 9)):
        node.refuse("a power from 1 to 8, or 0.5")
    number = power.item()
    return _formula(lambda _, __, z: sqrt(z) if number == 0.5 else z ** int(number))(node, [base])


def _clip(node: Node, operands: Operands) -> Value:
    if node.opset < 11:
        ends: list[Any] = [node.attributes.get(name) for name in ("min", "max")]
    else:
        given = [operands[i] if i < len(operands) else None for i in (1, 2)]
        ends = [None if each is None else node.constant(each, "limits") for each in given]
    if any(each is not None and np.size(each) != 1 for each in ends):
        node.refuse("one number as a limit")
    low, high = (None if each is None else float(np.asarray(each).item()) for each in ends)

    def clipped(_: Node, __: Layer, z: Expression) -> Expression:
        z = z if low is None else maximum(z, low)
        return z if high is None else minimum(z, high)

    return _formula(clipped)(node, operands[:1])


def _extreme(op: str) -> Callable[[Node, Operands], Value]:
    """Return Max or Min, of any number of values."""

    def follow(node: Node, operands: Operands) -> Value:
        made = node.operand(operands, 0)
        for place in range(1, len(operands)):
            made = _applied(node, op, [made, node.operand(operands, place)])
        return made

    return follow


# Ends


def _softmax(node: Node, operands: Operands) -> Value:
    rows = node.rows(node.operand(operands, 0))
    if node.attribute("axis", -1 if node.opset >= 13 else 1, int) not in (1, -1):
        node.refuse("axis=1")
    if not rows.is_sum:
        node.refuse("the weighted sums of the last layer, without an activation")
    return Rows(rows.layer, is_softmax=True)


def _concat(node: Node, operands: Operands) -> Value:
    """Follow (1 - p, p) of one sigmoid, as the softmax of the logits (0, z): the same probabilities."""
    p = _sigmoid_beside_other(operands)
    if p is None or node.attribute("axis", 0, int) not in (1, -1):
        node.refuse("1 - p beside p of a single sigmoid")
    layer = node.behind_a_layer(p)
    weights, bias = (np.concatenate([np.zeros_like(x), x], axis=-1) for x in (layer.weights, layer.bias))
    return Rows(Layer(layer.source, weights, bias), is_softmax=True)


def _sigmoid_beside_other(operands: Operands) -> Rows | None:
    """Return p of one unit where the operands are 1 - p and p, the sigmoid of its sum; else None."""
    if len(operands) != 2 or not all(isinstance(each, Rows) for each in operands):
        return None
    other, p = (each for each in operands if isinstance(each, Rows))
    is_sigmoid = p.activation == built_in.sigmoid.member() and p.layer is not None and len(p.layer.bias) == 1
    fits = other.layer is p.layer and other.expression is apply("subtract", 1.0, p.expression)
    return p if is_sigmoid and fits else None


_OF_FORMULAS = {name: _elementwise(op) for op, name in NAMES.items() if op not in ("maximum", "minimum")}

OPERATORS: dict[str, Callable[[Node, Operands], Value]] = {
    **_OF_FORMULAS,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Identity": _same,
    "Dropout": _dropout,
    "Cast": _cast,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Constant": _constant,
    "Less": _elementwise("greater", swapped=True),
    "LessOrEqual": _elementwise("greater_equal", swapped=True),
    "Max": _extreme("maximum"),
    "Min": _extreme("minimum"),
    "Pow": _pow,
    "Clip": _clip,
    "Reciprocal": _formula(lambda _, __, z: 1 / z),
    "Sigmoid": _activation(lambda *_: "sigmoid"),
    "Tanh": _activation(lambda *_: "tanh"),
    "Relu": _activation(lambda *_: "relu"),
    "LeakyRelu": _activation(lambda node, z: f"leaky_relu({node.number('alpha', 0.01, z)!r})"),
    "Elu": _activation(lambda node, z: f"elu({node.number('alpha', 1.0, z)!r})"),
    "Selu": _activation(_selu),
    "Softplus": _activation(lambda *_: "softplus"),
    "Softsign": _activation(lambda *_: "softsign"),
    "Exp": _activation(lambda *_: "exponential"),
    "Gelu": _activation(_gelu),
    "HardSigmoid": _formula(_hard_sigmoid),
    "HardSwish": _formula(lambda _, __, z: z * built_in.hard_sigmoid.member().of(z)),
    "Swish": _formula(_swish),
    "Mish": _formula(lambda _, __, z: z * built_in.tanh.member().of(built_in.softplus.member().of(z))),
    "Softmax": _softmax,
    "Concat": _concat,
}
"""What becomes of values, by operator."""


def activation_of(rows: Rows, name: str) -> Activation:
    """Return the activation that a formula is: a built-in one, or one of this name. Raises ValueError."""
    if rows.activation is not None:
        return rows.activation
    if rows.expression is Z:
        return as_activation("identity")
    made = Activation(name, lambda _: rows.expression)
    for family in ACTIVATIONS.values():
        if family.member().formula.value is made.formula.value:
            return family.member()
    return made
