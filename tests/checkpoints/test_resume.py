"""A training that goes on from any of its checkpoints is the one that was never interrupted, in every bit."""

import itertools

import numpy as np
import pytest
from collecting import Asks, Collecting, in_pieces

from fuseprop import Adam, EarlyStopping, MomentumSGD, Network, mlp
from fuseprop.callbacks import HistoryCSV, LearningRate, OnEpochEnd
from fuseprop.checkpoints import Checkpoint, CheckpointError, Found, read_checkpoint
from fuseprop.schedules import Constant, Cosine, Exponential
from fuseprop.training.continuing import OTHER_BITS

RNG = np.random.default_rng(7)
X, LABELS, VALUES = RNG.normal(size=(60, 4)), RNG.integers(0, 3, 60), RNG.normal(size=60)
WEIGHTS = RNG.uniform(0.5, 2.0, 60)
EPOCHS = 6
ENTRIES = ("train_loss", "train_metric", "validation_loss", "validation_metric", "learning_rate")
REST = ("gradient_norms", "weight_norms", "stop_reason", "best_epoch", "restore_best")


class Case:
    """A network, an optimizer and callbacks, made anew for each training of the same."""

    def __init__(self, backend, optimizer=None, *, dropout=0.0, values=False, callbacks=None, **options):
        self.backend, self.dropout, self.values = backend, dropout, values
        self.optimizer = optimizer or (lambda: MomentumSGD(0.1, 0.9))
        self.callbacks = callbacks or (lambda optimizer: [])
        self.options = {"epochs": EPOCHS, "batch_size": 16} | options

    def network(self, seed=3):
        layers = mlp([4, 7, 1 if self.values else 3], "tanh", dropout=self.dropout)
        loss = "mean_squared_error" if self.values else "softmax_cross_entropy"
        return Network(layers, loss, seed=seed, backend=self.backend)

    def fit(self, network, **more):
        optimizer = self.optimizer()
        target = VALUES if self.values else LABELS
        options = {"callbacks": self.callbacks(optimizer)} | self.options | more
        return network.fit(X, target, optimizer, **options)


def same(network, history, other, other_history):
    for ours, theirs in zip(network.weights(), other.weights(), strict=True):
        for array, expected in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(array, expected)
    for name in (*ENTRIES, *REST):
        assert getattr(history, name) == getattr(other_history, name), name
    assert len(history.seconds) == len(other_history.seconds)
    assert network.rng.bit_generator.state == other.rng.bit_generator.state


CASES = {
    "momentum": {},
    "nesterov, decay, clip": {
        "optimizer": lambda: MomentumSGD(0.1, 0.9, weight_decay=0.01, nesterov=True, clip_norm=0.5),
        "validation": 0.2,
    },
    "adam": {"optimizer": lambda: Adam(0.02), "validation": 0.25, "norms": True},
    "adam, schedule": {"optimizer": lambda: Adam(Exponential(0.02, 0.8)), "dropout": 0.3},
    "weights": {"sample_weight": WEIGHTS, "validation": (X[:9], LABELS[:9], WEIGHTS[:9]), "shuffle": False},
    "values, one row a batch": {"values": True, "batch_size": 1, "epochs": 2},
    "one batch an epoch": {"batch_size": 60, "dropout": 0.2},
    "early stopping": {
        "optimizer": lambda: MomentumSGD(2.0, 0.9),
        "validation": 0.3,
        "epochs": 12,
        "callbacks": lambda optimizer: [EarlyStopping(2), OnEpochEnd(str)],
    },
    "schedule for one fit": {"callbacks": lambda optimizer: [LearningRate(optimizer, Cosine(0.3, EPOCHS))]},
    "a rate that a callback changes": {
        "callbacks": lambda optimizer: [
            OnEpochEnd(lambda history: setattr(optimizer, "learning_rate", 0.1 / (1 + history.epochs)))
        ]
    },
}


