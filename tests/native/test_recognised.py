"""What is recognised as a training step, in whatever order its calls come; and what is not."""

from dataclasses import fields, is_dataclass, replace
from inspect import signature

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.recognise import recognise
from fuseprop_numpy.compiled.resting import keeps_zeros
from fuseprop_numpy.compiled.step import UnknownStepError
from kinds_of_steps import KINDS, SOFTMAX, conflicts, epoch_of, kind, shuffled, take

from fuseprop.backend import Access, Call, Program, UpdateFormula, replay_by_calling, variable
from fuseprop.backend.formula import G, W
from fuseprop.formulas import LOSSES, UPDATES, exp, tanh, where
from fuseprop.formulas.activation import trainable_activations
from fuseprop.formulas.activations import relu
from fuseprop.testing.contract.formulas import LOSS_CASES, TRAINABLE_CASES, UPDATE_CASES, all_in_turn

RATE, V = variable("rate"), variable("v")

DTYPE = np.dtype("float64")

CONDITIONS = [{}, {"weighted": True}, {"clipped": True, "decays": True}, {"dropout": 0.5}, {"observed": True}]

HOW = [(update, condition) for update in UPDATE_CASES for condition in CONDITIONS]


def recognised(program):
    return recognise(program, DTYPE)


def described(step):
    """Return a step as plain data: arrays by their places, tasks in no order."""

    def plain(value):
        if isinstance(value, np.ndarray):
            return value.__array_interface__["data"][0], value.shape, str(value.dtype)
        if is_dataclass(value) and not hasattr(value, "_key"):
            return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    found = plain(step)
    for side in ("before", "after"):
        found[side] = sorted(map(repr, found[side]))
    return found


def written(program):
    """Return the arrays that a program writes and somebody may read."""
    regions = program.memory.regions
    scratch = 0
    for array in program.scratch:
        scratch |= regions[id(array)]
    arrays = [array for call in program.calls for array in call.writes]
    return [array for array in arrays if regions[id(array)] & ~scratch]


def assert_takes(program, backend, steps=2):
    """Taken as it was recognised, a step leaves what its calls leave, to the bit, wherever one may look."""
    step, kept = recognised(program), written(program)
    for call in program.calls:
        if call.operation == "advance":
            call.operands[0][...] = 0
    arrays = {id(array): array for call in program.calls for array in (*call.reads, *call.writes)}
    start = [(array, array.copy()) for array in arrays.values()]
    replay_by_calling(backend, program)(steps)
    expected = [array.copy() for array in kept]
    for array, values in start:
        array[...] = values
    for array in program.scratch:  # nobody may look at what was there
        if array is not step.gradients:  # between the layers nobody ever writes there
            array[...] = -1 if array.dtype.kind == "i" else np.nan
    for _ in range(steps):
        take(step, backend)
    for array, values in zip(kept, expected, strict=True):
        np.testing.assert_array_equal(array, values)
    return step


@pytest.mark.parametrize(("loss", "activation", "how"), all_in_turn(LOSS_CASES, TRAINABLE_CASES, HOW))
def test_every_formula_is_recognised(loss, activation, how):
    update, condition = how
    training = epoch_of(loss=loss, activation=activation, update=update, **condition)
    program = training.program(training.batches[0])
    if update == "drawn":  # no optimizer: it moves what has no gradient
        with pytest.raises(UnknownStepError, match="numbers of 0"):
            recognised(program)
        return
    step = recognised(program)
    assert [layer.activation for layer in step.layers[:-1]] == [TRAINABLE_CASES[activation].formula] * 2
    assert step.update.formula == UPDATE_CASES[update]
    assert (step.loss is None) == (loss == SOFTMAX)


def test_the_table_is_of_all_that_is_built_in():
    assert {family().name for family in trainable_activations().values()} <= TRAINABLE_CASES.keys()
    assert {family().name for family in LOSSES.values()} <= LOSS_CASES.keys()
    assert UPDATES.keys() <= UPDATE_CASES.keys()


