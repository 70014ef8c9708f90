"""A training that diverges goes on from its best weights with half the learning rate, if asked to."""

from copy import deepcopy

import numpy as np
import pytest
from collecting import Collecting

from fuseprop import Adam, DivergenceError, EarlyStopping, MomentumSGD, Network, mlp
from fuseprop.callbacks import LearningRate, OnEpochEnd
from fuseprop.checkpoints import CheckpointError
from fuseprop.schedules import Exponential
from fuseprop.training.changed import SettingChanged
from fuseprop.training.divergence import MOST_HALVINGS
from fuseprop.training.rules import FitRules

RNG = np.random.default_rng(1)
X = RNG.normal(size=(64, 3)).astype(np.float32)
VALUES = (X @ [1.0, -2.0, 0.5] + 0.1 * RNG.normal(size=64)).astype(np.float32)


def new_network(seed=0, dropout=0.2):
    layers = mlp([3, 6, 1], "tanh", dropout=dropout)
    return Network(layers, "half_squared_error", seed=seed, device="cpu")


def fit(network, optimizer, *, warns=True, **options):
    options = {"epochs": 8, "batch_size": 8, "on_divergence": "halve"} | options
    if not warns:
        return network.fit(X, VALUES, optimizer, **options)
    with pytest.warns(SettingChanged):
        return network.fit(X, VALUES, optimizer, **options)


def assert_equal_weights(network, other):
    for ours, expected in zip(network.weights(), other.weights(), strict=True):
        np.testing.assert_array_equal(ours[0], expected[0])
        np.testing.assert_array_equal(ours[1], expected[1])


@pytest.fixture
def diverging(monkeypatch):
    """Let the epochs of these numbers diverge, where all that are taken are counted from 1."""
    numbers, judge = set(), FitRules._divergence

    def scripted(rules, *given):
        rules.taken = getattr(rules, "taken", 0) + 1
        return ("the loss became nan", 2) if rules.taken in numbers else judge(rules, *given)

    monkeypatch.setattr(FitRules, "_divergence", scripted)
    return numbers


def test_a_rate_that_is_too_high_is_halved_until_training_converges():
    """Gradient descent on a quadratic diverges above 2 over its largest curvature, here between 1 and 2."""
    network = Network(mlp([3, 1]), "half_squared_error", seed=0, device="cpu")
    before, optimizer = network.evaluate(X, VALUES)["loss"], MomentumSGD(16.0, 0.0)
    with pytest.warns(SettingChanged) as said:
        history = network.fit(X, VALUES, optimizer, epochs=200, batch_size=64, on_divergence="halve")
    assert network.evaluate(X, VALUES)["loss"] < before / 100
    assert [halving["learning_rate"] for halving in history.halvings] == [8, 4, 2, 1]
    assert (history.epochs, history.learning_rate[-1]) == (200, 1)
    assert [each.filename for each in said] == [__file__] * 4
    assert optimizer.learning_rate == optimizer.current_learning_rate == 16


def test_from_there_on_it_is_a_training_from_the_best_weights(diverging):
    """That epoch is taken again, in the order that follows, and moments are 0."""
    diverging.add(5)
    network, other, epochs = new_network(dropout=0.0), new_network(dropout=0.0), []
    with pytest.warns(
        SettingChanged,
        match=r"^the loss became nan in epoch 5, batch 2 of 8 \(learning_rate=0\.2\): training goes on from "
        r"the weights of epoch \d with half the learning rate, 0\.1\.$",
    ):
        history = fit(
            network, MomentumSGD(0.2), warns=False, callbacks=[OnEpochEnd(lambda h: epochs.append(h.epochs))]
        )
    assert epochs == list(range(1, 9))
    assert history.halvings == [{"epoch": 5, "learning_rate": 0.1}]
    assert history.learning_rate == [0.2] * 4 + [0.1] * 4
    with pytest.raises(DivergenceError) as stopped:
        fit(other, MomentumSGD(0.2), warns=False, on_divergence="stop")
    rest = fit(other, MomentumSGD(0.1), warns=False, epochs=4, on_divergence="stop")
    assert history.train_loss == stopped.value.history.train_loss + rest.train_loss
    assert_equal_weights(network, other)
    assert network.rng.bit_generator.state == other.rng.bit_generator.state


@pytest.mark.parametrize("by", ["the optimizer", "a callback"])
def test_schedules_are_scaled(diverging, by):
    diverging |= {2, 3, 6}
    schedule = Exponential(0.2, 0.5)
    optimizer = Adam(schedule if by == "the optimizer" else 0.7)
    callbacks = [] if by == "the optimizer" else [LearningRate(optimizer, schedule)]
    history = fit(new_network(), optimizer, callbacks=callbacks)
    scales = [1, 1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8, 1 / 8]
    assert history.learning_rate == [schedule(epoch) * scale for epoch, scale in enumerate(scales)]
    assert [halving["epoch"] for halving in history.halvings] == [2, 2, 4]
    assert optimizer.rate_scale == 1
    assert optimizer.current_learning_rate == (schedule(8) if by == "the optimizer" else 0.7)


