"""In which form the NumPy backend replays a step, and when the learning rate is folded."""

from dataclasses import replace

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.feature_major import FeatureMajor
from fuseprop_numpy.folding import folding
from fuseprop_numpy.layout import Layout

from fuseprop import Adam, MomentumSGD, Network, mlp
from fuseprop.backend import INTEGER, Call, Program, UpdateFormula, variable
from fuseprop.backend.formula import G, W
from fuseprop.layers.targets import encode_targets
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows
from fuseprop.training.step import gradient_step

BATCH = 8


def training_of(sizes=(5, 7, 3), optimizer=None, activation="tanh"):
    backend = NumpyBackend("float64", replay="calls")
    network = Network(mlp(sizes, activation), "softmax_cross_entropy", seed=0, backend=backend)
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(2 * BATCH, sizes[0])), rng.integers(0, sizes[-1], 2 * BATCH)
    targets = encode_targets(labels, network.stack.loss, network.layers[-1], 2 * BATCH)
    optimizer = optimizer or MomentumSGD(0.1, 0.6)
    rows = Rows(X, targets, None)
    training = Epoch(backend, network.stack, None, optimizer, rows, batch_size=BATCH)
    optimizer.prepare(network.stack.parameters, 2)
    return training


def program_of(training, scratch=None):
    """Record a step, of which nobody reads the gradients; or one with other scratch arrays."""
    program = training.program(training.batches[0])
    if scratch is None:
        scratch = [*program.scratch, training.stack.parameters.gradients]
    return Program(program.calls, tuple(scratch))


@pytest.mark.parametrize(("hidden", "turned"), [(7, True), (1024, True), (1025, False)])
def test_narrow_networks_are_turned(hidden, turned):
    assert Layout(program_of(training_of((5, hidden, 3)))).is_small() is turned


def test_nothing_is_turned_that_somebody_reads():
    training = training_of()
    assert not Layout(program_of(training, [])).is_small()
    without = [array for array in training.batches[0].scratch if array is not training.batches[0].outputs[0]]
    assert not Layout(program_of(training, without)).is_small()


def test_nothing_is_turned_whose_slope_is_of_the_sums():
    assert not Layout(program_of(training_of(activation="gelu"))).is_small()
    assert Layout(program_of(training_of(activation="elu"))).is_small()


def test_whatever_stands_between_a_product_and_its_bias():
    """A copy in between: two operations instead of one product with the whole block, and the same result."""
    expected, training = training_of(), training_of()
    program = program_of(training)
    at = next(i for i, call in enumerate(program.calls) if call.operation == "bias_activation")
    elsewhere = training.backend.zeros((1,))
    between = Call("sum_squares", (training.stack.parameters.values,), {"out": elsewhere})
    calls = (*program.calls[:at], between, *program.calls[at:])
    layout = Layout(Program(calls, program.scratch))
    assert layout.is_small()
    for each in (expected, training):
        each.send(np.arange(2 * BATCH))
    expected.backend.compile(program_of(expected))(1)
    FeatureMajor(training.backend, Program(calls, program.scratch), layout).run(1)
    np.testing.assert_allclose(
        training.stack.parameters.values, expected.stack.parameters.values, rtol=1e-14, atol=1e-15
    )
    assert elsewhere[0] > 0


def test_the_learning_rate_is_folded():
    training = training_of()
    assert not folding(program_of(training)).unfolds
    assert folding(program_of(training, training.batches[0].scratch)).unfolds


@pytest.mark.parametrize("optimizer", [MomentumSGD(0.1, clip_norm=0.5), Adam()], ids=["clipped", "adam"])
def test_it_is_not_where_the_size_of_the_gradient_counts(optimizer):
    assert folding(program_of(training_of(optimizer=optimizer))) is None


def test_it_is_told_from_the_formula_not_from_its_name():
    """Another update whose only use of g is scaled, by its second setting; and one that squares g first."""
    training = training_of()
    program = program_of(training)
    at = next(i for i, call in enumerate(program.calls) if call.operation == "update")
    mu, rate, v = variable("mu"), variable("rate"), variable("v")

    def folded(new):
        values, gradients, moments, settings, _ = program.calls[at].operands
        formula = UpdateFormula(W - new, (("v", new),), ("mu", "rate"))
        call = replace(program.calls[at], operands=(values, gradients, moments, settings, formula))
        return folding(Program((*program.calls[:at], call, *program.calls[at + 1 :]), program.scratch))

    found = folded(mu * v + G * rate)
    assert found.rate_name == "rate"
    assert found.rate == program.calls[at].operands[3][1]
    assert folded(mu * v + rate * (G * G)) is None


def test_it_is_not_where_a_step_reads_gradients():
    training = training_of()
    program = program_of(training)
    norm = training.backend.zeros((1,))
    read = Call("sum_squares", (training.stack.parameters.gradients,), {"out": norm})
    for calls in ((*program.calls, read), (*program.calls[:-4], read, *program.calls[-4:])):
        assert folding(Program(calls, program.scratch)) is None


def test_it_is_not_where_the_settings_come_after_the_loss():
    training = training_of()
    program = program_of(training)
    at = next(i for i, call in enumerate(program.calls) if call.operation == "update")
    settings = program.calls[at].operands[3]
    table, cursor = training.backend.zeros((2, 3)), training.backend.zeros((1,), INTEGER)
    order = training.backend.from_host(np.arange(2), dtype=INTEGER)
    fetch = Call("take_rows", (table, order, cursor), {"out": settings.reshape((1, 3))})
    before, after = (fetch, *program.calls), (*program.calls[:at], fetch, *program.calls[at:])
    assert np.may_share_memory(folding(Program(before, program.scratch)).rate, settings)
    assert folding(Program(after, program.scratch)) is None


@pytest.mark.parametrize("rate", [0.1, 0.0])
def test_who_wants_gradients_changes_no_bit_of_the_weights(rate):
    wanted, scratch = (training_of(optimizer=MomentumSGD(lambda epoch: rate, 0.6, 0.01)) for _ in range(2))
    for training, read in ((wanted, True), (scratch, False)):
        training.send(np.arange(2 * BATCH))
        replay = training.backend.compile(program_of(training, training.batches[0].scratch if read else None))
        replay(2)
    np.testing.assert_array_equal(wanted.stack.parameters.values, scratch.stack.parameters.values)


def test_gradients_at_a_learning_rate_of_zero():
    """They cannot have been scaled by it."""
    called, replayed = (training_of(optimizer=MomentumSGD(lambda epoch: 0.0)) for _ in range(2))
    for training in (called, replayed):
        training.send(np.arange(2 * BATCH))
    step = called.stack, called.metric, called.examples, called.state, called.batches[0]
    gradient_step(called.backend, *step)
    replayed.backend.compile(replayed.program(replayed.batches[0]))(1)
    expected = called.stack.parameters.gradients
    np.testing.assert_allclose(replayed.stack.parameters.gradients, expected, rtol=1e-13, atol=1e-16)
    assert np.abs(expected).max() > 1e-3