@pytest.mark.parametrize("number", [0, -1], ids=["full", "partial"])
@pytest.mark.parametrize("loss", [SOFTMAX, "mean_squared_error"])
@pytest.mark.parametrize("name", KINDS)
def test_what_is_recognised_is_the_step(name, loss, number):
    training = kind(name, loss=loss, activation="gelu" if loss == SOFTMAX else "sigmoid")
    batch = training.batches[number]
    if training.examples.x is None:
        batch.x[...] = np.random.default_rng(5).normal(size=batch.x.shape)
    program = training.program(batch)
    step = assert_takes(program, training.backend, 1 if number else 2)
    assert step.rows == batch.rows
    assert (step.x.order is None) == (training.examples.x is None)
    assert step.reads_values == bool(training.observers)
    assert (step.outputs is not None) == bool(training.observers)


@pytest.mark.parametrize("name", KINDS)
def test_the_order_of_independent_calls_does_not_matter(name):
    training, rng = kind(name), np.random.default_rng(0)
    program = training.program(training.batches[0])
    expected = described(recognised(program))
    orders = {tuple(range(len(program.calls)))}
    for _ in range(20):
        other = shuffled(program, rng)
        orders.add(tuple(map(id, other.calls)))
        assert described(recognised(other)) == expected
    assert len(orders) > 5


def test_an_order_in_which_calls_see_other_numbers_is_another_step():
    """Two neighbours exchanged that may not be: refused, or recognised as what they then are."""
    training = kind("everything")
    program = training.program(training.batches[0])
    refused = 0
    for j, before in enumerate(conflicts(program)):
        if j - 1 not in before:
            continue
        calls = list(program.calls)
        calls[j - 1], calls[j] = calls[j], calls[j - 1]
        other = Program(tuple(calls), program.scratch)
        try:
            recognised(other)
        except UnknownStepError:
            refused += 1
        else:
            assert_takes(other, training.backend, 1)
    assert refused > 10


def test_every_call_counts():
    """A program without one of its calls is no step, or is recognised as what is left."""
    training = kind("everything")
    program = training.program(training.batches[0])
    refused = 0
    for i in range(len(program.calls)):
        other = Program((*program.calls[:i], *program.calls[i + 1 :]), program.scratch)
        try:
            recognised(other)
        except UnknownStepError:
            refused += 1
        else:
            assert program.calls[i].operation in {
                *("take_rows", "put_rows", "advance", "sum_squares", "argmax_equals", "clip_norm")
            }
    assert refused > 15


def test_every_call_is_done_once():
    """A call that comes twice is no step, but for tasks beside it."""
    training = kind("everything")
    program = training.program(training.batches[0])
    for i, call in enumerate(program.calls):
        again = Call(call.operation, call.operands, call.options)
        other = Program((*program.calls[: i + 1], again, *program.calls[i + 1 :]), program.scratch)
        try:
            recognised(other)
        except UnknownStepError:
            continue
        assert call.operation in ("put_rows", "advance", "sum_squares", "take_rows")
        assert_takes(other, training.backend, 1)


def test_an_update_that_moves_zeros_is_a_step_where_there_are_none_between_the_layers():
    """The flat parameters are filled up to multiples of 64."""
    training = epoch_of(update="drawn", sizes=[7, 8, 64])
    found = assert_takes(training.program(training.batches[0]), training.backend)
    assert found.values.size == 8 * 8 + 9 * 64


@pytest.mark.parametrize(
    ("new", "keeps"),
    [
        (W - G, True),
        (W - RATE, False),
        (W - RATE * tanh(G), True),
        (W * RATE - G / (RATE + 1), True),
        (W - exp(G), False),
        (W + where(W > 0, G, -RATE), False),
        (W + where(RATE > 0, G, abs(V)), True),
        (W - (RATE - RATE), False),  # not proved
    ],
    ids=str,
)
def test_updates_that_keep_zeros(new, keeps):
    assert keeps_zeros(UpdateFormula(new, (("v", RATE * V + G),), ("rate",))) is keeps


def test_updates_that_are_built_in_keep_zeros():
    assert all(map(keeps_zeros, UPDATES.values()))


# What is no step


def index(program, operation, number=0):
    return [i for i, call in enumerate(program.calls) if call.operation == operation][number]


