"""Formulas by name: members of families, their parameters, and texts that are parsed and never evaluated."""

import copy
import math
import pickle

import numpy as np
import pytest

import fuseprop.formulas
from fuseprop.backend.expression import variable
from fuseprop.formulas import (
    ACTIVATIONS,
    LOSSES,
    Family,
    as_activation,
    as_loss,
    elu,
    huber,
    leaky_relu,
    quantile,
    step,
)
from fuseprop.formulas.activation import as_trainable_activation
from fuseprop.formulas.families import Parameter

FAMILIES = {**ACTIVATIONS, **LOSSES}

WITH_PARAMETERS = {name: family for name, family in FAMILIES.items() if family.parameters}


def named(family):
    return as_activation if family.name in ACTIVATIONS else as_loss


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_found_by_its_name(name):
    family = FAMILIES[name]
    assert family.name == name
    assert getattr(fuseprop.formulas, name) is family
    assert name in dir(fuseprop.formulas)
    member = named(family)(name)
    assert member is family() is named(family)(family) is named(family)(member)
    assert member.name == str(member) == name
    assert member.text in repr(member)
    assert family.text in repr(family)


def test_unknown_names_are_no_attributes():
    with pytest.raises(AttributeError, match="no attribute 'swish'"):
        fuseprop.formulas.swish  # noqa: B018


def test_no_name_is_an_activation_and_a_loss():
    assert not ACTIVATIONS.keys() & LOSSES.keys()


@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_members_have_the_numbers_that_are_given(name):
    family = WITH_PARAMETERS[name]
    (first, parameter), *_ = family.parameters.items()
    value = parameter.default / 2 if parameter.default else 0.25
    member = family(value)
    assert member.name == f"{name}({repr(value).removesuffix('.0')})"
    assert member is family(**{first: value}) is family(np.float64(value))
    assert member is named(family)(member.name) is named(family)(f"  {name} ( {first} = {value!r} ) ")
    assert member != family()
    assert family(parameter.default) is family() is named(family)(f"{name}({parameter.default})")
    assert f"{first}={parameter.default:g}" in family.usage


@pytest.mark.parametrize("name", FAMILIES)
def test_members_and_families_are_copied_and_pickled_as_themselves(name):
    family = FAMILIES[name]
    for each in (family, family(), *([family(0.3)] if family.parameters else [])):
        assert pickle.loads(pickle.dumps(each)) == each == copy.deepcopy(each) == copy.copy(each)
        assert hash(pickle.loads(pickle.dumps(each))) == hash(each)


def test_equal_members_are_equal_and_others_differ():
    assert huber(2) == huber(2.0) == as_loss("huber(2)")
    assert huber(2) != huber(3)
    assert leaky_relu(0.2) != leaky_relu(0.3)
    assert as_activation("relu") != "relu"
    assert len({elu(), elu(1.0), as_activation("elu"), elu(2)}) == 2


def test_small_and_large_numbers_are_parsed_as_they_are_written():
    for value in (1e-30, 0.1 + 0.2, 1e22, 123456789.125, 3.0):
        member = huber(value)
        assert as_loss(member.name) is member


def test_a_search_over_a_parameter_keeps_a_thousand_members_at_most():
    family = Family("searched", "z", lambda label, settings: (label, settings), {"a": Parameter(1.0)})
    for i in range(2500):
        family(i + 0.5)
    assert len(family._members) <= 1000
    assert family(0.5) == ("searched(0.5)", {"a": 0.5})