@pytest.mark.parametrize("name", CASES)
def test_every_checkpoint_goes_on_in_the_same_bits(backend, tmp_path, name):
    case = Case(backend, **CASES[name])
    alone, keeper = case.network(), Collecting(tmp_path / "run.safetensors", "1 step")
    expected = case.fit(alone)
    whole = case.network()
    same(whole, case.fit(whole, checkpoint=keeper), alone, expected)
    places = [(found.state["summary"]["epoch"], found.state["summary"]["steps"]) for found in keeper.found]
    batches = 1 + max(steps for _, steps in places)
    every = itertools.product(range(expected.epochs), range(1, batches + 1))
    assert places == [(epoch + step // batches, step % batches) for epoch, step in every]
    rng = np.random.default_rng(len(name))
    chosen = {0, len(places) - 1, *rng.choice(len(places), 4).tolist()}
    for found in (keeper.found[i] for i in sorted(chosen)):
        network = case.network(seed=99)
        same(network, case.fit(network, resume=found), alone, expected)


def test_a_training_that_was_not_interrupted_goes_on_for_more_epochs(backend, tmp_path):
    path = tmp_path / "run.safetensors"
    case = Case(backend, callbacks=lambda optimizer: [LearningRate(optimizer, Exponential(0.3, 0.9))])
    straight = case.network()
    expected = case.fit(straight, epochs=9)
    case.fit(case.network(), checkpoint=path)
    assert read_checkpoint(path).state["summary"]["finished"]
    longer = case.network()
    same(longer, case.fit(longer, resume=path, epochs=9), straight, expected)
    finished = case.network()
    history = case.fit(finished, resume=path)
    assert (history.epochs, history.stop_reason) == (EPOCHS, "finished")


@pytest.mark.parametrize("seed", [None, 5])
def test_a_network_that_has_drawn_numbers_goes_on_with_those_of_the_checkpoint(backend, tmp_path, seed):
    """Another process has another seed, or none: the split and the orders are those of the first training."""
    keeper = Collecting(tmp_path / "run.safetensors", "3 steps")
    case = Case(backend, validation=0.3, dropout=0.2)
    whole, other = case.network(seed), case.network(seed)
    whole.rng.random(3)
    expected = case.fit(whole, checkpoint=keeper)
    same(other, case.fit(other, resume=keeper.found[4]), whole, expected)


def test_true_goes_on_where_there_is_something_and_begins_where_there_is_nothing(backend, tmp_path):
    path, case = tmp_path / "run.safetensors", Case(backend)
    alone = case.network()
    expected = case.fit(alone)
    for epochs in (2, 4, EPOCHS):
        network = case.network()
        history = case.fit(network, checkpoint=Checkpoint(path, "1 epoch"), resume=True, epochs=epochs)
        assert history.epochs == epochs
    same(network, history, alone, expected)
    with pytest.raises(ValueError, match="resume=True goes on from where checkpoint= writes"):
        case.fit(network, resume=True)


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_training_that_is_asked_to_stop_keeps_its_best_weights_and_goes_on_in_the_same_bits(
    backend, tmp_path, number, monkeypatch
):
    in_pieces(monkeypatch)
    case = Case(backend, lambda: Adam(0.05), validation=0.3, batch_size=4)
    stop, path = EarlyStopping(20), tmp_path / "run.safetensors"
    alone = case.network()
    expected = case.fit(alone, callbacks=[EarlyStopping(20)])
    network = case.network()
    history = case.fit(network, callbacks=[stop, Asks(number)], checkpoint=Checkpoint(path, "1 h"))
    assert history.stop_reason == "time is up"
    assert history.epochs < EPOCHS
    best = case.network()
    if history.best_epoch:
        case.fit(best, callbacks=[EarlyStopping(20)], epochs=history.best_epoch)
    for ours, theirs in zip(network.weights(), best.weights(), strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
    other = case.network()
    same(other, case.fit(other, callbacks=[EarlyStopping(20)], resume=path), alone, expected)


@pytest.mark.parametrize("optimizer", [lambda: MomentumSGD(0.1, 0.9, clip_norm=0.5), lambda: Adam(0.02)])
def test_compiled_steps_end_where_they_are_asked_to_and_go_on_in_the_same_bits(
    tmp_path, monkeypatch, optimizer
):
    """Whatever the library is at: the network is so wide that it looks at the clock many times in a step."""
    numpy = pytest.importorskip("fuseprop_numpy")
    backend = numpy.NumpyBackend("float32")
    if backend.replay != "compiled":
        pytest.skip("there are no compiled steps")
    monkeypatch.setattr("fuseprop_numpy.compiled.runner.PATIENCE", 0)
    x = np.random.default_rng(1).normal(size=(70, 400))
    y, options = x[:, :3].argmax(axis=1), {"epochs": 2, "batch_size": 16}

    def network():
        layers = mlp([400, 500, 3], "tanh", dropout=0.2)
        return Network(layers, "softmax_cross_entropy", seed=3, backend=backend)

    alone, places = network(), set()
    expected = alone.fit(x, y, optimizer(), **options)
    for number in range(1, 160, 11):
        path = tmp_path / f"{number}.safetensors"
        left, other = network(), network()
        left.fit(x, y, optimizer(), callbacks=[Asks(number)], checkpoint=Checkpoint(path, "1 h"), **options)
        summary = read_checkpoint(path).state["summary"]
        places.add((summary["epoch"], summary["steps"]))
        same(other, other.fit(x, y, optimizer(), resume=path, **options), alone, expected)
    assert len(places) > 2
    assert any(steps for _, steps in places)


def ctrl_c(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("pause", [0.0, 1e9])
def test_ctrl_c_between_steps_leaves_a_checkpoint_of_an_earlier_moment(backend, tmp_path, monkeypatch, pause):
    monkeypatch.setattr("fuseprop.training.watch.SPARE", pause)
    path, case = tmp_path / "run.safetensors", Case(backend, dropout=0.2)
    alone, left, other = case.network(), case.network(), case.network()
    expected = case.fit(alone)
    stops = OnEpochEnd(lambda history: history.epochs == 3 and ctrl_c())
    with pytest.warns(UserWarning, match="training interrupted"):
        history = case.fit(left, callbacks=[stops], checkpoint=path)
    assert (history.epochs, history.stop_reason) == (3, "interrupted")
    assert read_checkpoint(path).state["summary"]["epoch"] in ((0,) if pause else (0, 1, 2))
    same(other, case.fit(other, resume=path), alone, expected)


def test_ctrl_c_within_compiled_steps_leaves_a_checkpoint_of_them(tmp_path, monkeypatch):
    numpy = pytest.importorskip("fuseprop_numpy")
    backend = numpy.NumpyBackend("float32")
    if backend.replay != "compiled":
        pytest.skip("there are no compiled steps")
    monkeypatch.setattr("fuseprop_numpy.compiled.runner.PATIENCE", 0)
    path, asks = tmp_path / "run.safetensors", Asks(10**9)
    x = np.random.default_rng(1).normal(size=(70, 400))
    y, options = x[:, :3].argmax(axis=1), {"epochs": 2, "batch_size": 16}

    def network():
        return Network(mlp([400, 500, 3], "tanh"), "softmax_cross_entropy", seed=3, backend=backend)

    alone, left, other, told = network(), network(), network(), []
    expected = alone.fit(x, y, Adam(0.02), **options)
    asks.asks_to_stop = lambda: told.append(1) or (len(told) == 12 and ctrl_c()) or None
    with pytest.warns(UserWarning, match="training interrupted"):
        left.fit(x, y, Adam(0.02), callbacks=[asks], checkpoint=path, **options)
    assert read_checkpoint(path).state["summary"]["steps"]
    same(other, other.fit(x, y, Adam(0.02), resume=path, **options), alone, expected)


class Forgets(OnEpochEnd):
    """A callback whose state is none."""

    def state_dict(self):
        pass

    def load_state_dict(self, state):
        pass


class Fails(Forgets):
    def state_dict(self):
        raise ZeroDivisionError("no state")


@pytest.mark.parametrize(
    ("kind", "said"),
    [(Forgets, r"Forgets.state_dict\(\) returned None, expected a dict"), (Fails, "no state")],
)
def test_a_callback_without_a_state_is_told_of_and_ends_no_training(backend, tmp_path, kind, said):
    path, case = tmp_path / "run.safetensors", Case(backend)
    alone, network = case.network(), case.network()
    expected = case.fit(alone)
    with pytest.warns(UserWarning, match=said):
        history = case.fit(network, callbacks=[kind(str)], checkpoint=Checkpoint(path, "1 epoch"))
    same(network, history, alone, expected)
    assert not path.exists()


def test_memory_that_lacks_for_a_checkpoint_ends_no_training(backend, tmp_path, monkeypatch):
    path, case = tmp_path / "run.safetensors", Case(backend)
    alone, network = case.network(), case.network()
    expected = case.fit(alone)

    def full(*_):
        raise MemoryError

    monkeypatch.setattr("fuseprop.training.loop.training_state", full)
    with pytest.warns(UserWarning, match="there is not enough memory") as caught:
        history = case.fit(network, checkpoint=Checkpoint(path, "1 epoch"))
    same(network, history, alone, expected)
    assert "Training goes on" in str(caught[0].message)
    assert "None of this run is there" in str(caught[-1].message)
    assert not path.exists()


def test_looking_between_steps_changes_no_bit(backend):
    case = Case(backend, dropout=0.3, validation=0.2, batch_size=2)
    alone, watched = case.network(), case.network()
    same(watched, case.fit(watched, callbacks=[Asks(10**9)]), alone, case.fit(alone))


def test_the_file_of_a_history_goes_on_with_it(backend, tmp_path):
    """A killed run has written lines of epochs that come again; an earlier run's lines stay."""
    path, curve = tmp_path / "run.safetensors", tmp_path / "history.csv"
    case = Case(backend)
    case.fit(case.network(), callbacks=[HistoryCSV(curve)], epochs=2)
    earlier = curve.read_text()
    keeper = Collecting(path, "1 epoch")
    case.fit(case.network(), callbacks=[HistoryCSV(curve, append=True)], checkpoint=keeper, epochs=4)
    assert len(curve.read_text().splitlines()) == 1 + 2 + 4
    history = case.fit(case.network(), callbacks=[HistoryCSV(curve, append=True)], resume=keeper.found[1])
    written = curve.read_text()
    assert written.startswith(earlier)
    lines = [line.split(",") for line in written.splitlines()[3:]]
    assert [int(line[0]) for line in lines] == list(range(1, EPOCHS + 1))
    assert [float(line[1]) for line in lines] == history.train_loss
    curve.unlink()
    case.fit(case.network(), callbacks=[HistoryCSV(curve)], resume=keeper.found[1])
    assert [line.split(",")[0] for line in curve.read_text().splitlines()] == ["epoch", *"123456"]


BASE = {"dropout": 0.2, "validation": 0.3, "norms": True, "callbacks": lambda optimizer: [EarlyStopping(9)]}
OTHERS = {
    "batch_size is 8, and was 16": {"batch_size": 8},
    "shuffle is False, and was True": {"shuffle": False},
    "norms is False, and was True": {"norms": False},
    "momentum is 0.8, and was 0.9": {"optimizer": lambda: MomentumSGD(0.1, 0.8)},
    "learning_rate is 0.2, and was 0.1": {"optimizer": lambda: MomentumSGD(0.2, 0.9)},
    "optimizer is 'Adam', and was 'MomentumSGD'": {"optimizer": Adam},
    r"dropout is \[0.1, 0.0\], and was \[0.2, 0.0\]": {"dropout": 0.1},
    "the X of validation rows differ": {"validation": 0.2},
    "the X of validation rows lack": {"validation": None, "callbacks": lambda optimizer: [EarlyStopping(9)]},
    "the weights of training rows are given": {"sample_weight": WEIGHTS},
    "metric is": {"values": True},
    "there are to be 2 epochs in all. Give at least": {"epochs": 2},
    "EarlyStopping has patience=3, and the training that goes on had 9": {
        "callbacks": lambda optimizer: [EarlyStopping(3)]
    },
    "had the callbacks EarlyStopping, and this one has none": {"callbacks": lambda optimizer: []},
}


@pytest.mark.parametrize("said", OTHERS)
def test_another_training_is_refused_by_what_differs_and_nothing_changes(backend, tmp_path, said):
    keeper = Collecting(tmp_path / "run.safetensors", "7 steps")
    case = Case(backend, **BASE)
    case.fit(case.network(), checkpoint=keeper)
    found = keeper.found[1]
    assert found.state["training"]["within"] is not None
    other = Case(backend, **BASE | OTHERS[said])
    network, untouched = other.network(), other.network()
    with pytest.raises(CheckpointError, match=said):
        other.fit(network, resume=found)
    same(network, other.fit(network), untouched, other.fit(untouched))


def test_more_epochs_are_refused_where_the_schedule_depends_on_them(backend, tmp_path):
    path, epochs = tmp_path / "run.safetensors", EPOCHS

    def cosine(optimizer):
        return [LearningRate(optimizer, Cosine(0.3, epochs))]

    in_callback = Case(backend, callbacks=cosine)
    in_optimizer = Case(backend, lambda: Adam(Cosine(0.02, epochs)))
    for case in (in_callback, in_optimizer):
        path.unlink(missing_ok=True)
        epochs = EPOCHS
        case.fit(case.network(), checkpoint=path)
        epochs = 2 * EPOCHS
        with pytest.raises(CheckpointError, match=r"epoch 2 has .*, and in the training that goes on it had"):
            case.fit(case.network(), resume=path, epochs=epochs)
    constant = Case(backend, lambda: Adam(Constant(0.02)))
    path.unlink()
    constant.fit(constant.network(), checkpoint=path)
    assert constant.fit(constant.network(), resume=path, epochs=8).epochs == 8


def test_other_bits_are_said_and_other_numbers_agree(tmp_path):
    backends = pytest.importorskip("fuseprop_numpy")
    keeper = Collecting(tmp_path / "run.safetensors", "5 steps")
    eager = Case(backends.NumpyBackend("float64", replay="eager"), validation=0.2)
    whole = eager.network()
    expected = eager.fit(whole, checkpoint=keeper)
    compiled = Case(backends.NumpyBackend("float64"), validation=0.2)
    if compiled.backend.replay != "compiled":
        pytest.skip("there are no compiled steps")
    other = compiled.network()
    with pytest.warns(UserWarning, match=f"{OTHER_BITS}: steps is 'compiled', and was 'calls of NumPy'"):
        history = compiled.fit(other, resume=keeper.found[2])
    np.testing.assert_allclose(history.train_loss, expected.train_loss, rtol=1e-9)


def test_an_optimizer_that_no_checkpoint_can_hold_is_refused(backend, tmp_path):
    class Own:
        learning_rate, epochs, steps, moments, current_learning_rate = 0.1, 0, 0, (), 0.1

        def prepare(self, parameters, steps):
            pass

        def update(self, backend, parameters):
            pass

        def reset(self):
            pass

    case = Case(backend, Own)
    with pytest.raises(TypeError, match="one that a checkpoint can hold"):
        case.fit(case.network(), checkpoint=tmp_path / "run.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("orders", {"order": np.zeros(60, np.int64)}),
        ("orders", {"order": np.arange(59)}),
        ("within", {"steps": 99}),
        ("within", {"results": np.zeros(3, np.float32)}),
        ("optimizer", {"moments": []}),
        ("optimizer", {"steps": -1}),
        ("dropout", {"seeds": [1]}),
        ("rules", {"best": {}}),
        ("history", {"train_loss": "?"}),
        ("callbacks", {"callbacks": [3]}),
    ],
)
def test_a_checkpoint_that_was_tampered_with_is_refused_and_nothing_changes(backend, tmp_path, part, wrong):
    keeper, case = Collecting(tmp_path / "run.safetensors", "7 steps"), Case(backend, dropout=0.2)
    case.fit(case.network(), checkpoint=keeper)
    found = keeper.found[0]
    training = found.state["training"]
    state = {**found.state, "training": {**training, part: {**training[part], **wrong}}}
    network, untouched = case.network(), case.network()
    with pytest.raises(CheckpointError, match="does not fit this training"):
        case.fit(network, resume=Found(state, found.path))
    same(network, case.fit(network), untouched, case.fit(untouched))


def test_where_a_checkpoint_is_damaged_training_goes_on_from_the_one_before_and_says_so(backend, tmp_path):
    case, path = Case(backend), tmp_path / "run.safetensors"
    whole = case.network()
    expected = case.fit(whole)
    case.fit(case.network(), epochs=3, checkpoint=Checkpoint(path, "1 epoch"))
    path.write_bytes(path.read_bytes()[:-1])
    network = case.network()
    with pytest.warns(UserWarning, match=r"run\.safetensors is truncated .* goes on from the one before it"):
        history = case.fit(network, checkpoint=path, resume=True)
    same(network, history, whole, expected)


def test_going_on_from_one_file_replaces_no_other(backend, tmp_path):
    case, (path, other) = Case(backend), (tmp_path / f"{name}.safetensors" for name in "ab")
    for place in (path, other):
        case.fit(case.network(), epochs=2, checkpoint=place)
    before = other.read_bytes()
    with pytest.raises(FileExistsError, match="the checkpoint of another run, at the end, after 2 epochs"):
        case.fit(case.network(), checkpoint=other, resume=path)
    assert other.read_bytes() == before
    case.fit(case.network(), checkpoint=Checkpoint(other, overwrite=True), resume=path)
    assert len(read_checkpoint(other).state["training"]["history"]["train_loss"]) == EPOCHS
