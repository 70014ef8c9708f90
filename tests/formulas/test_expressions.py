"""Expressions in every form that they take: values in both dtypes, C++, derivatives, text and plain data."""

import copy
import gc
import json
import pickle
import threading

import numpy as np
import pytest
from drawn import FUNCTIONS, NUMBERS, TYPES, Compiled, draw, equal, points
from properties import check_cpp, check_text

from fuseprop.backend import expression as of
from fuseprop.backend.cpp import statements
from fuseprop.backend.expression import (
    MAX_OPERATIONS,
    OPERATIONS,
    apply,
    evaluate,
    in_order,
    number,
    substitute,
    variable,
    variables,
    where,
    written,
)
from fuseprop.backend.serialized import from_data, to_data

Y, T, Z = variable("y"), variable("t"), variable("z")

DRAWN = 120


@pytest.fixture(scope="module")
def expressions():
    """DRAWN expressions, and each operation by itself: every one of them takes part."""
    made = [draw(seed) for seed in range(DRAWN)]
    for op, operation in OPERATIONS.items():
        made.append(where(Y > T, Y, T) if op == "where" else apply(op, *(Y, T)[: operation.arity]))
    assert {node.op for node in in_order(made)} == {*OPERATIONS, "number", "variable", "tiny"}
    return made


@pytest.fixture(scope="module")
def compiled(expressions, tmp_path_factory):
    return Compiled(tmp_path_factory.mktemp("drawn"), expressions, ("y", "t"))


@pytest.mark.parametrize("dtype", TYPES)
def test_cpp_is_the_formula_bit_by_bit(expressions, compiled, dtype):
    assert check_cpp(expressions, compiled, dtype) < 0.1


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpys_functions_are_those_of_cpp(compiled, name, dtype):
    x = np.concatenate([points(dtype, 1)[0], np.linspace(-90, 90, 2001, dtype=dtype)])
    with np.errstate(all="ignore"):
        reference = getattr(np, name)(x.astype(np.float64)).astype(dtype)
        got, theirs = getattr(np, name)(x), getattr(compiled.module(np.zeros(1, bool)), name)(x)
        if name in ("sin", "cos"):  # of which those of NumPy lose digits where the angle is large
            got, reference, theirs = (np.where(np.abs(x) < 1e5, each, 0) for each in (got, reference, theirs))
        for each in (got, theirs):
            near = np.abs(each - reference) <= 8 * np.finfo(dtype).eps * np.maximum(
                np.abs(reference), np.finfo(dtype).tiny
            )
            assert np.all(near | equal(each, reference))


@pytest.mark.parametrize("dtype", TYPES)
def test_everything_is_computed_in_the_dtype_of_the_values(expressions, dtype):
    arrays = points(dtype, 2)
    for expression in expressions:
        with np.errstate(all="ignore"):
            made = evaluate(expression, dict(zip(("y", "t"), arrays, strict=True)))
        assert made.dtype == dtype, expression


def test_numbers_alone_have_a_value_too():
    assert evaluate(number(2) / 3, {}) == 2 / 3
    assert evaluate(number(1) / 0, {}) == np.inf
    assert np.isnan(evaluate(number(0) / 0 * Z, {"z": np.ones(2)})).all()
    assert evaluate(number(2) > 1, {}) == 1
    assert evaluate((number(2) > 1) * Z, {"z": np.float32([3])}).tolist() == [3]
    assert evaluate(where(number(2) > 1, Z, 0), {"z": np.float32([3])}).tolist() == [3]
    assert evaluate(Z + 0.5, {"z": np.arange(2)}).tolist() == [0.5, 1.5]
    assert evaluate(of.tiny() * Z, {"z": np.float32([1])}) == np.finfo(np.float32).tiny


def test_tiny_is_not_0_in_extended_precision():
    """The references compute there: log(maximum(t, tiny)) is to be finite at a target of 0."""
    zeros = np.zeros(2, np.longdouble)
    least = evaluate(of.maximum(Z, of.tiny()), {"z": zeros})
    assert least.dtype == np.longdouble
    assert (least == np.finfo(np.longdouble).tiny).all()
    assert np.isfinite(evaluate(of.log(2 * of.tiny()), {"z": zeros}))


