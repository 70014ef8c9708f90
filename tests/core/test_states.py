"""A training that is taken apart into plain data after an epoch, and put together again, goes on alike."""

import json
import pickle

import numpy as np
import pytest

import fuseprop
from fuseprop import Adam, EarlyStopping, History, MomentumSGD, Network, mlp
from fuseprop.callbacks import LearningRate, OnEpochEnd, SaveBest, Together
from fuseprop.schedules import Cosine
from fuseprop.training.epoch import Epoch
from fuseprop.training.evaluation import Evaluation
from fuseprop.training.loop import Training
from fuseprop.training.observers import Norms, SumOfSquares
from fuseprop.training.orders import Orders, shuffled
from fuseprop.training.rows import check_rows
from fuseprop.training.rules import FitRules

EPOCHS = 14
RNG = np.random.default_rng(5)
X, LABELS = RNG.normal(size=(40, 4)), RNG.integers(0, 3, 40)


class Parts:
    """A training of a network, in the parts that carry something from epoch to epoch."""

    def __init__(self, optimizer, dropout, left):
        layers = mlp([4, 9, 3], "tanh", dropout=dropout)
        self.network = Network(layers, "softmax_cross_entropy", seed=3, device="cpu", dtype="float64")
        stack, backend = self.network.stack, self.network.backend
        rows, held_out = check_rows(stack, X, LABELS).split(self.network.rng, 0.3, stack.loss)
        self.optimizer = optimizer()
        self.observers = [Evaluation(backend, stack, None, held_out), SumOfSquares(stack.parameters)]
        self.observers.append(Norms(stack.parameters))
        epoch = Epoch(backend, stack, None, self.optimizer, rows, batch_size=8, observers=self.observers)
        self.rules = FitRules(epoch, self.observers[1], self.observers[0])
        self.orders = Orders(self.network.rng, rows.order, left, draw=shuffled, send=epoch.send, ahead=False)
        self.callbacks = Together(
            [EarlyStopping(4), LearningRate(self.optimizer, Cosine(0.5, EPOCHS)), OnEpochEnd(str)]
        )
        self.training = Training(epoch, self.rules, self.orders)

    def state(self):
        stack = self.network.stack
        return {
            "weights": self.network.weights(),
            "dropout": None if stack.dropout is None else self.network.backend.to_host(stack.dropout.step),
            **{
                name: getattr(self, name).state_dict()
                for name in ("optimizer", "rules", "orders", "callbacks")
            },
            "observers": [observer.state_dict() for observer in self.observers],
        }

    def load(self, state):
        stack = self.network.stack
        self.network.set_weights(state["weights"])
        if stack.dropout is not None:
            self.network.backend.from_host(state["dropout"], out=stack.dropout.step)
        for name in ("optimizer", "rules", "orders", "callbacks"):
            getattr(self, name).load_state_dict(state[name])
        for observer, carried in zip(self.observers, state["observers"], strict=True):
            observer.load_state_dict(carried)


class At:
    """Do something when an epoch has ended, or when training has started."""

    def __init__(self, epoch, act):
        self.epoch, self.act = epoch, act

    def start(self, epochs, history):
        if self.epoch == 0:
            self.act()

    def epoch_end(self, history):
        if history.epochs == self.epoch:
            self.act()

    def end(self, history):
        pass


