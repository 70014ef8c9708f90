"""Activations and losses against the same formulas in decimal numbers of 360 digits, as textbooks have them.

Nothing here comes from an expression of fuseprop's. The bound is one of relative error: of every digit, from
far out in one tail to far out in the other.
"""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from fuseprop.backend.expression import evaluate
from fuseprop.formulas import ACTIVATIONS, LOSSES, as_activation, as_loss

D = Decimal

DENORMAL = 1e-320
"""What is smaller has no digits left."""

ZEROS = [0.0, -0.0]
Z = sorted(
    {
        s * m
        for m in (1e-150, 1e-30, 1e-8, 1e-3, 0.02, 0.3, 0.7, 1, 1.9, 2.99, 3.01, 6, 17, 40)
        for s in (1, -1)
    }
)
FAR = [-1e4, -1e3, -745.2, -700, -88, 88, 700, 709, 745.2, 800, 1e3, 1e4]


def exp(x):
    return x.exp()


def tanh(x):
    if abs(x) < D("1e-20"):
        return x
    e = exp(-2 * abs(x))
    return (1 - e) / (1 + e) * (1 if x > 0 else -1)


def sigmoid(x):
    return 1 / (1 + exp(-x)) if x > 0 else exp(x) / (1 + exp(x))


def log(x):
    return x.ln()


SELU = D("1.0507009873554804934193349852946"), D("1.6732632423543772848170429916717")


def gelu(x):
    c = (2 / D("3.14159265358979323846264338327950288419716939937510")).sqrt()
    return x / 2 * (1 + tanh(c * (x + D("0.044715") * x**3)))


def gelu_slope(x):
    c = (2 / D("3.14159265358979323846264338327950288419716939937510")).sqrt()
    u = tanh(c * (x + D("0.044715") * x**3))
    return (1 + u) / 2 + x / 2 * (1 - u) * (1 + u) * c * (1 + 3 * D("0.044715") * x**2)


VALUES = {
    "identity": (lambda z: z, lambda z: D(1)),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "step": (lambda z: D(z > 0), lambda z: D(0)),
    "tanh": (tanh, lambda z: (1 - tanh(z)) * (1 + tanh(z))),
    "relu": (lambda z: max(z, D(0)), lambda z: D(z > 0)),
    "leaky_relu": (lambda z: z if z > 0 else z * D(0.01), lambda z: D(1) if z > 0 else D(0.01)),
    "leaky_relu(0.2)": (lambda z: z if z > 0 else z * D(0.2), lambda z: D(1) if z > 0 else D(0.2)),
    "elu": (lambda z: z if z > 0 else exp(z) - 1, lambda z: D(1) if z > 0 else exp(z)),
    "elu(0.3)": (
        lambda z: z if z > 0 else D(0.3) * (exp(z) - 1),
        lambda z: D(1) if z > 0 else D(0.3) * exp(z),
    ),
    "selu": (
        lambda z: SELU[0] * (z if z > 0 else SELU[1] * (exp(z) - 1)),
        lambda z: SELU[0] * (1 if z > 0 else SELU[1] * exp(z)),
    ),
    "softplus": (lambda z: max(z, D(0)) + log(1 + exp(-abs(z))), sigmoid),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2),
    "gelu": (gelu, gelu_slope),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "hard_sigmoid": (lambda z: min(max(z / 6 + D("0.5"), D(0)), D(1)), lambda z: D(-3 < z < 3) / 6),
    "exponential": (exp, exp),
}


def decimals(formula, *arrays):
    """Return a formula's values in decimals, rounded to float64 at the end; beyond it, infinities."""
    with localcontext() as context:
        context.prec = 360  # 1 + e^-745 and cosh(1e-150) differ from 1
        context.Emax, context.Emin = 10**9, -(10**9)
        return np.array([float(formula(*map(D, point))) for point in zip(*arrays, strict=True)])


def close(got, reference, *, digits_of=0.0, eps=16):
    """Whether numbers agree in all digits but for `eps` roundings, or to `digits_of` of 1."""
    bound = eps * np.finfo(np.float64).eps * np.maximum(np.abs(reference), digits_of)
    with np.errstate(invalid="ignore"):
        return (np.abs(got - reference) <= np.maximum(bound, DENORMAL)) | (got == reference)


def check(got, reference, points, **how):
    wrong = ~close(got, reference, **how)
    assert not wrong.any(), (
        f"at {[p[wrong][0] for p in points]}: {got[wrong][0]!r}, not {reference[wrong][0]!r}"
    )