def test_nan_goes_through_every_operation_but_comparisons():
    nan = np.array([np.nan])
    for op, operation in OPERATIONS.items():
        for place in range(operation.arity):
            operands = [np.array([0.7])] * operation.arity
            names = ("y", "t", "z")[: operation.arity]
            operands[place] = nan
            if op == "where":
                if place == 0:
                    continue
                made = where(number(1) > number(2 if place == 2 else 0), Y, Z)
                names = ("t", "y", "z")
            else:
                made = apply(op, *map(variable, names))
            got = evaluate(made, dict(zip(names, operands, strict=True)))
            assert np.isnan(got).all() or (got == 0 and op in of.COMPARISONS), op


# Text


def test_the_text_is_the_formula(expressions):
    for expression in expressions:
        check_text(expression)


def test_texts_that_people_read():
    assert written(1 / (1 + of.exp(-Z))) == "1 / (1 + exp(-z))"
    assert written(abs(Y - T) * (Y - (T - 1))) == "|y - t| * (y - (t - 1))"
    assert written(-(Y + T) / -2) == "-(y + t) / (-2)"
    assert written(number(0.5) * 1e20) == "0.5 * 1e+20"


def test_a_text_stays_short_whatever_is_in_it():
    squared = Z
    for _ in range(150):  # 2^150 factors
        squared = squared * squared
    assert len(written(squared)) <= 3 * of.MAX_TEXT
    assert "..." in written(squared)
    assert len(repr(squared)) < 300
    assert sum(map(len, statements({"const T result": squared}))) < 10_000


# One object


def test_equal_expressions_are_one_object(expressions):
    for seed in range(DRAWN):
        assert draw(seed) is expressions[seed]
    assert number(0.0) is not number(-0.0)
    assert number(2) is number(2.0) is number(np.float32(2))
    assert number(1) is not variable("1")


def test_copies_are_the_same_object(expressions):
    for expression in expressions:
        assert pickle.loads(pickle.dumps(expression)) is expression
        assert copy.deepcopy(expression) is expression is copy.copy(expression)


def test_threads_that_make_one_formula_get_one_object():
    begin = threading.Barrier(8)
    made = [[] for _ in range(8)]

    def make(found):
        begin.wait(10)
        for i in range(2000):
            found.append(of.exp(Z * (i + 0.25)) + i)

    threads = [threading.Thread(target=make, args=(found,)) for found in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found == made[0] for found in made)


def test_formulas_that_are_gone_are_freed(expressions):
    gc.collect()
    before = len(of._KNOWN)
    kept = [of.tanh(Z * (i + 0.75)) + i for i in range(1000)]
    assert len(of._KNOWN) > before + 3000
    del kept
    gc.collect()
    assert len(of._KNOWN) == before


# Plain data


def test_plain_data_comes_back_the_same_object(expressions):
    for expression in expressions:
        data = to_data(expression)
        assert from_data(data, ("y", "t")) is expression
        assert from_data(json.loads(json.dumps(data)), ("y", "t")) is expression


def test_names_that_are_not_allowed_are_refused(expressions):
    for expression in expressions:
        names = variables(expression)
        for missing in names:
            with pytest.raises(ValueError, match=f"is '{missing}', which is no number, none of the"):
                from_data(to_data(expression), names - {missing})


def nested(depth):
    made = []
    for _ in range(depth):
        made = [made]
    return made


