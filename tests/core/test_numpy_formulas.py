"""Formulas as NumPy calls: the same numbers as the formula itself, in place, in as few calls as by hand."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.formulas import (
    WIDE,
    activation_plan,
    loss_plan,
    lower,
    slope_plan,
    update_plan,
)
from fuseprop_numpy.operations import NumpyOperations
from fuseprop_numpy.operations.calls import bound, make
from fuseprop_numpy.operations.scratch import Scratch

from fuseprop import Adam, MomentumSGD, Network, load_backend, mlp
from fuseprop.backend import Call, LossFormula, Program, evaluate, variable
from fuseprop.backend.expression import (
    COMPARISONS,
    OPERATIONS,
    apply,
    equal,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    number,
    sign,
    sqrt,
    tanh,
    tiny,
    variables,
    where,
)
from fuseprop.backend.formula import G, T, W, Y, Z
from fuseprop.formulas import ACTIVATIONS, LOSSES, Activation, Loss, sigmoid
from fuseprop.formulas.activation import as_activation
from fuseprop.formulas.loss import as_loss
from fuseprop.formulas.updates import ADAM, MOMENTUM, NESTEROV, UPDATES
from fuseprop.layers.targets import encode_targets
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows
from fuseprop.training.step import training_step

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
LIMIT = 8 * 1024
FUNCTIONS = [name for name in OPERATIONS if name not in COMPARISONS and name != "where"]


class In:
    """NumPy in one dtype, in which a truth value as a number is of that dtype too."""

    def __init__(self, dtype):
        self._dtype = dtype

    def __getattr__(self, name):
        return getattr(np, name)

    def where(self, condition, a, b):
        return np.where(condition, np.asarray(a, self._dtype), np.asarray(b, self._dtype))


def reference(expression, values, dtype):
    with np.errstate(all="ignore"):
        result = evaluate(expression, values, In(dtype))
    shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()))
    return np.broadcast_to(np.asarray(result, dtype), shape)


def drawn(rng, names, size):
    """Return an expression of some operations on variables, numbers and what was drawn before."""
    leaves = [variable(name) for name in names]
    made = list(leaves)

    def operand():
        if rng.random() < 0.2:
            return (
                number(rng.choice([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.7])) if rng.random() < 0.9 else tiny()
            )
        return made[rng.integers(max(0, len(made) - 6), len(made))]

    def computed():
        return made[rng.integers(0, len(made))]

    for _ in range(size):
        kind = rng.random()
        if kind < 0.12:
            made.append(-abs(computed()))
        elif kind < 0.32:
            x = computed()
            condition = apply(rng.choice(sorted(COMPARISONS)), x, operand())
            condition = equal(x, x) if rng.random() < 0.3 else condition
            made.append(where(condition, operand(), operand()))
        elif kind < 0.42:
            made.append(apply(rng.choice(sorted(COMPARISONS)), computed(), operand()))
        else:
            name = FUNCTIONS[rng.integers(len(FUNCTIONS))]
            operands = [computed(), operand()][: OPERATIONS[name].arity]
            made.append(apply(name, *(operands if rng.random() < 0.5 else operands[::-1])))
    return made[-1]


def points(dtype, names):
    """Return all combinations of numbers of every kind, an array for each name."""
    about = np.finfo(dtype)
    special = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        about.tiny,
        -about.tiny,
        about.tiny / 4,
        about.max,
        -about.max,
    ]
    normal = [1.0, -1.0, 0.3, -2.7, 17.0, -90.0, 1e-6]
    return dict(
        zip(names, np.array(list(product(special + normal, repeat=len(names))), dtype).T.copy(), strict=True)
    )


def assert_same(actual, expected):
    np.testing.assert_array_equal(actual, expected)  # nan where nan is


def room():
    def new(name, shape, dtype=None):
        assert dtype is not None
        return np.full(shape, 77, dtype)

    return new


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_drawn_formulas_are_what_they_say(dtype, wide):
    rng = np.random.default_rng(1)
    for _ in range(120):
        names = ["x", "y"][: rng.integers(1, 3)]
        first, second = (drawn(rng, names, rng.integers(1, 12)) for _ in range(2))
        given = points(dtype, names)
        arrays = [each.copy() for each in given.values()]
        outs = [np.empty_like(arrays[0]) for _ in range(2)]
        results = {"first": first, "second": second}
        plan = lower(results, dtype, given=(*names, *results), wide=wide)
        with np.errstate(all="ignore"):
            make(plan.calls((*arrays, *outs), arrays[0].shape, room()))
        for out, expression in zip(outs, results.values(), strict=True):
            assert_same(out, reference(expression, given, dtype))
        for array, before in zip(arrays, given.values(), strict=True):
            assert_same(array, before)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_output_may_be_what_it_aliases(dtype, wide):
    rng = np.random.default_rng(2)
    for _ in range(80):
        expression = drawn(rng, ["x", "y"], rng.integers(1, 12))
        given = points(dtype, ["x", "y"])
        plan = lower({"out": expression}, dtype, given=("x", "y", "out"), aliases={"out": ["x"]}, wide=wide)
        x, y = (each.copy() for each in given.values())
        with np.errstate(all="ignore"):
            make(plan.calls((x, y, x), x.shape, room()))
        assert_same(x, reference(expression, given, dtype))
        assert_same(y, given["y"])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_updates_in_place_with_numbers(dtype, wide):
    """Every array is read and written; numbers are of no dimensions, and so is what is made of them alone."""
    rng = np.random.default_rng(3)
    for _ in range(80):
        names = ["w", "m", "g", "a", "b"]
        results = {name: drawn(rng, names, rng.integers(1, 10)) for name in ("w", "m")}
        given = points(dtype, ["w", "m"])
        given["g"] = given["w"][::-1].copy()
        numbers = {name: np.array(rng.choice([0.0, 0.5, -2.0]), dtype) for name in ("a", "b")}
        plan = lower(
            results,
            dtype,
            given=("w", "m", "g"),
            numbers=("a", "b"),
            aliases={"w": ("w",), "m": ("m",)},
            wide=wide,
        )
        arrays = [each.copy() for each in given.values()]
        with np.errstate(all="ignore"):
            make(plan.calls(arrays, arrays[0].shape, room(), numbers.values()))
        for array, expression in zip(arrays, (*results.values(), G), strict=True):
            assert_same(array, reference(expression, {**given, **numbers}, dtype))


def test_outputs_may_change_places():
    for results in ({"w": variable("m"), "m": W}, {"w": W * 2 + variable("m"), "m": W}):
        plan = lower(results, DTYPES[1], given=("w", "m"), aliases={"w": ("w",), "m": ("m",)})
        w, m = np.array([1.0, 2.0]), np.array([3.0, 4.0])
        expected = [reference(each, {"w": w.copy(), "m": m.copy()}, DTYPES[1]) for each in results.values()]
        make(plan.calls((w, m), w.shape, room()))
        assert_same([w, m], expected)


def test_numbers_alone_are_computed_in_float64():
    x = variable("x")
    plan = lower({"out": x * log(number(2.0))}, DTYPES[0], given=("x", "out"))
    assert [float(each) for each in plan.constants] == [np.float32(np.log(2.0))]
    assert len(plan.steps) == 1
    for expression, expected in (
        (exp(number(0.0)), 1.0),
        (where(number(2.0) > 1, x, 3.0), 5.0),
        (number(2.0) > 1, 1.0),
    ):
        out = np.zeros(3)
        plan = lower({"out": expression}, DTYPES[1], given=("x", "out"))
        make(plan.calls((np.full(3, 5.0), out), (3,), room()))
        assert_same(out, [expected] * 3)


def test_a_chosen_branch_may_be_used_elsewhere():
    """Of a condition that is known, `where` is its branch, which must not be written over."""
    x = variable("x")
    e = exp(x)
    for wide in (False, True):
        chosen = where(x > 0, 1.0, where(number(1.0) > 0, e, x))
        plan = lower({"out": chosen + e}, DTYPES[1], given=("x", "out"), wide=wide)
        values, out = np.array([-1.0, 2.0]), np.zeros(2)
        make(plan.calls((values, out), (2,), room()))
        assert_same(out, reference(chosen + e, {"x": values}, DTYPES[1]))


def formulas_with_their_plans():
    """Give each formula's title, plan, numbers and arrays, and dtype."""
    for dtype, wide in product(DTYPES, (False, True)):
        for name, family in ACTIVATIONS.items():
            formula = family().formula
            yield f"{name} value", activation_plan(formula.value, dtype, wide), 0, 2, dtype
            yield f"{name} slope", slope_plan(formula.slope, dtype, wide), 0, 3, dtype
        for name, family in LOSSES.items():
            formula = getattr(family(), "formula", None)
            if formula is not None:
                yield name, loss_plan(formula.term, formula.slope, dtype, wide), 0, 4, dtype
        for name, formula in UPDATES.items():
            plan = update_plan(formula, dtype, True, wide)
            yield name, plan, len(formula.settings) + 1, len(formula.moments) + 2, dtype