@pytest.mark.parametrize("name", VALUES)
def test_activation(name):
    formula, (value, slope) = as_activation(name).formula, VALUES[name]
    z = np.array([*Z, *FAR, *ZEROS])
    with np.errstate(all="ignore"):
        y = np.broadcast_to(evaluate(formula.value, {"z": z}), z.shape)
        got = np.broadcast_to(evaluate(formula.slope, {"y": y, "z": z}), z.shape)
    # 1 + tanh and z / 6 + 0.5 cancel where they are nearly 0; so do 1 + y and 1 - y in slopes: to 1 eps of 1.
    check(y, decimals(value, z), [z], digits_of=1.0 if name in ("gelu", "hard_sigmoid") else 0.0)
    if name == "leaky_relu":
        assert got[z == 0].tolist() == [0.01, 0.01]
    check(got, decimals(slope, z), [z], digits_of=1.0)


def values(name, *z):
    with np.errstate(all="ignore"):
        return evaluate(as_activation(name).formula.value, {"z": np.array(z)})


def test_activations_in_their_tails():
    assert values("softplus", -40.0, 800.0) == pytest.approx([4.248354255291589e-18, 800.0], rel=1e-15)
    assert values("softplus", -745.0)[0] > 0
    assert values("silu", -1e3, -40.0, 1e3).tolist() == pytest.approx(
        [0.0, -1.699341702116636e-16, 1e3], rel=1e-15
    )
    assert values("elu", -1e-12) == pytest.approx([-1e-12], rel=1e-11, abs=0)
    assert values("sigmoid", -700.0, 700.0) == pytest.approx([9.859676543759770e-305, 1.0], rel=1e-14, abs=0)
    assert values("gelu", -40.0, 40.0).tolist() == [0.0, 40.0]
    assert values("softsign", 1e300, -1e300).tolist() == [1.0, -1.0]
    assert values("hard_sigmoid", -3.0, 3.0, 0.0).tolist() == [0.0, 1.0, 0.5]


LIMITS = {
    "identity": (-np.inf, np.inf),
    "sigmoid": (0, 1),
    "step": (0, 1),
    "tanh": (-1, 1),
    "relu": (0, np.inf),
    "leaky_relu": (-np.inf, np.inf),
    "elu": (-1, np.inf),
    "selu": (-float(SELU[0] * SELU[1]), np.inf),
    "softplus": (0, np.inf),
    "hard_sigmoid": (0, 1),
    "exponential": (0, np.inf),
}
"""At -inf and inf."""


@pytest.mark.parametrize("name", LIMITS)
def test_activations_at_infinity(name):
    assert values(name, -np.inf, np.inf) == pytest.approx(LIMITS[name], rel=1e-15)


@pytest.mark.parametrize("name", ["softsign", "gelu", "silu"])
def test_what_is_inf_by_inf_or_0_inf_as_it_is_written_is_nan(name):
    assert np.isnan(values(name, -np.inf, np.inf)).any()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_goes_through_activation_and_slope(name):
    formula, nan = as_activation(name).formula, np.array([np.nan])
    with np.errstate(all="ignore"):
        assert np.isnan(evaluate(formula.value, {"z": nan})).all()
        if formula.slope_of is not None:
            assert np.isnan(evaluate(formula.slope, {"y": nan, "z": nan})).all()


# Losses


def log_cosh(y, t):
    e = abs(y - t)
    return e + log(1 + exp(-2 * e)) - log(D(2)) if e else D(0)


def huber(delta):
    def term(y, t):
        e = abs(y - t)
        return e**2 / 2 if e <= D(delta) else D(delta) * (e - D(delta) / 2)

    return term, lambda y, t: max(-D(delta), min(D(delta), y - t))


def quantile(q):
    q = D(q)
    return (
        lambda y, t: q * (t - y) if t > y else (1 - q) * (y - t),
        lambda y, t: D(0) if y == t else (-q if t > y else 1 - q),
    )


def poisson(z, t):
    return (t * (log(t) - z) if t else D(0)) - t + exp(z)


LOSS_VALUES = {
    "half_squared_error": (lambda y, t: (y - t) ** 2 / 2, lambda y, t: y - t),
    "mean_squared_error": (lambda y, t: (y - t) ** 2, lambda y, t: 2 * (y - t)),
    "mean_absolute_error": (lambda y, t: abs(y - t), lambda y, t: D((y > t) - (y < t))),
    "sigmoid_cross_entropy": (
        lambda z, t: max(z, D(0)) - t * z + log(1 + exp(-abs(z))),
        lambda z, t: sigmoid(z) - t,
    ),
    "half_poisson_deviance": (poisson, lambda z, t: exp(z) - t),
    "huber": huber(1),
    "huber(1.35)": huber(1.35),
    "log_cosh": (log_cosh, lambda y, t: tanh(y - t)),
    "quantile": quantile(0.5),
    "quantile(0.9)": quantile(0.9),
    "hinge": (lambda y, t: max(1 - t * y, D(0)), lambda y, t: -t if 1 - t * y > 0 else D(0)),
}