REFUSED = [
    (
        lambda: leaky_relu(1.0),
        ValueError,
        "negative_slope of leaky_relu must be a number of at least 0 and below 1, ",
    ),
    (lambda: leaky_relu(-0.1), ValueError, "negative_slope of leaky_relu must be a number of at least 0"),
    (lambda: elu(0), ValueError, "alpha of elu must be a number above 0, got 0."),
    (lambda: elu(math.inf), ValueError, "alpha of elu must be a number above 0, got inf."),
    (lambda: elu(math.nan), ValueError, "alpha of elu must be a number above 0, got nan."),
    (lambda: elu(True), ValueError, "alpha of elu must be a number above 0, got True."),
    (lambda: elu("1"), ValueError, 'alpha of elu must be a number above 0, got "1".'),
    (lambda: elu(None), ValueError, "alpha of elu must be a number above 0, got None."),
    (lambda: elu(np.ones(2)), ValueError, "alpha of elu must be a number above 0, got array"),
    (lambda: huber(10**400), ValueError, "delta of huber must be a number above 0, got 1000"),
    (lambda: quantile(1), ValueError, "q of quantile must be a number above 0 and below 1, got 1."),
    (lambda: huber(1, 2), TypeError, "huber takes the parameters (delta=1), got (1, 2)."),
    (lambda: huber(1, delta=2), TypeError, "huber takes the parameters (delta=1), got (1, delta=2)."),
    (lambda: huber(width=2), TypeError, "huber takes the parameters (delta=1), got (width=2)."),
    (lambda: as_activation(fuseprop.formulas.relu(0.1)), TypeError, "without parameters takes none."),
    (
        lambda: as_activation("leaky_relu(x)"),
        ValueError,
        '"x" is no number. Write leaky_relu(negative_slope=0.01).',
    ),
    (
        lambda: as_activation("leaky_relu(0.1, 0.2)"),
        ValueError,
        "leaky_relu takes the parameters (negative_slope=",
    ),
    (
        lambda: as_activation("leaky_relu(slope=0.1)"),
        ValueError,
        "leaky_relu takes the parameters (negative_slope=",
    ),
    (lambda: as_activation("leaky_relu(=0.1)"), ValueError, "leaky_relu takes the parameters"),
    (lambda: as_activation("leaky_relu(0.1,)"), ValueError, '"" is no number'),
    (lambda: as_activation("leaky_relu(negative_slope=0.1, 0.2)"), ValueError, "a number follows a name"),
    (
        lambda: as_activation("leaky_relu(negative_slope=0.1, negative_slope=0.2)"),
        ValueError,
        "negative_slope is given twice",
    ),
    (
        lambda: as_activation("leaky_relu(negative_slope=nan)"),
        ValueError,
        "of at least 0 and below 1, got nan.",
    ),
    (lambda: as_activation("relu(1)"), ValueError, "relu takes no parameters"),
    (lambda: as_activation("leaky_relu(__import__('os'))"), ValueError, "is no number"),
    (lambda: as_activation("leaky_relu(0.1"), ValueError, "Choose from:"),
    (lambda: as_activation("leaky_relu(0.1))"), ValueError, "is no number"),
    (lambda: as_activation("leaky relu"), ValueError, "Choose from:"),
    (lambda: as_activation("rleu"), ValueError, 'Did you mean "relu"?'),
    (lambda: as_activation("rleu(0.2)"), ValueError, "Choose from:"),
    (lambda: as_activation(""), ValueError, "Choose from:"),
    (lambda: as_activation("a" * 10**6), ValueError, "Choose from:"),
    (lambda: as_activation("huber"), ValueError, "Choose from:"),
    (lambda: as_trainable_activation("step"), ValueError, "Use fuseprop.GeneticSearch"),
    (lambda: as_trainable_activation(step), ValueError, "its slope is 0 everywhere"),
    (lambda: as_trainable_activation(step()), ValueError, 'activation "step" cannot be trained by'),
    (lambda: as_trainable_activation("setp"), ValueError, "Choose from: identity, sigmoid, tanh, relu,"),
    (lambda: as_trainable_activation("setp", {"steep": elu}), ValueError, "Choose from: steep."),
    (lambda: as_trainable_activation(None), ValueError, "Choose from:"),
    (lambda: as_trainable_activation(lambda z: z), TypeError, "must be a name or an Activation"),
    (lambda: as_activation(None), ValueError, "Choose from:"),
    (lambda: as_activation(lambda z: z), TypeError, 'Activation("mine", lambda z: z * sigmoid(z))'),
    (lambda: as_activation(huber), TypeError, "must be a name or an Activation"),
    (lambda: as_loss("mse"), ValueError, "Choose from:"),
    (lambda: as_loss("relu"), ValueError, "Choose from:"),
    (lambda: as_loss("huber(0)"), ValueError, "delta of huber must be a number above 0, got 0.0."),
    (lambda: as_loss("quantile(0.1; 0.2)"), ValueError, "is no number. Write quantile(q=0.5)."),
    (lambda: as_loss(lambda y, t: y - t), TypeError, 'Loss("mine", lambda y, t: (y - t) ** 2)'),
    (lambda: as_loss(elu), TypeError, "must be a name or a Loss"),
    (lambda: as_loss(3), ValueError, "Choose from:"),
]


@pytest.mark.parametrize("place", range(len(REFUSED)))
def test_what_is_no_member_is_refused(place):
    call, error, message = REFUSED[place]
    with pytest.raises(error) as refused:
        call()
    assert message in str(refused.value)
    assert len(str(refused.value)) < 600


def test_families_are_parts_of_formulas():
    z, t = variable("z"), variable("t")
    assert str(fuseprop.formulas.relu(z)) == "maximum(z, 0)"
    assert leaky_relu(z, 0.2) is leaky_relu(0.2)(z) is leaky_relu(z, negative_slope=0.2)
    assert huber(z, t, 2) is huber(2).of(z, t)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Parameter(1), ""),
        (Parameter(1, above=0), " above 0"),
        (Parameter(1, least=0, below=2), " of at least 0 and below 2"),
    ],
)
def test_ranges_are_said_in_words(given, words):
    assert given.range == words