def changed(program, operation, number=0, operands=None, **options):
    """Return the program with other arguments in one call: operands by position, options by name."""
    at = index(program, operation, number)
    call = program.calls[at]
    given = list(call.operands)
    for place, value in (operands or {}).items():
        given[place] = value
    new = Call(operation, tuple(given), {**call.options, **options})
    return Program((*program.calls[:at], new, *program.calls[at + 1 :]), program.scratch)


def inserted(program, before, *call):
    """Return the program with a call before the one at a place."""
    before = len(program.calls) if before is None else before
    operation, operands, options = call
    new = Call(operation, operands, options)
    return Program((*program.calls[:before], new, *program.calls[before:]), program.scratch)


def without(program, *arrays):
    """Return the program with some arrays no longer scratch."""
    gone = {id(array) for array in arrays}
    return Program(program.calls, tuple(array for array in program.scratch if id(array) not in gone))


def no_update(t, p):
    return Program(p.calls[: index(p, "update")], p.scratch)


def gradient_read_before_it_is_clipped(t, p):
    call = "sum_squares", (t.stack.parameters.gradients,), {"out": t.backend.zeros((1,))}
    return inserted(p, index(p, "clip_norm"), *call)


def another_product(t, p):
    out = t.backend.zeros((5, 3))
    return inserted(p, None, "matmul", (t.backend.zeros((5, 2)), t.backend.zeros((2, 3))), {"out": out})


def parameters_changed_beside(t, p):
    values = t.stack.parameters.values
    return inserted(p, 0, "copy", (t.backend.zeros(values.shape),), {"out": values})


def softmax_beside(t, p):
    return inserted(p, None, "softmax", (t.batches[0].outputs[-1],), {"out": t.backend.zeros((8, 3))})


def an_operation_of_ones_own(t, p):
    access = Access.of(lambda self, x: None, reads="x")
    return Program((*p.calls, Call("mine", (t.state.losses,), {}, access)), p.scratch)


def bias_elsewhere(t, p):
    return changed(p, "bias_activation", operands={1: t.backend.zeros((7,))})


def no_bias(t, p):
    return changed(p, "bias_activation", operands={1: None})


def weights_elsewhere(t, p):
    return changed(p, "matmul", operands={1: t.backend.zeros((5, 7))})


def gradient_elsewhere(t, p):
    return changed(p, "activation_backward", bias_gradient=t.backend.zeros((3,)))


def gradients_swapped(t, p):
    """The gradient of layer 2's bias, of 6 numbers, where another six are."""
    place = t.stack.parameters.layers[1].weight_gradients.reshape((42,))[:6]
    return changed(p, "activation_backward", 1, bias_gradient=place)


def another_slope(t, p):
    return changed(p, "activation_backward", 1, operands={2: relu().formula})


def slope_elsewhere(t, p):
    return changed(p, "activation_backward", 1, operands={1: t.backend.zeros((8, 6))})


def another_mask(t, p):
    seed = p.calls[index(p, "dropout", -1)].operands[2]
    return changed(p, "dropout", -1, operands={2: seed ^ 1})


def another_step_of_masks(t, p):
    return changed(p, "dropout", -1, operands={3: t.backend.zeros((1,), np.dtype(np.int64))})


def dropout_in_place(t, p):
    return changed(p, "dropout", 0, out=t.batches[0].outputs[0])


def decay_of_a_bias(t, p):
    (start, stop), *others = p.calls[index(p, "update")].options["decay_ranges"]
    return changed(p, "update", decay_ranges=[(start, stop + 1), *others])


def decay_of_some_weights(t, p):
    (start, stop), *others = p.calls[index(p, "update")].options["decay_ranges"]
    return changed(p, "update", decay_ranges=[(start, stop - 1), *others])


def hits_by_other_scores(t, p):
    return changed(p, "argmax_equals", operands={0: t.backend.zeros((8, 3))})


def loss_of_hidden_outputs(t, p):
    return changed(p, SOFTMAX, operands={0: t.batches[0].outputs[1][:, :3]})


def order_of_other_integers(t, p):
    order = t.state.order.astype(np.int32)
    return changed(p, "take_rows", operands={1: order})


def rows_of_other_floats(t, p):
    return changed(p, "take_rows", operands={0: t.examples.x.astype(np.float32)})


