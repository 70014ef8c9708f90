"""The built-in losses: each formula once, of an output y and its target t, or of a logit z and its target.

A slope that is left out is derived. A new loss is one more call of `loss_family` here. Softmax cross-entropy,
which is one of a whole row, stands in the backends.
"""

from __future__ import annotations

from math import log

from ..backend import expression as of
from ..backend.expression import Expression, exp, expm1, log1p, maximum, minimum, sign, tiny, where
from .activations import sigmoid, tanh
from .families import Parameter
from .loss import loss_family, softmax_family


def _huber(y: Expression, t: Expression, delta: float) -> Expression:
    """e^2/2 up to delta, beyond it a line: with c = min(|e|, delta) both are c (|e| - c/2)."""
    error = abs(y - t)
    near = minimum(error, delta)
    return near * (error - 0.5 * near)


def _log_cosh(y: Expression, t: Expression) -> Expression:
    """With u = e^-|e| - 1, cosh e = 1 + u^2 / (2 (1 + u)): exact near 0; |e| - log 2 + ... far from it."""
    error = abs(y - t)
    u = expm1(-minimum(error, 1))
    far = error + log1p(exp(-2 * error)) - log(2)
    return where(error <= 1, log1p(u * u / (2 * (1 + u))), far)


def _half_poisson_deviance(z: Expression, t: Expression) -> Expression:
    """With d = z - log t: t (e^d - 1 - d) near d = 0, elsewhere (y - t) - t d, in which little cancels."""
    d = z - of.log(maximum(t, tiny()))  # a target of 0 takes no part in what follows
    near = minimum(maximum(d, -1), 1)
    return where(abs(d) <= 1, t * (expm1(near) - near), exp(z) - t - t * d)


half_squared_error = loss_family(
    "half_squared_error",
    "(y - t)^2 / 2",  # the half cancels the 2 of the derivative
    lambda y, t: 0.5 * (y - t) ** 2,
    mean=False,
    metric="r2",
)

mean_squared_error = loss_family("mean_squared_error", "(y - t)^2", lambda y, t: (y - t) ** 2, metric="r2")

mean_absolute_error = loss_family(  # 0 where a target is met: there is nothing to move
    "mean_absolute_error",
    "|y - t|",
    lambda y, t: abs(y - t),
    lambda y, t: sign(y - t),
    metric="d2",
    constant=0.5,
)

sigmoid_cross_entropy = loss_family(
    "sigmoid_cross_entropy",
    "-t log p - (1 - t) log(1 - p), p = sigmoid(z)",
    # log(1 + e^z) - t z: no part is negative, so that nothing cancels, and none overflows
    lambda z, t: log1p(exp(-abs(z))) + ((z >= 0) - t) * z,
    lambda z, t: sigmoid(z) - t,
    link="sigmoid",
    low=0.0,
    high=1.0,
    mean=False,
    metric="accuracy",
)

softmax_cross_entropy = softmax_family()

half_poisson_deviance = loss_family(
    "half_poisson_deviance",
    "t log(t / y) - t + y, y = exp(z)",
    _half_poisson_deviance,
    lambda z, t: exp(z) - t,
    link="exponential",
    low=0.0,
    mean=False,
    metric="d2",
)

huber = loss_family(  # Huber 1964, "Robust estimation of a location parameter"
    "huber",
    "(y - t)^2 / 2 where |y - t| <= delta, else delta (|y - t| - delta / 2)",
    _huber,
    lambda y, t, delta: minimum(maximum(y - t, -delta), delta),
    parameters={"delta": Parameter(1.0, above=0)},
)

log_cosh = loss_family("log_cosh", "log(cosh(y - t))", _log_cosh, lambda y, t: tanh(y - t))

quantile = loss_family(  # Koenker & Bassett 1978, "Regression quantiles"
    "quantile",
    "q (t - y) where t > y, else (1 - q) (y - t)",
    lambda y, t, q: maximum(q * (t - y), (1 - q) * (y - t)),
    lambda y, t, q: 0.5 * sign(y - t) + (0.5 - q) * abs(sign(y - t)),
    parameters={"q": Parameter(0.5, above=0, below=1)},
    metric="d2",
    constant=lambda q: q,
)

hinge = loss_family(
    "hinge",
    "max(1 - t y, 0), t = -1 or 1",
    lambda y, t: maximum(1 - t * y, 0),
    lambda y, t: -t * sign(maximum(1 - t * y, 0)),
    low=-1.0,
    high=1.0,
    coding=(-1.0, 1.0),
    metric="accuracy",
)
