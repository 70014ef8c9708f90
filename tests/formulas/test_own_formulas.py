"""Formulas of one's own: NaN goes through them, their slopes are checked, and what is none is refused."""

import copy
import pickle

import numpy as np
import pytest
from drawn import draw

from fuseprop.backend.expression import MAX_OPERATIONS, evaluate, in_order, number, variable, variables
from fuseprop.formulas import (
    ACTIVATIONS,
    Activation,
    Loss,
    as_activation,
    as_loss,
    equal,
    exp,
    huber,
    log,
    maximum,
    relu,
    sigmoid,
    sign,
    silu,
    softplus,
    sqrt,
    step,
    tanh,
    where,
)
from fuseprop.formulas.activation import activate, slope
from fuseprop.formulas.tracing import letting_nan_through

Y, T, Z = variable("y"), variable("t"), variable("z")


def term(loss, y, t):
    with np.errstate(all="ignore"):
        return float(evaluate(loss.formula.term, {"y": np.float64(y), "t": np.float64(t)}))


def loss_slope(loss, y, t):
    with np.errstate(all="ignore"):
        return float(evaluate(loss.formula.slope, {"y": np.float64(y), "t": np.float64(t)}))


def test_one_line_is_an_activation():
    swish = Activation("swish", lambda z: z * sigmoid(z))
    assert swish.formula == silu().formula
    assert swish != silu()
    assert swish.formula.slope_of == "z"
    assert swish == Activation("swish", lambda x: x * sigmoid(x))
    assert str(swish) == "swish"
    assert as_activation(swish) is swish
    z = np.linspace(-3, 3, 7)
    assert activate(swish, z) == pytest.approx(z / (1 + np.exp(-z)))


def test_a_function_without_a_slope_is_marked():
    """The mark says what the formula does; NaN goes through a step as through anything else."""
    for name, family in ACTIVATIONS.items():
        points = np.linspace(-4, 4, 81)
        at = slope(name, points if family().formula.slope_of == "z" else activate(name, points))
        assert family().has_slope == at.any() == (name != "step")
    z = np.array([-np.inf, -2.0, -0.0, 0.0, 5e-324, 2.0, np.inf, np.nan])
    for made in (step(), Activation("own", lambda z: where(z > 0, 1, 0))):
        assert not made.has_slope
        assert not slope(made, z[:-1]).any()
        np.testing.assert_array_equal(activate(made, z), [0, 0, 0, 0, 1, 1, 1, np.nan])
    assert slope("step", 0.5) == 0
    sides = Activation("sides", sign, low=-1)
    assert not sides.has_slope
    assert sides.threshold == 0
    gated = Activation("gated", lambda z: z * step(z))
    assert gated.has_slope
    assert slope(gated, np.array([-1.0, 2.0])).tolist() == [0, 1]


def test_one_line_is_a_loss():
    made = Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y))
    assert [term(made, y, 1) for y in (0, 1, 2)] == [1, 0, 3]
    assert [loss_slope(made, y, 1) for y in (0, 2)] == [-1, 3]
    assert made == Loss("asymmetric", lambda a, b: where(a > b, 3 * (a - b), b - a))
    assert made != Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y), mean=False)
    assert as_loss(made) is made


def test_a_slope_is_of_the_output_where_it_can_be_told_from_it():
    assert Activation("t", lambda z: tanh(z)).formula.slope_of == "y"
    assert Activation("e", lambda z: exp(2 * z)).formula.slope_of == "y"
    assert Activation("line", lambda z: 2 * z + 1).formula.slope_of is None
    assert Activation("s", lambda z: sigmoid(3 * z)).formula.slope_of == "y"
    assert Activation("square", lambda z: z * z / (1 + z * z)).formula.slope_of == "z"
    assert Activation("given", lambda z: exp(z), lambda y: y).formula.slope_of == "y"
    assert Activation("same", lambda z: z).formula.slope is number(1)