def rows_by_columns(t, p):
    return changed(p, "take_rows", operands={0: np.asfortranarray(t.examples.x)})


def moved_between_gathers(t, p):
    return inserted(p, index(p, "take_rows", 1), "advance", (t.state.cursor, 1), {})


def moved_between_forward_and_backward(t, p):
    step = t.stack.dropout.step
    return inserted(p, index(p, "activation_backward"), "advance", (step, 1), {})


def settings_that_are_moments(t, p):
    return changed(p, "update", operands={3: t.optimizer.moments[0][:3]})


def moments_read(t, p):
    return inserted(p, None, "sum_squares", (t.optimizer.moments[0],), {"out": t.backend.zeros((1,))})


def gradients_are_values(t, p):
    values = t.stack.parameters.values
    return changed(p, "update", operands={1: values})


def row_weights_among_losses(t, p):
    return changed(p, SOFTMAX, operands={2: t.batches[0].losses})


def two_updates(t, p):
    return Program((*p.calls, p.calls[index(p, "update")]), p.scratch)


def two_losses(t, p):
    return Program((*p.calls, p.calls[index(p, SOFTMAX)]), p.scratch)


def shared_memory(t, p):
    """The gradient by a hidden layer's outputs lies where these outputs are."""
    batch = t.batches[0]
    calls = []
    for call in p.calls:
        options = {
            name: batch.outputs[0] if array is batch.gradients[0] else array
            for name, array in call.options.items()
        }
        operands = tuple(batch.outputs[0] if each is batch.gradients[0] else each for each in call.operands)
        calls.append(Call(call.operation, operands, options))
    return Program(tuple(calls), p.scratch)


def weights_taken_twice(t, p):
    """The second layer multiplies by the first one's weights, (5, 7) beside (7, 6), as far as they go."""
    first = t.stack.parameters.values[: 7 * 6].reshape((7, 6))
    return changed(p, "matmul", 1, operands={1: first})


def gradient_of_another_input(t, p):
    return changed(p, "matmul", 4, operands={0: t.backend.zeros((8, 7)).T})


def clipped_elsewhere(t, p):
    return changed(p, "clip_norm", operands={0: t.backend.zeros(t.stack.parameters.gradients.shape)})


def an_argument_of_ones_own(t, p):
    return changed(p, "update", speed=3)


def a_list(t, p):
    return changed(p, "put_rows", operands={0: [t.batches[0].losses, t.batches[0].losses]})


DEVIATIONS = {
    no_update: "clip_norm is there once more",
    gradient_read_before_it_is_clipped: "in the midst",
    another_product: "matmul",
    parameters_changed_beside: "copy writes to the parameters",
    softmax_beside: "softmax is there once more",
    an_operation_of_ones_own: "mine is no part",
    bias_elsewhere: "no block",
    no_bias: "a bias is NoneType",
    weights_elsewhere: "no block",
    gradient_elsewhere: "no block",
    gradients_swapped: "no block",
    another_slope: "another activation's",
    slope_elsewhere: "at other numbers",
    another_mask: "another mask",
    another_step_of_masks: "more than one number",
    dropout_in_place: "weight decay goes over other",
    decay_of_a_bias: "weight decay",
    decay_of_some_weights: "weight decay",
    hits_by_other_scores: "hits are counted by",
    loss_of_hidden_outputs: "an output is computed by no calls",
    order_of_other_integers: "int32",
    rows_of_other_floats: "float32",
    rows_by_columns: "row after row",
    moved_between_gathers: "in the midst",
    moved_between_forward_and_backward: "in the midst",
    settings_that_are_moments: "overwrites the settings",
    moments_read: "reads the moments",
    gradients_are_values: "share memory|do not lie|no block|clipped",
    row_weights_among_losses: "overwrites the row weights",
    two_updates: "2 calls",
    two_losses: "2 calls",
    shared_memory: "share memory|computed by",
    weights_taken_twice: "no block|share parameters|by a layer's input",
    gradient_of_another_input: "by a layer's input is computed by no calls",
    clipped_elsewhere: "the clipped gradient",
    an_argument_of_ones_own: "other arguments",
    a_list: "list|no array",
}


