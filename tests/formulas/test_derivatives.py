"""Derivatives of drawn expressions are central differences, and what slopes people read is short."""

import gc

import numpy as np
import pytest
from drawn import draw
from properties import compared

from fuseprop.backend import derivative as rules
from fuseprop.backend import expression as of
from fuseprop.backend.derivative import derivative
from fuseprop.backend.expression import OPERATIONS, apply, evaluate, in_order, number, variable, where
from fuseprop.formulas import ACTIVATIONS, LOSSES, Activation, maximum, relu, sigmoid
from fuseprop.formulas.tracing import collecting_slopes

Y, T, Z = variable("y"), variable("t"), variable("z")

DRAWN = 300


def test_drawn_derivatives_are_central_differences():
    counts = [compared(draw(seed, size=8), seed) for seed in range(DRAWN)]
    assert sum(count > 60 for count in counts) > 0.6 * DRAWN, "too little was compared"


SMOOTH = {"log": abs(Y) + 1, "sqrt": abs(Y) + 1, "log1p": abs(Y)}


def one_of(op):
    """Return an expression in which the rule of that operation is needed, and both operands move."""
    if op == "where":
        return where(Y > T, Y * Y, T * T * T)
    operands = [Y * Y + T, T * T + Y][: OPERATIONS[op].arity]
    return apply(op, *operands) if op not in SMOOTH else apply(op, SMOOTH[op] * (1 + T * T))


WITH_A_SLOPE = sorted(set(OPERATIONS) - of.COMPARISONS - {"sign"})


@pytest.mark.parametrize("op", WITH_A_SLOPE)
def test_every_rule(op):
    assert compared(one_of(op)) > 80


@pytest.mark.parametrize("op", WITH_A_SLOPE)
def test_a_wrong_rule_would_be_found(monkeypatch, op):
    right = rules._RULES[op]
    monkeypatch.setitem(rules._RULES, op, lambda node, *slopes: 1.001 * right(node, *slopes))
    with pytest.raises(AssertionError, match="by differences"):
        compared(one_of(op))


@pytest.mark.parametrize("op", sorted(of.COMPARISONS | {"sign"}))
def test_what_jumps_has_the_slope_0_beside_the_jump(op):
    made = apply(op, *(Y, T)[: OPERATIONS[op].arity])
    assert derivative(made, "y") is derivative(made, "t") is number(0)


def test_at_kinks_it_is_the_mean_of_both_sides():
    at = {"z": np.array([-1.0, -0.0, 0.0, 1.0])}
    for made, slopes in (
        (of.maximum(Z, 0), [0, 0.5, 0.5, 1]),
        (of.maximum(0, Z), [0, 0.5, 0.5, 1]),
        (of.minimum(Z, 0), [1, 0.5, 0.5, 0]),
        (of.maximum(Z * Z, Z * Z * Z), [-2, 0, 0, 2.5]),
        (of.maximum(Z, 0) + of.log1p(of.exp(-abs(Z))), [1 / (1 + np.e), 0.5, 0.5, 1 / (1 + 1 / np.e)]),
        (where(Z > 0, Z, 2 * Z), [2, 2, 2, 1]),
        (abs(Z), [-1, 0, 0, 1]),
    ):
        got = np.broadcast_to(evaluate(derivative(made, "z"), at), (4,))
        np.testing.assert_allclose(got, slopes, rtol=1e-15, err_msg=str(made))


@pytest.mark.parametrize(
    ("made", "slope"),
    [
        (Z * Z, "2 * z"),
        (0.5 * (Z - 3) * (Z - 3), "z - 3"),
        (of.tanh(Z), "1 - tanh(z) * tanh(z)"),
        (apply("negative", -Z), "1"),
        (2 - Z, "-1"),
        (of.exp(2 * Z), "2 * exp(2 * z)"),
        (of.log(Z), "1 / z"),
        (Z / 4, "1 / 4"),
        (number(3) * 4, "0"),
        (Y, "0"),
    ],
)
def test_slopes_are_as_short_as_a_person_would_write_them(made, slope):
    assert str(derivative(made, "z")) == slope


def test_the_slope_of_an_activation_within_a_formula_is_taken():
    with collecting_slopes() as known:
        made = sigmoid(3 * Z)
    y = variable("y")
    got = of.substitute(derivative(made, "z", known), {made: y})
    assert str(got) == "3 * (y * (1 - y))"
    assert "exp" not in str(of.substitute(derivative(Z * made, "z", known), {made: y}))
    assert "exp" in str(of.substitute(derivative(made, "z"), {made: y}))


def test_a_formula_has_the_slope_that_it_has_alone():
    """What another formula has said of an equal part of it makes no difference."""

    def relu_by_hand():
        return Activation("by hand", lambda z: maximum(z, 0)).formula

    before = relu_by_hand()
    kept = Activation("other", lambda z: 2 * relu(z) + z).formula
    assert relu_by_hand() == before
    assert kept.slope is not before.slope


def test_minus_nothing_is_nothing():
    assert str(derivative(-T * of.log(Y), "y")) == "1 / y * -t"


def test_a_search_over_activations_of_ones_own_keeps_none():
    Activation("first", lambda z: z * sigmoid(z)).formula, gc.collect()
    before = len(of._KNOWN)
    for i in range(100):
        Activation(f"scaled {i}", lambda z: z * sigmoid(z * (i + 0.5)))  # noqa: B023 (called at once)
    gc.collect()
    assert len(of._KNOWN) == before


@pytest.mark.parametrize("op", sorted(set(OPERATIONS)))
def test_a_slope_has_at_most_as_many_operations_as_files_take(op):
    made, add = Z, 0
    while len(in_order([made])) < of.MAX_OPERATIONS - 3:
        add += 1
        if op == "where":
            made = where(made > add, made * Z, made)
        else:
            made = apply(op, *(made, made * Z if add % 2 else Z)[: OPERATIONS[op].arity])
    assert len(in_order([derivative(made, "z")])) < of.MAX_SLOPE / 1.5


@pytest.mark.parametrize(
    "formula",
    [*(family().formula for family in ACTIVATIONS.values())],
    ids=list(ACTIVATIONS),
)
def test_slopes_of_activations_are_their_derivatives(formula):
    z = np.array([-30, -5.3, -3.1, -2.2, -1.4, -0.6, -0.2, -0.01, 0.01, 0.2, 0.6, 1.4, 2.2, 3.1, 5.3, 30])
    y = evaluate(formula.value, {"z": z})
    slope = np.broadcast_to(evaluate(formula.slope, {"y": y, "z": z}), z.shape)
    derived = np.broadcast_to(evaluate(derivative(formula.value, "z"), {"z": z}), z.shape)
    assert np.abs(slope - derived).max() <= 1e-12 * np.maximum(1, np.abs(derived)).max()


@pytest.mark.parametrize("name", [name for name, family in LOSSES.items() if hasattr(family(), "formula")])
def test_slopes_of_losses_are_their_derivatives(name):
    loss = LOSSES[name]()
    y = np.array([-30, -5.3, -2.2, -1.4, -0.6, -0.01, 0.01, 0.2, 0.6, 1.4, 2.2, 5.3, 30])
    for t in (-1.0, 0.0, 0.37, 1.0, 2.7):
        if loss.low <= t <= loss.high:
            at = {"y": y, "t": np.full_like(y, t)}
            got, derived = evaluate(loss.formula.slope, at), evaluate(derivative(loss.formula.term, "y"), at)
            assert np.abs(got - derived).max() <= 1e-9 * np.maximum(1, np.abs(derived)).max()
