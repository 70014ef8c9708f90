"""A network of steps predicts and is kept; whatever trains by slopes refuses it, and changes nothing."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import fuseprop
from fuseprop import (
    Activation,
    Adam,
    Dense,
    MLPClassifier,
    MLPRegressor,
    MomentumSGD,
    Network,
    Table,
    gradcheck,
    mlp,
)
from fuseprop.cli import main
from fuseprop.formulas import sign, step
from fuseprop.model.files import ModelFileError

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
XOR = [0, 1, 1, 0]
SIDES = Activation("sides", sign, low=-1)


def xor_by_hand(activation="step", **how):
    """OR and NAND, and AND of these: in front of every step a weighted sum, minus a threshold."""
    layers = [
        Dense(2, 2, activation, weights=[[1, -1], [1, -1]], bias=[-0.5, 1.5]),
        Dense(2, 1, activation, weights=[[1], [1]], bias=[-1.5]),
    ]
    return Network(layers, "half_squared_error", metric="accuracy", seed=0, **how)


def test_steps_by_hand_are_xor(backend):
    network = xor_by_hand(backend=backend)
    for X in (CORNERS, np.tile(CORNERS, (100, 1))):
        wanted = np.tile(XOR, len(X) // 4).reshape(-1, 1)
        for answers in (network.predict(X), network.forward(X)):
            assert answers.dtype == backend.dtype
            np.testing.assert_array_equal(answers, wanted)
        np.testing.assert_array_equal(network.classify(X), wanted)
        assert network.evaluate(X, wanted) == {"loss": 0, "accuracy": 1}
    assert network.evaluate(CORNERS, [1, 1, 1, 0]) == {"loss": 0.125, "accuracy": 0.75}
    assert "step" in network.summary()


def test_a_step_of_exactly_0_is_0(backend):
    network = Network([Dense(1, 1, step, weights=[[1]])], "half_squared_error", backend=backend)
    z = np.array([-1e30, -1, -1e-30, -0.0, 0, 1e-30, 1, 1e30])
    np.testing.assert_array_equal(network.predict(z[:, None])[:, 0], z > 0)


def test_a_step_of_ones_own_says_yes_and_no_by_its_own_values(backend):
    network = Network([Dense(1, 1, SIDES, weights=[[2]])], "half_squared_error", backend=backend)
    answers = network.predict([[-3], [0], [2]])
    np.testing.assert_array_equal(answers, [[-1], [0], [1]])
    np.testing.assert_array_equal(network.classify([[-3], [2]]), [[-1], [1]])


def test_mlp_gives_steps_to_the_hidden_layers(backend64):
    layers = mlp([2, 3, 3, 1], "step")
    assert [layer.activation for layer in layers] == ["step", "step", "identity"]
    network = Network(layers, "half_squared_error", seed=3, backend=backend64)
    (first, bias), *_, (last, at) = network.weights()
    assert np.ptp(first) > 0
    assert not bias.any()
    hidden = (CORNERS @ first + bias > 0) * 1.0
    [_, (w, b), _] = network.weights()
    np.testing.assert_allclose(network.predict(CORNERS), (hidden @ w + b > 0) @ last + at)


DOORS = {
    "fit": lambda network, optimizer: network.fit(CORNERS, XOR, optimizer, epochs=1),
    "fit by default": lambda network, _: network.fit(CORNERS, XOR),
    "fit with rows held out": lambda network, _: network.fit(CORNERS, XOR, validation=0.5),
    "train_step": lambda network, optimizer: network.train_step(CORNERS, XOR, optimizer),
    "backward": lambda network, _: network.backward(XOR),
    "trace": lambda network, _: network.trace(CORNERS[:1], XOR[:1]),
    "gradcheck": lambda network, _: gradcheck(network, CORNERS, XOR),
}


def sentence(name):
    return (
        f'activation "{name}" cannot be trained by gradient descent: its slope is 0 everywhere, so that no '
        f"weight in front of it has a gradient. Use fuseprop.GeneticSearch, which searches weights without "
        f"slopes; fuseprop.Perceptron, which trains one unit with a step by the perceptron rule; or "
        f'"sigmoid".'
    )


def whole(text):
    return f"^{re.escape(text)}$"


@pytest.mark.parametrize("activations", [("step", "step"), ("tanh", "step"), (SIDES, "identity")], ids=str)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("make", [partial(MomentumSGD, 0.1, 0.9), partial(Adam, 0.01)], ids=["sgd", "adam"])
def test_no_door_trains_it_and_nothing_changes(backend, door, activations, make):
    (hidden, last), optimizer = activations, make()
    layers = mlp([2, 2, 1], hidden, output_activation=last, dropout=0.5)
    network = Network(layers, "half_squared_error", seed=0, backend=backend)
    passed = network.forward(CORNERS[:3])

    def state():
        weights, gradients = (
            [array.tolist() for pair in pairs for array in pair]
            for pairs in (network.weights(), network.gradients())
        )
        at = backend.to_host(network.stack.dropout.step).tolist()
        return weights, gradients, at, network.rng.bit_generator.state, vars(optimizer)

    before = state()
    with pytest.raises(ValueError, match=whole(sentence("sides" if hidden is SIDES else "step"))):
        DOORS[door](network, optimizer)
    assert state() == before
    assert network._passes.batch.rows == len(passed)  # those of the last forward


@pytest.mark.parametrize("activation", ["step", step, step(), SIDES, ["tanh", "step"]], ids=str)
def test_nothing_that_makes_its_own_network_takes_it(activation):
    hidden = (4, 4) if isinstance(activation, list) else (4,)
    name = "sides" if activation is SIDES else "step"
    table = Table.of(np.tile(CORNERS, (10, 1)), XOR * 10)
    doors = (
        lambda: MLPClassifier(hidden, activation).fit(CORNERS, XOR),
        lambda: MLPRegressor(hidden_layer_sizes=hidden, activation=activation).fit(CORNERS, XOR),
        lambda: MLPClassifier(hidden, activation).partial_fit(CORNERS, XOR, classes=[0, 1]),
        lambda: fuseprop.train(table, hidden=hidden, activation=activation),
        lambda: fuseprop.cross_validate(table, hidden=hidden, activation=activation),
    )
    for door in doors:
        with pytest.raises(ValueError, match=whole(sentence(name))):
            door()


def test_the_command_refuses_it_in_the_same_words(capsys):
    with pytest.raises(SystemExit):
        main(["train", "iris", "--activation", "step"])
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith(sentence("step")), said


@pytest.mark.parametrize("activation", ["step", SIDES], ids=str)
def test_a_model_of_steps_is_kept_and_no_estimator_takes_it(tmp_path, activation):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    model, _ = fuseprop.train(
        Table.of(X, X[:, 0]), hidden=(3,), members=1, epochs=2, bins=0, clip=False, device="cpu"
    )
    steps = Network(mlp([2, 3, 1], activation), "half_squared_error", seed=1, device="cpu")
    model = replace(model, network=steps)
    path = tmp_path / "steps.safetensors"
    model.save(path)
    again = fuseprop.load(path, device="cpu")
    assert [layer.function for layer in again.network.layers] == [layer.function for layer in steps.layers]
    assert not again.network.layers[0].function.has_slope
    np.testing.assert_array_equal(again.predict(X).values, model.predict(X).values)
    assert len(np.unique(again.predict(X).values)) > 1
    with pytest.raises(ModelFileError, match="no slope, which no estimator trains"):
        MLPRegressor.load(path)