@pytest.mark.parametrize("deviate", DEVIATIONS, ids=lambda each: each.__name__)
def test_whatever_else_is_refused(deviate):
    training = kind("everything")
    program = training.program(training.batches[0])
    recognised(program)
    with pytest.raises(UnknownStepError, match=DEVIATIONS[deviate]):
        recognised(deviate(training, program))


KEPT = {"outputs": "kept_outputs", "gradients": "kept_deltas", "sums": "kept_sums"}
"""By what a batch calls them, what a step calls the arrays of layers that it can keep."""


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("read", [False, True], ids=["kept", "read"])
def test_what_is_asked_for_is_kept(name, read):
    """An array that is computed on the way is left where calls leave it, if anybody asks for it."""
    training = kind("everything", activation="gelu")
    program, batch = training.program(training.batches[0]), training.batches[0]
    asked_before = recognised(program).layers
    for i, array in enumerate(getattr(batch, name)):
        if array is None:
            continue
        out = training.backend.zeros(array.shape)
        asked = inserted(program, None, "copy", (array,), {"out": out}) if read else without(program, array)
        found = assert_takes(asked, training.backend)
        assert getattr(found.layers[i], KEPT[name]) is array
        assert [layer.kept_deltas for layer in asked_before] == [None] * len(asked_before)


def test_what_dropout_leaves_is_not_kept():
    training = kind("everything")
    program = training.program(training.batches[0])
    with pytest.raises(UnknownStepError, match="are to be kept"):
        recognised(without(program, training.batches[0].dropped[0]))


@pytest.mark.parametrize("name", ["plain", "weighted", "dropout", "one layer", "twenty layers"])
def test_a_step_may_learn_nothing(name):
    """Without an update the gradients are the result."""
    training = kind(name)
    batch = training.batches[0]
    program = no_update(training, training.program(batch))
    found = assert_takes(program, training.backend)
    assert found.update is None
    assert found.gradients.size >= training.stack.parameters.count


@pytest.mark.parametrize("name", ["x", "labels"])
def test_rows_that_are_kept_are_gathered_before_the_step(name):
    training = kind("plain")
    program = training.program(training.batches[0])
    array = getattr(training.batches[0], name)
    found = assert_takes(without(program, array, training.batches[0].target), training.backend)
    assert "take_rows" in {task.operation for task in found.before}


def test_a_task_that_reads_gradients_has_them():
    training = kind("plain")
    program = training.program(training.batches[0])
    square, gradients = training.backend.zeros((1,)), training.stack.parameters.gradients
    call = "sum_squares", (gradients,), {"out": square}
    for before in (None, index(program, "update"), 0):
        found = assert_takes(inserted(without(program, gradients), before, *call), training.backend)
        assert found.reads_gradients
        assert not found.reads_values


def test_arguments_by_name():
    training = kind("plain")
    program = training.program(training.batches[0])
    calls = []
    for call in program.calls:
        _, *names = signature(getattr(NumpyBackend, call.operation)).parameters
        given = dict(zip(names, call.operands, strict=False))
        calls.append(Call(call.operation, (), {**given, **call.options}))
    named = Program(tuple(calls), program.scratch)
    assert described(recognised(named)) == described(recognised(program))


def test_another_dtype_is_another_step():
    training = kind("plain")
    with pytest.raises(UnknownStepError, match="float64"):
        recognise(training.program(training.batches[0]), np.dtype("float32"))
    single = kind("plain", dtype="float32")
    assert recognise(single.program(single.batches[0]), np.dtype("float32")).rows == 8


def test_other_objects_of_the_same_memory():
    """Arrays are known by where they are, not by which objects they are."""
    training = kind("everything")
    program = training.program(training.batches[0])
    calls = [
        replace(
            call,
            operands=tuple(each[...] if isinstance(each, np.ndarray) else each for each in call.operands),
            options={
                name: each[...] if isinstance(each, np.ndarray) else each
                for name, each in call.options.items()
            },
        )
        for call in program.calls
    ]
    views = Program(tuple(calls), tuple(array[...] for array in program.scratch))
    assert described(recognised(views)) == described(recognised(program))