def test_formulas_allocate_nothing():
    shape = 300, 20
    for title, plan, numbers, given, dtype in formulas_with_their_plans():
        scratch = Scratch(dtype)
        known = [np.array(0.1, dtype) for _ in range(numbers)]
        arrays = [np.full(shape, 0.5, dtype) for _ in range(given)]
        calls = list(plan.calls(arrays, shape, scratch.array, known))
        for measured in (False, True):
            if measured:
                tracemalloc.start()
            make(calls)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < LIMIT, title


# How many calls

N, K = 4, 3


def arrays(*shapes):
    return [np.ones(shape, np.float32) for shape in shapes]


def count(operation, *operands, **options):
    return len(bound(NumpyOperations(DTYPES[0]), Call(operation, operands, options)))


@pytest.mark.parametrize(
    ("name", "forward", "back"),
    [("identity", 2, 1), ("sigmoid", 9, 4), ("tanh", 3, 4), ("relu", 3, 3), ("exponential", 3, 2)],
)
def test_activations_in_as_few_calls_as_by_hand(name, forward, back):
    """Bias spread and added, the activation; the slope, the product and the column sums."""
    z, bias, out = arrays((N, K), (K,), (N, K))
    formula = as_activation(name).formula
    assert count("bias_activation", z, bias, formula, out=z) == forward
    assert count("activation_backward", z, out, formula, out=z, bias_gradient=bias) == back