EXACT = {"sigmoid_cross_entropy", "half_poisson_deviance", "log_cosh"}
"""Whose terms are differences of large numbers, as textbooks write them, but lose no digit here."""


@pytest.mark.parametrize("name", LOSS_VALUES)
def test_loss(name):
    loss, (term, slope) = as_loss(name), LOSS_VALUES[name]
    targets = [t for t in (-1.0, -0.4, 0.0, 0.25, 1.0, 2.5, 300.0) if loss.low <= t <= loss.high]
    outputs = [*Z, 0.0, *(y for y in FAR if abs(y) < 701), *targets, *(t * (1 + 1e-9) for t in targets)]
    y, t = (each.ravel() for each in np.meshgrid(outputs, targets))
    with np.errstate(all="ignore"):
        got = evaluate(loss.formula.term, {"y": y, "t": t})
        slopes = np.broadcast_to(evaluate(loss.formula.slope, {"y": y, "t": t}), y.shape)
    digits_of = np.maximum(1, np.abs(t))  # the difference of two numbers near t is right within its roundings
    if name == "log_cosh":
        digits_of = np.maximum(1, np.abs(y - t)) * 1e-300
        exactly = np.array(
            y - t
        )  # of the difference as float64 has it: that subtraction is not the formula's
        check(got, decimals(lambda e: log_cosh(e, D(0)), exactly), [y, t])
    else:
        check(got, decimals(term, y, t), [y, t], digits_of=digits_of)
    check(slopes, decimals(slope, y, t), [y, t], digits_of=digits_of if name != "log_cosh" else 1.0)


def terms(name, y, t):
    with np.errstate(all="ignore"):
        return float(evaluate(as_loss(name).formula.term, {"y": np.float64(y), "t": np.float64(t)}))


def test_losses_near_nothing_and_far_away():
    assert terms("log_cosh", 1e-8, 0) == pytest.approx(5e-17, rel=1e-15, abs=0)
    assert terms("log_cosh", 1e-150, 0) == pytest.approx(5e-301, rel=1e-14, abs=0)
    assert terms("log_cosh", 0.25, 0.25) == 0
    assert terms("log_cosh", 1e4, 0) == pytest.approx(1e4 - np.log(2), rel=1e-15)
    assert terms("log_cosh", -1e300, 0) == 1e300
    assert terms("sigmoid_cross_entropy", 40, 1) == pytest.approx(4.248354255291589e-18, rel=1e-14, abs=0)
    assert terms("sigmoid_cross_entropy", -800, 1) == 800
    assert terms("half_poisson_deviance", np.log(7.0) + 1e-7, 7) == pytest.approx(3.5e-14, rel=1e-6, abs=0)
    assert terms("half_poisson_deviance", -800, 0) == 0
    assert terms("huber(1.35)", 1e200, 0) == pytest.approx(1.35e200)
    assert terms("huber", 1e-150, 0) == pytest.approx(5e-301, rel=1e-14, abs=0)
    assert terms("quantile(0.9)", 0, 1) == pytest.approx(0.9)
    assert terms("quantile(0.9)", 1, 0) == pytest.approx(0.1)
    assert terms("hinge", 1, 1) == terms("hinge", 2, 1) == 0
    assert terms("hinge", 1, -1) == 2


def kept(values, slope):
    """Return a loss's slope at the target itself, or a kink."""
    return float(evaluate(as_loss(slope).formula.slope, {name: np.float64(v) for name, v in values.items()}))


@pytest.mark.parametrize("name", ["mean_absolute_error", "quantile(0.9)", "huber", "log_cosh"])
def test_a_target_that_is_met_moves_nothing(name):
    assert kept({"y": 0.25, "t": 0.25}, name) == 0


@pytest.mark.parametrize("name", [name for name in LOSSES if not LOSSES[name]().takes_labels])
def test_nan_in_output_or_target_is_nan_in_term_and_slope(name):
    formula = as_loss(name).formula
    for y, t in ((np.nan, 0.5), (0.5, np.nan), (np.nan, np.nan), (np.nan, 0.0), (-np.nan, 1.0)):
        for expression in (formula.term, formula.slope):
            with np.errstate(all="ignore"):
                assert np.isnan(evaluate(expression, {"y": np.float64(y), "t": np.float64(t)})), (y, t)