def test_after_the_last_halving_it_ends_with_the_error():
    """Inputs that overflow diverge at any rate."""
    network, optimizer = new_network(), MomentumSGD(0.2)
    before = network.weights()
    with (
        pytest.raises(DivergenceError, match=r"learning_rate=0\.00625, halved 5 times\)") as raised,
        pytest.warns(SettingChanged) as said,
    ):
        network.fit(X, VALUES * np.float32(1e30), optimizer, on_divergence="halve")
    history = raised.value.history
    assert len(said) == len(history.halvings) == MOST_HALVINGS == 5
    assert (history.epochs, history.stop_reason, raised.value.epoch) == (0, "diverged", 1)
    np.testing.assert_array_equal(network.weights()[0][0], before[0][0])
    assert (optimizer.rate_scale, optimizer.current_learning_rate) == (1, 0.2)


def test_the_best_of_all_epochs_is_kept(diverging):
    diverging |= {1, 4, 9}
    network = new_network()
    history = fit(network, Adam(0.05), validation=0.25, callbacks=[EarlyStopping(20)])
    assert [halving["epoch"] for halving in history.halvings] == [1, 3, 7]
    assert history.best_epoch == np.argmin(history.validation_loss) + 1
    assert (history.epochs, len(history.seconds)) == (8, 8)


def test_nothing_changes_where_nothing_diverges():
    network, other = new_network(), new_network()
    history = fit(network, MomentumSGD(0.1), warns=False)
    fit(other, MomentumSGD(0.1), warns=False, on_divergence="stop")
    assert history.halvings == []
    assert_equal_weights(network, other)


def test_orders_that_are_sent_ahead_are_the_same(diverging, monkeypatch):
    """As where a GPU works while the host draws; the last epoch diverges too."""
    diverging |= {3, 9}
    network, other = new_network(), new_network()
    history = fit(network, MomentumSGD(0.1))
    monkeypatch.setattr(other.backend, "device", "another")
    assert fit(other, MomentumSGD(0.1)).train_loss == history.train_loss
    assert [halving["epoch"] for halving in history.halvings] == [3, 8]
    assert_equal_weights(network, other)


def test_every_checkpoint_goes_on_in_the_same_bits(diverging, tmp_path, monkeypatch):
    """Before an epoch that diverges, within it, and behind it, when the rate is halved."""
    diverging |= {2, 5}
    options = {"validation": 0.25, "callbacks": [EarlyStopping(20)], "epochs": 4, "batch_size": 16}
    network, keeper = new_network(), Collecting(tmp_path / "run.safetensors", "1 step")
    history = fit(network, Adam(Exponential(0.1, 0.9)), checkpoint=keeper, **options)
    assert [halving["epoch"] for halving in history.halvings] == [2, 4]
    halved = {found.state["training"]["rules"]["halvings"] for found in keeper.found}
    assert halved == {0, 1, 2}
    for found in keeper.found:
        taken = found.state["summary"]["epoch"] + found.state["training"]["rules"]["halvings"]
        monkeypatch.setattr(FitRules, "taken", taken, raising=False)
        resumed, left = new_network(seed=7), len(diverging) - found.state["training"]["rules"]["halvings"]
        ended = fit(resumed, Adam(Exponential(0.1, 0.9)), warns=left > 0, resume=found, **options)
        assert_equal_weights(resumed, network)
        for name in ("train_loss", "validation_loss", "learning_rate", "halvings", "best_epoch"):
            assert getattr(ended, name) == getattr(history, name)


PLACES = {
    ("rules", "halvings"): [-1, MOST_HALVINGS + 1, 2**62, 0.5, True, None, "1", [1]],
    ("history", "halvings"): [1, None, [1], [{"epoch": 1}], [{"epoch": -1, "learning_rate": 0.1}]],
    ("history", "batch_size"): [0, -1, 0.5, True, "1", [1], 2**64],
}


@pytest.mark.parametrize(("part", "name"), PLACES)
def test_a_checkpoint_that_says_anything_else_is_refused(tmp_path, part, name):
    keeper = Collecting(tmp_path / "run.safetensors", "1 epoch")
    network, optimizer = new_network(), MomentumSGD(0.1)
    fit(new_network(), MomentumSGD(0.1), warns=False, checkpoint=keeper, epochs=2)
    for value in PLACES[part, name]:
        found = deepcopy(keeper.found[0])
        found.state["training"][part][name] = value
        with pytest.raises(CheckpointError, match=f"{name} must be|state of History"):
            fit(network, optimizer, warns=False, resume=found)
    assert optimizer.rate_scale == 1
    assert fit(network, optimizer, warns=False, resume=keeper.found[0]).epochs == 8


def test_what_may_be_asked_for():
    with pytest.raises(ValueError, match=r'on_divergence "half" is not known\. Choose from: stop, halve'):
        fit(new_network(), MomentumSGD(0.1), warns=False, on_divergence="half")

    class Own:
        """An optimizer whose rate nobody else can change."""

        prepare = update = reset = print

    with pytest.raises(TypeError, match="optimizer must be one whose learning rate can be halved"):
        fit(new_network(), Own(), warns=False)