@pytest.mark.parametrize(
    "write",
    [
        lambda z: where(z > 0, z, 0.1),
        lambda z: where(z > 0, 1, 0) * where(z < 1, 1, 2) + 0.25 * where(equal(z, z), z, 0),
        lambda z: maximum(z > 0.5, z),
        lambda z: where(z > 0, exp(-z), 2 - z),
        lambda z: relu(z) + where(z >= 1, 1, 0),
    ],
)
def test_nan_goes_through_whatever_is_compared(write):
    made = Activation("own", write)
    with np.errstate(all="ignore"):
        assert np.isnan(activate(made, np.nan))
        if made.formula.slope_of is not None:
            assert np.isnan(slope(made, np.nan))
        z = np.array([-2.0, 0.25, 0.75, 3.0])
        assert activate(made, z) == pytest.approx(np.broadcast_to(evaluate(write(Z), {"z": z}), z.shape))


def test_nan_goes_through_losses_from_either_side():
    for write in (
        lambda y, t: where(y > t, 3 * (y - t), 2.0) + 0 * t,
        lambda y, t: where(t > 0, y * y, 1),
        lambda y, t: where(y > 0, y, 0) + where(t > 0, t, 0),
    ):
        made = Loss("own", write)
        for y, t in ((np.nan, 1.0), (np.nan, -1.0), (0.5, np.nan), (-0.5, np.nan), (np.nan, np.nan)):
            assert np.isnan(term(made, y, t))


def test_the_guard_changes_nothing_but_nan_in_drawn_formulas():
    guarded = 0
    for seed in range(200):
        made = draw(seed)
        safe = letting_nan_through(made, ["y", "t"])
        guarded += safe is not made
        y, t = np.random.default_rng(seed).normal(0, 2, (2, 50))
        with np.errstate(all="ignore"):
            before, after = (
                np.broadcast_to(evaluate(each, {"y": y, "t": t}), y.shape) for each in (made, safe)
            )
            assert np.array_equal(before, after, equal_nan=True)
            for name in variables(made):
                at = {"y": y, "t": t, name: np.full(50, np.nan)}
                assert np.isnan(evaluate(safe, at)).all(), made
    assert guarded > 20


def test_a_slope_that_is_wrong_is_refused():
    with pytest.raises(
        ValueError, match=r'activation "own": its slope at z = .* is .*, but the function rises by'
    ):
        Activation("own", lambda z: tanh(z), lambda y: 1 - y)
    with pytest.raises(ValueError, match=r'loss "own" with the target .*: its slope at y = .* is'):
        Loss("own", lambda y, t: (y - t) ** 2, lambda y, t: y - t)
    with pytest.raises(ValueError, match="its slope at z"):
        Activation("own", lambda z: tanh(z), lambda y: 1.01 * (1 - y * y))
    with pytest.raises(ValueError, match="its slope at y"):  # right where y > t alone
        Loss("own", lambda y, t: abs(y - t), lambda y, t: 1)


def test_slopes_at_kinks_may_be_of_either_side():
    Activation("own", lambda z: maximum(z, 0), lambda y: sign(y))
    Activation("own", lambda z: abs(z - 0.013))  # the kink is one of the points that are compared
    Loss("own", lambda y, t: abs(y - t))


LONG = "x" * 1000