def plain(value):
    """Whether this is numbers, strings, arrays, None, and lists and dicts of them."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return all(map(plain, value))
    return value is None or isinstance(value, bool | int | float | str | np.ndarray | np.generic)


@pytest.mark.parametrize("ended_after", [1, 3, 4])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize(
    "optimizer", [lambda: MomentumSGD(0.5, 0.9), lambda: Adam(0.05)], ids=["sgd", "adam"]
)
def test_training_goes_on_from_its_parts(optimizer, dropout, ended_after):
    whole, found = Parts(optimizer, dropout, EPOCHS), []
    whole.callbacks.callbacks.append(At(ended_after, lambda: found.append(whole.state())))
    history = whole.training.run(EPOCHS, whole.callbacks, History("accuracy", validates=True))
    assert history.epochs > ended_after
    (state,) = found
    assert plain(state)

    other = Parts(optimizer, dropout, EPOCHS - ended_after)
    other.callbacks.callbacks.append(At(0, lambda: (other.callbacks.callbacks.pop(), other.load(state))))
    rest = History("accuracy", validates=True)
    for name in ("train_loss", "train_metric", "validation_loss", "validation_metric", "learning_rate"):
        setattr(rest, name, list(getattr(history, name)[:ended_after]))
    rest.best_epoch = state["rules"]["best"]["epoch"]
    other.training.run(EPOCHS - ended_after, other.callbacks, rest)

    for name in ("train_loss", "validation_loss", "learning_rate", "stop_reason", "best_epoch"):
        assert getattr(rest, name) == getattr(history, name), name
    for (weights, bias), (expected, expected_bias) in zip(
        other.network.weights(), whole.network.weights(), strict=True
    ):
        np.testing.assert_array_equal(weights, expected)
        np.testing.assert_array_equal(bias, expected_bias)


class Stopper:
    """Ask for the end within an epoch, and raise, before that epoch is complete."""

    def start(self, epochs, history):
        self.best = None

    def batch_end(self, history, batch):
        if history.epochs == 2 and batch == 2:
            history.stop("enough")
            raise RuntimeError("within an epoch")

    def epoch_end(self, history):
        if history.best_epoch == history.epochs:
            self.best = self.network.weights()

    def end(self, history):
        pass


def test_a_stop_within_an_epoch_that_then_fails_restores_the_best_weights():
    stopper = Stopper()
    stopper.network = network = Network(mlp([4, 8, 3]), "softmax_cross_entropy", seed=0, device="cpu")
    with pytest.raises(RuntimeError, match="within an epoch"):
        network.fit(X, LABELS, MomentumSGD(0.1), batch_size=8, callbacks=[EarlyStopping(10), stopper])
    for (weights, bias), (best, best_bias) in zip(network.weights(), stopper.best, strict=True):
        np.testing.assert_array_equal(weights, best)
        np.testing.assert_array_equal(bias, best_bias)


def test_a_checkpoint_goes_on_from_its_state(tmp_path):
    """What has to be beaten, and what failed, is known again: a worse epoch does not replace the file."""
    model = fuseprop.train("xor", epochs=1, device="cpu")[0]
    history = History("accuracy", train_loss=[0.5])
    first = SaveBest(model, tmp_path / "m.safetensors")
    first.start(10, history)
    first.epoch_end(history)
    saved = (tmp_path / "m.safetensors").read_bytes()

    other = SaveBest(model, tmp_path / "m.safetensors", overwrite=True)
    other.start(10, history)
    state = first.state_dict()
    assert plain(state)
    other.load_state_dict(state)
    other.epoch_end(History("accuracy", train_loss=[0.5, 0.6]))
    assert (tmp_path / "m.safetensors").read_bytes() == saved
    other.epoch_end(History("accuracy", train_loss=[0.5, 0.6, 0.4]))
    assert (tmp_path / "m.safetensors").read_bytes() != saved


def trained(optimizer, hidden=5, inputs=4):
    layers = mlp([inputs, hidden, 1])
    network = Network(layers, "mean_squared_error", seed=1, dtype="float64", device="cpu")
    rows = RNG.normal(size=(20, inputs))
    network.fit(rows, rows.sum(axis=1), optimizer, epochs=2)
    return network


def changed(state, **changes):
    return {**state, **changes}


WRONG = [
    (lambda state: None, "is a dict, got None"),
    (lambda state: {"epochs": 1}, "lacks optimizer, steps, moments, shapes"),
    (lambda state: changed(state, steps=-1), "steps must be a whole number of at least 0, got -1"),
    (lambda state: changed(state, epochs="2"), "epochs must be a whole number of at least 0, got '2'"),
    (
        lambda state: changed(state, moments=[*state["moments"], state["moments"][0]]),
        "needs 2 moments of one",
    ),
    (lambda state: changed(state, moments=state["moments"][:1]), "needs 2 moments of one"),
    (lambda state: changed(state, moments=["a", "b"]), "its moments are no arrays of numbers"),
    (lambda state: changed(state, optimizer="MomentumSGD"), "this is a state of MomentumSGD"),
]


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize(("make", "said"), WRONG)
def test_what_is_no_state_of_an_optimizer_changes_nothing(make, said, used):
    good = Adam()
    trained(good)
    optimizer = Adam()
    if used:
        trained(optimizer)
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=said):
        optimizer.load_state_dict(make(good.state_dict()))
    after = optimizer.state_dict()
    assert {name: after[name] for name in ("epochs", "steps", "shapes")} == {
        name: before[name] for name in ("epochs", "steps", "shapes")
    }
    np.testing.assert_array_equal(after["moments"], before["moments"])


def test_a_state_of_other_layers_is_refused_as_often_as_it_is_tried():
    """Also where padding makes the flat buffers equally long; the network is not trained then."""
    other = Adam()
    trained(other, hidden=9)
    late = Adam()
    late.load_state_dict(other.state_dict())
    for _ in range(2):
        with pytest.raises(ValueError, match=r"is that of other layers: .*4, 9.*these are .*4, 5"):
            trained(late)
    used = Adam()
    trained(used)
    with pytest.raises(ValueError, match="is that of other layers"):
        used.load_state_dict(other.state_dict())
    late.reset()
    trained(late)


def test_a_loaded_state_is_a_copy_and_survives_json():
    first = MomentumSGD(0.1)
    trained(first)
    state = first.state_dict()
    listed = json.loads(json.dumps(changed(state, moments=[list(moment) for moment in state["moments"]])))
    second = MomentumSGD(0.1)
    second.load_state_dict(listed)
    listed["moments"][0][0] = 99.0
    np.testing.assert_array_equal(second.state_dict()["moments"], state["moments"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyStopping(3),
        lambda: LearningRate(MomentumSGD(), Cosine(0.1, 5)),
        lambda: SaveBest(fuseprop.train("xor", epochs=1, device="cpu")[0], "m.safetensors"),
        lambda: Together([EarlyStopping(3)]),
    ],
    ids=["EarlyStopping", "LearningRate", "SaveBest", "Together"],
)
def test_callbacks_have_a_state_before_training_and_refuse_what_is_none(make):
    callback = make()
    state = callback.state_dict()
    assert plain(state)
    for wrong in (None, {}, dict.fromkeys(state, "?")):
        with pytest.raises(ValueError, match=r"Give what its state_dict returned|is a dict"):
            callback.load_state_dict(wrong)
    assert pickle.dumps(callback.state_dict()) == pickle.dumps(state)


def test_a_state_of_other_callbacks_is_refused():
    said = "had the callbacks EarlyStopping, and this one has EarlyStopping, EarlyStopping"
    with pytest.raises(ValueError, match=said):
        Together([EarlyStopping(3)] * 2).load_state_dict(Together([EarlyStopping(3)]).state_dict())
