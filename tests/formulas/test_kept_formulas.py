"""Activations and losses as plain data: what is kept comes back equal, anything else is refused."""

import json

import pytest

from fuseprop.backend.expression import MAX_OPERATIONS, in_order
from fuseprop.formulas import ACTIVATIONS, LOSSES, Activation, Loss, exp, sigmoid, sign, sin, tanh, where
from fuseprop.formulas.activation import activate
from fuseprop.formulas.kept import activation_kept, keep_activation, keep_loss, loss_kept


def through_a_file(data):
    return json.loads(json.dumps(data, allow_nan=False))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_built_in_activations_are_kept_by_name(name):
    for member in (ACTIVATIONS[name](), *([ACTIVATIONS[name](0.3)] if ACTIVATIONS[name].parameters else [])):
        assert keep_activation(member) == member.name
        assert activation_kept(through_a_file(keep_activation(member))) is member


@pytest.mark.parametrize("name", LOSSES)
def test_built_in_losses_are_kept_by_name(name):
    for member in (LOSSES[name](), *([LOSSES[name](0.3)] if LOSSES[name].parameters else [])):
        assert keep_loss(member) == member.name
        assert loss_kept(through_a_file(keep_loss(member))) is member


def long(z):
    for i in range(30):
        z = tanh(z * (1 + i / 100)) / (1 + abs(z))
    return z


OWN = [
    Activation("swish", lambda z: z * sigmoid(z)),
    Activation("own (2)", lambda z: tanh(z) + 0.1 * z, low=-1, high=1, text="tanh z + z / 10"),
    Activation("own", lambda z: where(z > 0, z, 0.25 * z), low=0.1),
    Activation("own", lambda z: exp(z), lambda y: y),
    Activation("long", long),
    Activation("wavy", lambda z: z + 0.1 * sin(3 * z)),
    Activation("sign", sign, low=-1),
]

OWN_LOSSES = [
    Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y)),
    Loss("own", lambda y, t: (y - t) ** 2 / (1 + t), low=0, metric="d2"),
    Loss("own", lambda z, t: exp(z) - t * z, link="exponential", low=0, mean=False),
    Loss("own", lambda y, t: (1 - t * y) ** 2, coding=(-1, 1), low=-1, high=1, metric="accuracy"),
    Loss("own", lambda y, t: abs(y - t), lambda y, t: where(y > t, 1, -1), constant=0.5, text="|y - t|"),
    Loss("long", lambda y, t: long(y - t)),
]


@pytest.mark.parametrize("made", OWN, ids=lambda made: made.name)
def test_activations_of_ones_own_come_back_equal(made):
    again = activation_kept(through_a_file(keep_activation(made)))
    assert again == made
    assert again.has_slope == made.has_slope == (made.name != "sign")
    assert again.formula == made.formula
    assert again.text == made.text
    assert (again.low, again.high) == (made.low, made.high)
    assert keep_activation(again) == keep_activation(made)


@pytest.mark.parametrize("made", OWN_LOSSES, ids=lambda made: made.name)
def test_losses_of_ones_own_come_back_equal(made):
    again = loss_kept(through_a_file(keep_loss(made)))
    assert again == made
    assert again.formula == made.formula
    assert again.options == made.options
    assert again.text == made.text


def test_slopes_that_are_longer_than_formulas_may_be_come_back():
    made = OWN[4]
    assert len(in_order([made.formula.slope])) > MAX_OPERATIONS > len(in_order([made.formula.value]))


KEPT = through_a_file(keep_activation(OWN[0]))
KEPT_LOSS = through_a_file(keep_loss(OWN_LOSSES[0]))


def nested(depth):
    made = []
    for _ in range(depth):
        made = [made]
    return made


HOSTILE = {
    "nothing": None,
    "a number": 3,
    "a list": ["relu"],
    "no entries": {},
    "an unknown name": "swishy",
    "an unknown parameter": "elu(beta=1)",
    "a parameter that is none": "huber(__import__('os'))",
    "a name that is none": {"name": 3},
    "a name as a list": {"name": ["x"]},
    "a name in two lines": {"name": "a\nb"},
    "an unknown entry": {"load": "os.system"},
    "an unknown low": {"low": "0"},
    "low is true": {"low": True},
    "low is null": {"low": None},
    "low above high": {"low": 2.0, "high": 1.0},
    "low is nan": {"low": float("nan")},
    "a long text": {"text": "x" * 1000},
    "a text that is none": {"text": 3},
    "slopes that are nested": {"slope": nested(100_000)},
    "slopes of nested parts": {"slope": ["y", nested(100_000)]},
    "slopes that are text": {"slope": "y"},
    "slopes that are empty": {"slope": []},
    "slopes that are too long": {"slope": [1.0] * 100_000},
    "slopes of an unknown variable": {"slope": ["w"]},
    "slopes that are wrong": {"slope": [2.0]},
    "slopes that are 0": {"slope": [0.0]},
    "slopes that are never numbers": {"slope": [0.0, ["divide", 0, 0]]},
    "slopes of numbers beyond float64": {"slope": [10**400]},
    "slopes of numbers that Python does not write": {"slope": [10**5000]},
    "slopes of numbers beyond float32": {"slope": [1e300]},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_activations_are_refused(what):
    damage = HOSTILE[what]
    data = {**KEPT, **damage} if isinstance(damage, dict) and damage else damage
    with pytest.raises(ValueError, match=r"\.$") as refused:
        activation_kept(data)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    "what", [*HOSTILE, *(each for each in ["link", "coding", "mean", "metric", "constant"])]
)
def test_hostile_losses_are_refused(what):
    damage = HOSTILE.get(what, {what: ["?"]})
    data = {**KEPT_LOSS, **damage} if isinstance(damage, dict) and damage else damage
    with pytest.raises(ValueError, match=r"\.$") as refused:
        loss_kept(data)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("entry", ["name", "value", "slope"])
def test_missing_entries_are_named(entry):
    data = {name: value for name, value in KEPT.items() if name != entry}
    with pytest.raises(ValueError, match=f"{entry!r} is missing or not as it should be"):
        activation_kept(data)


def test_a_formula_that_grows_when_it_is_written_out_is_read_at_once():
    entries = ["z", 0.5, ["add", 0, 0], ["multiply", 1, 2]]  # (z + z) / 2
    while len(entries) < MAX_OPERATIONS - 2:  # each pair doubles the text: 2^98 times z in the end
        entries += [["add", len(entries) - 1, len(entries) - 1], ["multiply", 1, len(entries)]]
    made = activation_kept({"name": "grows", "value": entries, "slope": [1.0], "low": 0.0, "high": 1.0})
    assert activate(made, [0.25, -3.0]).tolist() == [0.25, -3.0]
    assert len(repr(made)) < 5000
