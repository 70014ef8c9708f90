"""In which form the NumPy backend replays a step, and when the learning rate is folded."""

import numpy as np
import pytest
from fuseprop_numpy.feature_major import FeatureMajor
from fuseprop_numpy.folding import folded_settings
from fuseprop_numpy.layout import Layout

from fuseprop import Adam, MomentumSGD, Network, load_backend, mlp
from fuseprop.backend import INTEGER, Call, Program
from fuseprop.program import record
from fuseprop.rows import Rows
from fuseprop.step import training_step
from fuseprop.targets import encode_targets
from fuseprop.training import Training

BATCH = 8


def training_of(sizes=(5, 7, 3), optimizer=None):
    backend = load_backend("cpu", "float64")
    network = Network(mlp(sizes, "tanh"), "softmax_cross_entropy", seed=0, backend=backend)
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(2 * BATCH, sizes[0])), rng.integers(0, sizes[-1], 2 * BATCH)
    targets = encode_targets(labels, network.stack.loss, network.layers[-1], 2 * BATCH)
    optimizer = optimizer or MomentumSGD(0.1, 0.6)
    rows = Rows(X, targets, None)
    training = Training(backend, network.stack, None, optimizer, rows, batch_size=BATCH, validation=None)
    optimizer.prepare(network.stack.parameters, 2)
    return training


def program_of(training, scratch=None):
    batch, parameters = training.batches[0], training.stack.parameters

    def step(backend):
        training_step(
            backend,
            training.stack,
            training.metric,
            training.optimizer,
            training.examples,
            training.epoch,
            batch,
        )

    return record(
        training.backend, step, [*batch.scratch, parameters.gradients] if scratch is None else scratch
    )


@pytest.mark.parametrize(("hidden", "turned"), [(7, True), (1024, True), (1025, False)])
def test_narrow_networks_are_turned(hidden, turned):
    assert Layout(program_of(training_of((5, hidden, 3)))).is_small() is turned


def test_nothing_is_turned_that_somebody_reads():
    training = training_of()
    assert not Layout(program_of(training, [])).is_small()
    without = [array for array in training.batches[0].scratch if array is not training.batches[0].outputs[0]]
    assert not Layout(program_of(training, without)).is_small()


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
        each.begin_epoch(np.arange(2 * BATCH))
    expected.compiled_step(expected.batches[0])()
    FeatureMajor(training.backend, Program(calls, program.scratch), layout).run()
    np.testing.assert_allclose(
        training.stack.parameters.values, expected.stack.parameters.values, rtol=1e-14, atol=1e-15
    )
    assert elsewhere[0] > 0


def test_the_learning_rate_is_folded():
    training = training_of()
    assert folded_settings(program_of(training)) is not None


@pytest.mark.parametrize("optimizer", [MomentumSGD(0.1, clip_norm=0.5), Adam()], ids=["clipped", "adam"])
def test_it_is_not_where_the_size_of_the_gradient_counts(optimizer):
    assert folded_settings(program_of(training_of(optimizer=optimizer))) is None


def test_it_is_not_where_gradients_are_read():
    training = training_of()
    assert folded_settings(program_of(training, training.batches[0].scratch)) is None
    program = program_of(training)
    norm = training.backend.zeros((1,))
    read = Call("sum_squares", (training.stack.parameters.gradients,), {"out": norm})
    for calls in ((*program.calls, read), (*program.calls[:-4], read, *program.calls[-4:])):
        assert folded_settings(Program(calls, program.scratch)) is None


def test_it_is_not_where_the_settings_come_after_the_loss():
    training = training_of()
    program = program_of(training)
    at = next(i for i, call in enumerate(program.calls) if call.operation == "momentum_sgd")
    settings = program.calls[at].operands[3]
    table, cursor = training.backend.zeros((2, 3)), training.backend.zeros((1,), INTEGER)
    order = training.backend.from_host(np.arange(2), dtype=INTEGER)
    fetch = Call("take_rows", (table, order, cursor), {"out": settings.reshape((1, 3))})
    before, after = (fetch, *program.calls), (*program.calls[:at], fetch, *program.calls[at:])
    assert folded_settings(Program(before, program.scratch)) is settings
    assert folded_settings(Program(after, program.scratch)) is None