REFUSED = {
    "an if": (
        lambda: Activation("own", lambda z: z if z > 0 else 0),
        TypeError,
        "Write where(condition, a, b)",
    ),
    "no function": (lambda: Activation("own", 3), TypeError, 'activation "own" must be a function, got 3.'),
    "a name as a function": (lambda: Activation("own", "tanh"), TypeError, 'must be a function, got "tanh".'),
    "nothing returned": (
        lambda: Activation("own", lambda z: None),
        TypeError,
        "must return a formula of z, got None.",
    ),
    "text returned": (
        lambda: Activation("own", lambda z: "z"),
        TypeError,
        'must return a formula of z, got "z".',
    ),
    "an array returned": (
        lambda: Activation("own", lambda z: np.ones(2)),
        TypeError,
        "must return a formula of z",
    ),
    "too many arguments": (lambda: Activation("own", lambda a, b: a), TypeError, "must be a function of z"),
    "too few arguments": (lambda: Loss("own", lambda y: y), TypeError, "must be a function of y and t"),
    "a slope that is none": (lambda: Activation("own", lambda z: z, 1), TypeError, "slope of the activation"),
    "a constant": (lambda: Activation("own", lambda z: 1), ValueError, "is the same at every z from -71.7"),
    "a constant that is infinite": (
        lambda: Activation("own", lambda z: log(0 * where(z > 0, 1, 0))),
        ValueError,
        "is the same at every z",
    ),
    "a step that is far": (
        lambda: Activation("own", lambda z: where(z > 100, 1, 0)),
        ValueError,
        "so that no weight in front of it changes anything. Write a function that depends on z there.",
    ),
    "a step with the slope of a line": (
        lambda: Activation("own", lambda z: where(z > 0, 1, 0), lambda y: 1),
        ValueError,
        "is 1, but the function rises by 0 there",
    ),
    "never a number": (
        lambda: Activation("own", lambda z: log(-1 - z * z)),
        ValueError,
        "is not a number at any z",
    ),
    "infinite numbers": (
        lambda: Activation("own", lambda z: z * float("inf")),
        ValueError,
        "must be finite, got inf",
    ),
    "large numbers": (
        lambda: Activation("own", lambda z: z + 1e39),
        ValueError,
        "1e+39, which float32 cannot hold",
    ),
    "too long": (
        lambda: Activation("own", lambda z: sum((exp(z / (i + 2)) for i in range(80)), z)),
        ValueError,
        "has 321 operations, numbers and variables; a formula may have 200.",
    ),
    "a loss that is too long": (
        lambda: Loss("own", lambda y, t: sum((exp(y / (i + 2)) for i in range(80)), t)),
        ValueError,
        "numbers and variables; a formula may have 200.",
    ),
    "a built-in name": (
        lambda: Activation("relu", tanh),
        ValueError,
        '"relu" is the name of a built-in activation',
    ),
    "a member's name": (
        lambda: Activation("elu(2)", tanh),
        ValueError,
        "is the name of a built-in activation",
    ),
    "a family's name": (
        lambda: Loss("huber (3)", lambda y, t: y - t),
        ValueError,
        "of a built-in loss; choose",
    ),
    "a name that is none": (
        lambda: Activation(3, tanh),
        TypeError,
        "name of the activation must be text, got 3.",
    ),
    "an empty name": (lambda: Activation("", tanh), ValueError, "1 to 60 letters, digits"),
    "a long name": (lambda: Activation("n" * 61, tanh), ValueError, "1 to 60 letters, digits"),
    "a name in two lines": (lambda: Activation("a\nb", tanh), ValueError, r'got "a\nb".'),
    "a name of an escape": (lambda: Loss("a\x1b[2J", lambda y, t: y - t), ValueError, 'got "a\\x1b[2J".'),
    "low above high": (
        lambda: Activation("own", tanh, low=1, high=0),
        ValueError,
        "low below high, got 1 and 0.",
    ),
    "low is high": (lambda: Activation("own", tanh, low=1, high=1), ValueError, "low below high"),
    "low is nan": (lambda: Activation("own", tanh, low=np.nan), ValueError, "low below high, got nan"),
    "low is text": (lambda: Activation("own", tanh, low="0"), ValueError, 'low below high, got "0"'),
    "low is true": (lambda: Activation("own", tanh, low=True, high=2), ValueError, "must be numbers"),
    "a text that is none": (lambda: Activation("own", tanh, text=3), TypeError, "must be text, got 3."),
    "a text in two lines": (lambda: Activation("own", tanh, text="a\nb"), ValueError, "printable characters"),
    "a long text": (lambda: Activation("own", tanh, text=LONG), ValueError, "printable characters"),
    "an unknown link": (lambda: Loss("own", lambda y, t: y - t, link="logit"), ValueError, "Choose from:"),
    "softmax as a link": (
        lambda: Loss("own", lambda y, t: y - t, link="softmax"),
        ValueError,
        "Choose from:",
    ),
    "an unknown metric": (lambda: Loss("own", lambda y, t: y - t, metric="f1"), ValueError, "Choose from:"),
    "targets from high to low": (
        lambda: Loss("own", lambda y, t: y - t, low=1, high=0),
        ValueError,
        "low below high",
    ),
    "targets from nan": (lambda: Loss("own", lambda y, t: y - t, low=np.nan), ValueError, "low below high"),
    "targets from text": (lambda: Loss("own", lambda y, t: y - t, low="0"), ValueError, "low below high"),
    "a coding of one": (
        lambda: Loss("own", lambda y, t: y - t, coding=(1,)),
        ValueError,
        "must be two numbers",
    ),
    "a coding backwards": (
        lambda: Loss("own", lambda y, t: y - t, coding=(1, -1)),
        ValueError,
        "the first below the second",
    ),
    "a coding that is refused": (
        lambda: Loss("own", lambda y, t: y - t, low=0, coding=(-1, 1)),
        ValueError,
        "must be two targets that it takes, from 0 to inf",
    ),
    "a mean that is none": (
        lambda: Loss("own", lambda y, t: y - t, mean=1),
        TypeError,
        "mean must be True or False",
    ),
    "an unknown constant": (
        lambda: Loss("own", lambda y, t: y - t, constant="median"),
        ValueError,
        'must be "mean"',
    ),
    "a quantile beyond 1": (
        lambda: Loss("own", lambda y, t: y - t, constant=1.5),
        ValueError,
        "a quantile between",
    ),
    "a part that is no formula of one output": (
        lambda: Loss("own", lambda y, t: as_loss("softmax_cross_entropy").of(y, t)),
        TypeError,
        "is a loss of all outputs of a row together",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_formula_is_refused(what):
    call, error, message = REFUSED[what]
    with pytest.raises(error) as refused:
        call()
    assert message in str(refused.value)
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) < 400


def test_an_error_in_the_function_itself_is_its_own():
    def broken(z):
        return {}["missing"]

    with pytest.raises(KeyError, match="missing"):
        Activation("own", broken)


def test_the_longest_formula_is_taken():
    made = Activation("own", lambda z: sum((z * (0.5 + i / 128) for i in range(66)), z))
    assert 190 < len(in_order([made.formula.value])) <= MAX_OPERATIONS


def test_built_in_formulas_are_parts():
    made = Activation("mish", lambda z: z * tanh(softplus(z)))
    z = np.linspace(-4, 4, 9)
    assert activate(made, z) == pytest.approx(z * np.tanh(np.log1p(np.exp(z))))
    assert Loss("own", lambda y, t: huber(2).of(y, t) + 0.1 * y * y).formula.slope is not None
    assert Activation("own", lambda z: made(z / 2)).formula.value is made.of(Z / 2)
    assert Activation("s", lambda z: z / sqrt(1 + z * z)).text == "z / sqrt(1 + z * z)"
    assert Activation("s", lambda z: z / sqrt(1 + z * z), text="z / ||(1, z)||").text == "z / ||(1, z)||"


@pytest.mark.parametrize(
    "made",
    [
        Activation("own", lambda z: z * tanh(z), low=-1, text="z tanh z"),
        Loss(
            "own",
            lambda y, t: abs(y - t) ** 3,
            low=0,
            coding=(0.25, 1),
            mean=False,
            metric="d2",
            constant=0.5,
        ),
    ],
    ids=["activation", "loss"],
)
def test_copies_and_pickles_are_equal(made):
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert again == made
        assert hash(again) == hash(made)
        assert again.text == made.text
        assert again.formula == made.formula