HOSTILE = {
    "nothing": [],
    "none": None,
    "an object": {"z": 1},
    "text": "z",
    "too long": ["z"] * (MAX_OPERATIONS + 1),
    "nested": nested(100_000),
    "nested in an entry": ["z", nested(100_000)],
    "nested in an operation": ["z", ["exp", nested(100_000)]],
    "an unknown operation": ["z", ["__import__", 0]],
    "a comparison's other name": ["z", ["less", 0, 0]],
    "a variable as an operation": ["z", ["variable", 0]],
    "too few operands": ["z", ["add", 0]],
    "too many operands": ["z", ["exp", 0, 0]],
    "itself": ["z", ["exp", 1]],
    "what comes later": [["exp", 1], "z"],
    "a negative place": ["z", ["exp", -1]],
    "a place beyond": ["z", ["exp", 10**9]],
    "a truth value as a place": ["z", ["exp", False]],
    "a float as a place": ["z", ["exp", 0.0]],
    "a truth value as a number": [True],
    "an infinite number": [float("inf")],
    "no number": [float("nan")],
    "a whole number beyond float64": [10**400],
    "a whole number that Python does not write": [10**5000],
    "a place that Python does not write": ["z", ["exp", 10**5000]],
    "an unknown variable": ["w"],
    "the text of an expression": ["exp(z)"],
    "a where of a number": ["z", ["where", 0, 0, 0]],
    "an empty operation": ["z", []],
    "an operation of an object": ["z", [{}, 0]],
    "an object in an entry": ["z", {"exp": 0}],
    "none in an entry": [None],
    "tiny with an operand": ["z", ["tiny", 0]],
    "a long name": ["z" * 10**6],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_data_is_refused_in_one_sentence(what):
    with pytest.raises(ValueError, match=r"^(a formula is a list|entry \d+ of a formula is)") as refused:
        from_data(HOSTILE[what], {"z"})
    assert len(str(refused.value)) < 250


def test_what_the_damage_of_one_entry_makes_is_refused_or_a_formula(expressions):
    operations = ["add", 0, 0], ["tiny"], ["exp", 3], ["greater", 0, 1]
    wrong = [*NUMBERS, "y", "q", None, True, [], *map(list, operations), 10**30, {}]
    for expression in expressions[::7]:
        data = to_data(expression)
        for place in range(len(data)):
            for each in wrong:
                damaged = [*data[:place], each, *data[place + 1 :]]
                try:
                    made = from_data(damaged, {"y", "t"})
                except ValueError:
                    continue
                assert from_data(to_data(made), {"y", "t"}) is made


# What people write


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda z: z if z > 0 else -z, TypeError, r"z > 0 has no truth value .* where\(condition, a, b\)"),
        (lambda z: max(z, 0), TypeError, r"maximum\(a, b\) for max"),
        (lambda z: float(z), TypeError, "is not one number"),
        (lambda z: range(z), TypeError, "is not one number"),
        (lambda z: z**0.5, TypeError, r"whole powers from 1 to 8, got 0.5"),
        (lambda z: z**True, TypeError, r"whole powers from 1 to 8, got True"),
        (lambda z: z**9, TypeError, "Use sqrt"),
        (lambda z: z * (z == 0), TypeError, r"Write equal\(a, b\)"),
        (lambda z: z + None, TypeError, "variables and numbers, got None"),
        (lambda z: z + "1", TypeError, "variables and numbers, got '1'"),
        (lambda z: z + 1j, TypeError, "variables and numbers"),
        (lambda z: z * np.ones(3), TypeError, "variables and numbers, got array"),
        (lambda z: z + float("nan"), ValueError, "must be finite, got nan"),
        (lambda z: z * 10**400, ValueError, "must be finite, got 1000"),
        (lambda z: np.power(z, 2), TypeError, "cannot have numpy.power: its functions are abs, exp"),
        (lambda z: np.clip(z, 0, 1), TypeError, "cannot have numpy.clip"),
        (lambda z: np.where(z, 0, 1), TypeError, "condition of where must be a comparison"),
        (lambda z: where(True, z, 0), TypeError, "condition of where must be a comparison.*got True"),
        (lambda z: np.add.reduce(z), TypeError, "cannot have numpy.add"),
    ],
)
def test_what_is_no_formula_is_refused(write, error, message):
    with pytest.raises(error, match=message):
        write(Z)


def test_numpys_functions_are_understood():
    assert np.exp(Z) is of.exp(Z)
    assert np.float64(2) * Z is number(2) * Z
    assert np.maximum(Z, 0) is of.maximum(Z, 0)
    assert np.less(Z, 0) is (Z < 0)
    assert np.less_equal(0, Z) is (Z >= 0)
    assert np.square(Z) is Z * Z is Z**2
    assert np.abs(Z) is abs(Z)
    assert np.where(Z > 0, 1, Z) is where(Z > 0, 1, Z)
    assert +Z is Z
    assert np.array(2.0) - Z is 2 - Z


def test_substitution_replaces_whole_parts():
    made = of.exp(Z) * of.exp(Z) + Z
    assert substitute(made, {of.exp(Z): Y}) is Y * Y + Z
    assert substitute(made, {Z: T}) is of.exp(T) * of.exp(T) + T
    assert variables(made, Y) == {"y", "z"}


def test_arrays_whose_dtype_is_not_numpys_are_refused():
    """As those of PyTorch, whose dtypes are its own."""

    class Tensor:
        dtype = type("dtype", (), {"__repr__": lambda self: "torch.float32"})()

    with pytest.raises(
        TypeError, match=r"one of NumPy's, such as np.dtype\('float32'\), got torch\.float32\. A"
    ):
        evaluate(variable("z") + 1, {"z": Tensor()})