@pytest.mark.parametrize(
    ("name", "column", "wider"),
    [
        ("half_squared_error", 6, 6),
        ("mean_squared_error", 6, 8),  # by 1/k
        ("mean_absolute_error", 6, 8),
        ("sigmoid_cross_entropy", 15, 15),
        ("half_poisson_deviance", 18, 18),
    ],
)
def test_losses_in_as_few_calls_as_by_hand(name, column, wider):
    loss, counted = as_loss(name), []
    for k in (1, K):
        y, t, weights, losses, gradient = arrays((N, k), (N, k), (N,), (N,), (N, k))
        operands = y, t, weights, loss.formula, loss.factor(k)
        counted.append(count("loss_of_rows", *operands, losses=losses, gradient=gradient))
    assert counted == [column, wider]


@pytest.mark.parametrize(
    ("formula", "plain", "decaying"), [(MOMENTUM, 4, 6), (NESTEROV, 6, 8), (ADAM, 14, 16)], ids=UPDATES
)
def test_updates_in_as_few_calls_as_by_hand(formula, plain, decaying):
    """Without decay and with it: which of both is known when it runs, and may change."""
    values, gradients = arrays((8,), (8,))
    moments = np.ones((len(formula.moments), 8), np.float32)
    settings = np.ones(len(formula.settings) + 1, np.float32)
    operands = values, gradients, moments, settings, formula
    call = Call("update", operands, {"decay_ranges": [(0, 8)]})
    ((_, (decay, *calls)),) = bound(NumpyOperations(DTYPES[0]), call)
    assert np.may_share_memory(decay, settings[-1:])
    assert [len(each) for each in calls] == [decaying, plain]


def test_where_takes_one_call_or_selects_bits():
    x = variable("x")

    def count(expression, wide):
        return len(lower({"out": expression}, DTYPES[0], given=("x", "out"), wide=wide).steps)

    assert count(where(x > 0, x, tanh(x)), wide=False) == 3
    assert count(where(x > 0, x, tanh(x)), wide=True) == 7
    assert count(where(x > 0, x, 0.0), wide=True) == count(where(x > 0, 0.0, x), wide=True) - 1 == 4
    assert count(where(equal(x, x), tanh(x), x), wide=True) == 3
    assert count(where(equal(x, x), 1.0, x), wide=True) == 3


def test_signs_are_written_apart_and_copied():
    """np.sign is slow in place, and -|x| is one call where calls cost more than elements."""
    x = variable("x")
    plan = lower({"out": sign(2.0 * x)}, DTYPES[0], given=("x", "out"))
    for wide in (False, True):
        values, out = np.array([-2.0, 0.0], np.float32), np.zeros(2, np.float32)
        calls = list(plan.calls((values, out), (2,), room()))
        assert [function for function, _ in calls] == [np.multiply, np.sign]
        operand, result = calls[1][1]
        assert operand is not result
        assert result is out
        functions = [
            function
            for function, _ in lower({"out": -abs(x)}, DTYPES[0], given=("x", "out"), wide=wide).steps
        ]
        assert functions == ([np.abs, np.negative] if wide else [np.copysign])


def test_zeros_with_a_sign_keep_it():
    x = variable("x")
    values = np.array([-1.0, 1.0], np.float32)
    for wide, zero in product((False, True), (0.0, -0.0)):
        out = np.ones(2, np.float32)
        plan = lower({"out": where(x > 0, x, zero)}, DTYPES[0], given=("x", "out"), wide=wide)
        make(plan.calls((values, out), (2,), room()))
        assert np.signbit(out[0]) == np.signbit(zero)


# All together


