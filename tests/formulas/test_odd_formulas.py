"""What people write by mistake in a formula of their own is refused, and says what to write instead."""

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop.backend import UpdateFormula, evaluate, statements
from fuseprop.backend.expression import variable
from fuseprop.backend.formula import ActivationFormula, LossFormula
from fuseprop.formulas import (
    Activation,
    Loss,
    as_loss,
    half_poisson_deviance,
    half_squared_error,
    huber,
    identity,
    leaky_relu,
    log_cosh,
    maximum,
    minimum,
    sigmoid,
    sigmoid_cross_entropy,
    sign,
    sin,
    sqrt,
    tanh,
    where,
)

Y, T, Z = variable("y"), variable("t"), variable("z")

REFUSED = {
    "a truth value by ==": (lambda z: 1.0 if z == 0 else sin(z) / z, r"equal\(a, b\)"),
    "a truth value by !=": (lambda z: 1.0 if z != 0 else sin(z) / z, r"equal\(a, b\)"),
    "among numbers": (lambda z: z in (1, 2), r"equal\(a, b\)"),
    "and": (lambda z: where((z > 0) & (z < 1), z, 0), "Conditions stand one within the other"),
    "a power of a number": (lambda z: 2**z, r"exp\(log\(2\) \* z\)"),
    "a remainder": (lambda z: z % 2, "met another operation"),
    "a part": (lambda z: z[0], "met another operation"),
    "a loop": (lambda z: sum(z), "met another operation"),
    "a method": (lambda z: z.sum(), "has no .sum"),
    "where with one argument": (lambda z: np.where(z > 0), r"but as where\(condition, a, b\)"),
    "another variable": (lambda z: z * Y, "must be a formula of z, got y"),
    "a number below float32's": (lambda z: 1e-50 * z, "float32 cannot hold"),
    "a parameter before the operand": (lambda z: sigmoid(2, z), r"write sigmoid\(z\)"),
    "a loss of one operand": (huber, r"write huber\(y, t, delta\)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_mistake_is_named(what):
    function, said = REFUSED[what]
    with pytest.raises((TypeError, ValueError, AttributeError), match=said):
        Activation("mine", function)


def test_built_in_formulas_are_parts_of_others_with_numbers_too():
    made = Activation("mine", lambda z: tanh(0.5) * leaky_relu(0.3)(z) + leaky_relu(z, 0.2))
    other = Activation("mine", lambda z: tanh(0.5) * leaky_relu(z, 0.3) + leaky_relu(0.2)(z))
    assert made == other
    assert str(half_squared_error(Z, 0)) == "0.5 * ((z - 0) * (z - 0))"
    assert huber(2)(Y, T) is huber(Y, T, 2)


WRONG_SLOPES = {
    "far from 0": lambda: Activation("m", lambda z: minimum(maximum(z, 0), 6), sign),
    "where targets are large": lambda: Loss(
        "m", lambda y, t: where(t > 3, (y - t) ** 2, abs(y - t)), lambda y, t: sign(y - t)
    ),
    "of large targets alone": lambda: Loss("m", lambda y, t: (y - t) ** 2, lambda y, t: 2 * (t - y), low=1e6),
    "of a small loss": lambda: Loss("m", lambda y, t: 1e-6 * (y - t) ** 2, lambda y, t: 2e-6 * (t - y)),
}


@pytest.mark.parametrize("where_it_is_wrong", WRONG_SLOPES)
def test_a_wrong_slope_is_found(where_it_is_wrong):
    with pytest.raises(ValueError, match="its slope at"):
        WRONG_SLOPES[where_it_is_wrong]()


def test_a_kink_at_a_compared_point_is_no_mistake():
    Loss("x", lambda y, t: 1000 * (y - t) ** 2 + 0.1 * maximum(abs(y - t) - 0.19, 0))


@pytest.mark.parametrize("term", [lambda y, t: 1.0, lambda y, t: t * t, lambda y, t: where(y > t, 1, 0)])
def test_a_loss_that_moves_nothing_is_refused(term):
    with pytest.raises(ValueError, match="its slope is 0 for every output"):
        Loss("m", term)


def test_options_of_a_loss_are_named_when_they_are_wrong():
    def make(**options):
        return Loss("m", lambda y, t: (y - t) ** 2, **options)

    with pytest.raises(ValueError, match="coding of the loss"):
        make(coding=(1, -1))
    with pytest.raises(ValueError, match="low and high of the loss"):
        make(low=np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="constant must be"):
        make(constant=np.array([1.0]))
    with pytest.raises(ValueError, match=r"low=\.\.\., high="):
        Loss("m", lambda y, t: y / sqrt(t - 100))
    with pytest.raises(ValueError, match="float32 cannot hold"):
        as_loss("huber(1e-50)")


LOSES_NAN = {
    "by the other variable": Loss(
        "m", lambda y, t: where(t > 2, where(y > t, 3 * (y - t), t - y), (y - t) ** 2)
    ),
    "in the target": Loss("m", lambda y, t: where(abs(y) > 2, abs(y), (y - t) ** 2)),
    "from a file": Loss.of_formula(
        "m", LossFormula(where(Y > T, 2 * Y, T), where(Y > T, Y - Y + 2, 0)), low=-1e9
    ),
}


@pytest.mark.parametrize("what", LOSES_NAN)
@pytest.mark.parametrize("y", [-5.0, 0.0, 2.5, 3.0, 40.0, np.nan])
@pytest.mark.parametrize("t", [-5.0, 0.0, 2.5, 3.0, 40.0, np.nan])
def test_nan_goes_through(what, y, t):
    formula, at = LOSES_NAN[what].formula, {"y": np.float64(y), "t": np.float64(t)}
    for expression in (formula.term, formula.slope):
        assert np.isnan(evaluate(expression, at)) == bool(np.isnan(y) or np.isnan(t))


def test_nan_goes_through_an_activation_from_a_file():
    kept = ActivationFormula(maximum(Z, 0), where(Y > 0, 1, 0))
    loaded = Activation.of_formula("mine", kept, 0.0, 1.0)
    assert np.isnan(evaluate(loaded.formula.slope, {"y": np.float64(np.nan)}))
    assert Activation.of_formula("mine", loaded.formula, 0.0, 1.0) == loaded


def test_no_warning_escapes_while_a_formula_is_made():
    made = Activation("r", lambda z: where(z > 0, sqrt(z), z))
    assert made.formula.slope_of == "z"


def near(x, expected):
    return np.testing.assert_allclose(x, expected, rtol=1e-12)


def test_a_built_in_loss_within_another_has_its_own_slope_at_every_point():
    twice = Loss("twice", lambda y, t: 2 * log_cosh(y, t))
    near(evaluate(twice.formula.slope, {"y": np.array([-1.0, 0.0, 1.0]), "t": 0.0}), 2 * np.tanh([-1, 0, 1]))
    logits = Loss("twice", lambda z, t: 2 * sigmoid_cross_entropy(z, t), low=0.0, high=1.0)
    near(evaluate(logits.formula.slope, {"y": np.zeros(2), "t": np.array([0.0, 1.0])}), [1, -1])
    counts = Loss("twice", lambda z, t: 2 * half_poisson_deviance(z, t), low=0.0)
    near(evaluate(counts.formula.slope, {"y": np.array([-1.0, 1.0]), "t": 1.0}), 2 * np.exp([-1, 1]) - 2)
    scaled = Loss("scaled", lambda y, t: half_squared_error(y, 2 * y - t))  # which moves its target, too
    near(evaluate(scaled.formula.slope, {"y": np.array([3.0]), "t": 1.0}), [2.0])


def test_identity_says_nothing_of_what_it_is_given():
    made = Activation("same", lambda z: identity(sigmoid(z))).formula
    assert made == Activation("same", lambda z: sigmoid(z)).formula


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("depth", [30, 99, 190])
def test_deep_formulas_and_formulas_that_share_their_parts_are_computed(depth, dtype):
    def chain(z):
        for _ in range(depth // 3):
            z = 1 / (1.5 + abs(z))
        return z

    def shared(z):
        for _ in range(depth // 4):
            z = 0.5 * (z * z) + 0.1
        return z

    x = np.random.default_rng(0).uniform(-0.5, 0.5, (5, 3)).astype(dtype)
    backend = NumpyBackend(dtype)
    for name, function in (("chain", chain), ("shared", shared)):
        formula = Activation(name, function).formula
        out = np.empty_like(x)
        backend.bias_activation(x, None, formula, out=out)
        np.testing.assert_allclose(out, evaluate(formula.value, {"z": x}), rtol=1e-5)
        backend.activation_backward(x, x, formula, out=out, bias_gradient=np.empty(3, dtype))
        assert statements({"const T value": formula.value, "const T slope": formula.slope})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_alone_are_computed_in_the_dtype(dtype):
    made = Activation("a", lambda z: z * (sqrt(1 + 1e-9) - 1) * 1e9 + 0.001 * z)
    x = np.ones((2, 2), dtype)
    out = np.empty_like(x)
    NumpyBackend(dtype).bias_activation(x, None, made.formula, out=out)
    np.testing.assert_allclose(out, evaluate(made.formula.value, {"z": x}), rtol=1e-6)


def test_the_names_of_an_update_are_its_own():
    with pytest.raises(ValueError, match="names of their own"):
        UpdateFormula(variable("w") - variable("g"), (("w", variable("w")),), ())
    assert "const T v1 = v0" in " ".join(
        statements({"const T out": (variable("v0") + 1) * (variable("v0") + 1)})
    )
