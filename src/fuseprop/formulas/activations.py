"""The built-in activations: each formula once, as a textbook writes it, with its slope from the output.

A slope that is left out is derived. A new activation is one more call of `activation_family` here.
"""

from __future__ import annotations

from math import pi, sqrt

from ..backend import expression as of
from ..backend.expression import Expression, exp, expm1, log1p, maximum, minimum, sign, where
from .activation import activation_family
from .families import Parameter


def _sigmoid(z: Expression) -> Expression:
    """1 / (1 + e^-z) as (1 or e) / (1 + e) with e = e^-|z|: no overflow, exact in both tails."""
    e = exp(-abs(z))
    return maximum(z >= 0, e) / (1 + e)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
"""Klambauer et al. 2017, "Self-normalizing neural networks", equation 14."""


identity = activation_family("identity", "z", lambda z: z)

sigmoid = activation_family("sigmoid", "1 / (1 + exp(-z))", _sigmoid, lambda y: y * (1 - y))

tanh = activation_family("tanh", "tanh(z)", of.tanh, lambda y: 1 - y * y, low=-1.0)

relu = activation_family("relu", "max(z, 0)", lambda z: maximum(z, 0), sign)  # y is never negative

leaky_relu = activation_family(
    "leaky_relu",
    "z where z > 0, else negative_slope * z",
    lambda z, a: maximum(z, a * z),
    lambda y, a: maximum(sign(y), a),
    parameters={"negative_slope": Parameter(0.01, least=0, below=1)},
)

elu = activation_family(
    "elu",
    "z where z > 0, else alpha * (exp(z) - 1)",
    lambda z, alpha: maximum(z, 0) + alpha * expm1(minimum(z, 0)),
    lambda y, alpha: where(y > 0, 1, y + alpha),
    parameters={"alpha": Parameter(1.0, above=0)},
)

selu = activation_family(
    "selu",
    "1.0507 * (z where z > 0, else 1.67326 * (exp(z) - 1))",
    lambda z: SELU_SCALE * (maximum(z, 0) + SELU_ALPHA * expm1(minimum(z, 0))),
    lambda y: where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA),
)

softplus = activation_family(
    "softplus",
    "log(1 + exp(z))",
    lambda z: maximum(z, 0) + log1p(exp(-abs(z))),
    lambda y: -expm1(-y),
)

softsign = activation_family(
    "softsign", "z / (1 + |z|)", lambda z: z / (1 + abs(z)), lambda y: (1 - abs(y)) ** 2, low=-1.0
)

gelu = activation_family(  # Hendrycks & Gimpel 2016, "Gaussian error linear units", section 2
    "gelu",
    "0.5 * z * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z^3))), the tanh form",
    lambda z: 0.5 * z * (1 + of.tanh(sqrt(2 / pi) * (z + 0.044715 * z**3))),
)

silu = activation_family("silu", "z * sigmoid(z)", lambda z: z * sigmoid(z))

hard_sigmoid = activation_family(
    "hard_sigmoid",
    "min(max(z / 6 + 0.5, 0), 1)",
    lambda z: minimum(maximum(z / 6 + 0.5, 0), 1),
    lambda y: sign(y) * sign(1 - y) / 6,
)

exponential = activation_family("exponential", "exp(z)", exp, lambda y: y)

step = activation_family(
    "step", "1 where z > 0, else 0", lambda z: where(z > 0, 1, 0), lambda _: 0, has_slope=False
)