def trained(layers, loss, target, optimizer, *, replayed, dtype="float64"):
    backend = NumpyBackend(dtype, replay="calls")
    network = Network(layers, loss, seed=0, backend=backend)
    X = np.random.default_rng(0).normal(size=(len(target), layers[0].inputs))
    rows = Rows(X, encode_targets(target, network.stack.loss, layers[-1], len(X)), None)
    training = Epoch(backend, network.stack, None, optimizer, rows, batch_size=8)
    for _ in range(2):
        optimizer.prepare(network.stack.parameters, len(training.batches))
        training.send(np.arange(len(X)))
        for batch in training.batches:
            if replayed:
                backend.compile(training.program(batch))(1)
            else:
                training_step(
                    backend,
                    network.stack,
                    training.metric,
                    optimizer,
                    training.examples,
                    training.state,
                    batch,
                )
    return network.stack.parameters.values, training.state.losses


SWISH = Activation("swish", lambda z: z * sigmoid(z))
BENT = Activation("bent", lambda z: where(z > 0, z, 0.1 * expm1(z)), lambda y: where(y > 0, 1, y + 0.1))
ONE_IS_LESS = log1p(number(1)) >= log1p(number(0.3))
DECIDED = Activation("decided", lambda z: z + where(ONE_IS_LESS, 0.0, exp(z)))
DECIDED_LOSS = Loss("decided", lambda y, t: (y - t) ** 2 * where(ONE_IS_LESS, sqrt(number(2)), 1.0))
"""Their numbers decide, and are no constants."""

ASYMMETRIC = Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y))


@pytest.mark.parametrize(
    "make", [lambda: MomentumSGD(0.1, 0.6, 1e-3), lambda: Adam(0.01)], ids=["sgd", "adam"]
)
@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        (SWISH, ASYMMETRIC),
        (BENT, "huber"),
        ("gelu", "log_cosh"),
        ("elu", "quantile(0.9)"),
        ("leaky_relu(0.2)", "hinge"),
        (DECIDED, DECIDED_LOSS),
    ],
    ids=str,
)
def test_a_replay_of_a_new_formula_is_its_step(activation, loss, make):
    """Also wider than branches are cheap for."""
    for width in (5, WIDE // 8 + 1):
        target = np.random.default_rng(1).choice([-1.0, 1.0], (24, 3)) * 0.5
        layers = mlp([4, width, 3], activation)
        called, replayed = (trained(layers, loss, target, make(), replayed=each) for each in (False, True))
        for actual, expected in zip(replayed, called, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-13)


def test_kept_sums_are_whole_sums():
    """With `kept`, z + bias is left there, also where z is overwritten."""
    backend = load_backend("cpu", "float64")
    z, bias = np.arange(6.0).reshape(2, 3), np.array([1.0, -2.0, 3.0])
    formula = as_activation("gelu").formula
    expected = evaluate(formula.value, {"z": z + bias})
    for given, out_is_z in product((bias, None), (False, True)):
        own, kept = z.copy(), np.empty_like(z)
        out = own if out_is_z else np.empty_like(z)
        total = z if given is None else z + bias
        expected = evaluate(formula.value, {"z": total})
        call = Call("bias_activation", (own, given, formula), {"out": out, "kept": kept})
        backend.compile(Program((call,), (out,)))(1)
        np.testing.assert_array_equal(kept, total)
        np.testing.assert_array_equal(out, expected)
        again, own = np.empty_like(z), z.copy()
        backend.bias_activation(own, given, formula, out=own if out_is_z else out, kept=again)
        np.testing.assert_array_equal(again, total)


def test_a_term_may_be_constant_or_the_output_itself():
    backend = load_backend("cpu", "float64")
    y, t = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    for term, slope, sums, gradient in (
        (number(2.0), number(0.0), [12.0, 12.0], 0.0),
        (Y, number(1.0), [6.0, 24.0], 1.0),
        (2 * Y * T, 2 * T, [12.0, 48.0], 2.0),
        (Y > 2, maximum(Y, Y) > T, [0.0, 6.0], (y > t)),
        (sqrt(Y * Y), number(3.0), [6.0, 24.0], 3.0),
    ):
        losses, out, weights = np.empty(2), np.empty((2, 3)), np.array([0.25, 0.75])
        call = Call(
            "loss_of_rows",
            (y, t, weights, LossFormula(term, slope), 2.0),
            {"losses": losses, "gradient": out},
        )
        replay = backend.compile(Program((call,)))
        for replayed in (True, False):
            losses[:], out[:] = -1, -1
            replay(1) if replayed else backend.loss_of_rows(*call.operands, **call.options)
            np.testing.assert_allclose(losses, sums)
            np.testing.assert_allclose(out, 2 * weights[:, None] * np.broadcast_to(gradient, (2, 3)))


def test_every_variable_is_known():
    assert variables(Z) == {"z"}
    with pytest.raises(KeyError):
        lower({"out": variable("nowhere")}, DTYPES[0], given=("x", "out"))
