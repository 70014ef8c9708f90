"""A model whose training goes on from any of its checkpoints is the one that was never interrupted."""

import re
import warnings

import numpy as np
import pytest
from collecting import Asks, Collecting, in_pieces

import fuseprop
from fuseprop import Network, Table, mlp
from fuseprop.checkpoints import Checkpoint, CheckpointError, read_checkpoint
from fuseprop.model import fitting as fitting_module
from fuseprop.model.fitting import Fitting
from fuseprop.model.members import state_of
from fuseprop.training import pieces

CURVES = ("train_loss", "train_metric", "validation_loss", "validation_metric", "learning_rate")
ENDS = ("metric", "gradient_norms", "weight_norms", "stop_reason", "best_epoch", "restore_best", "cut_short")
SUMS = ("kept_epochs", "validation_loss", "validation_metric", "networks", "parameters", "epochs")

SMALL = {"hidden": (5, 4), "epochs": 4, "batch_size": 16, "members": 1, "device": "cpu", "seed": 5}
SMALL |= {"optimizer": "momentum", "schedule": "constant", "learning_rate": 0.1, "patience": 0}
KINDS = {
    "classes": {},
    "patience": {"patience": 1, "learning_rate": 3.0},
    "class weights": {"class_weight": "balanced", "patience": 3},
    "numbers, adam, cosine": {"optimizer": "adam", "schedule": "cosine", "dropout": 0.3, "epochs": 5},
    "numbers, no validation": {"validation": 0.0, "batch_size": 200},
    "two classes, momentum, step": {"momentum": 0.9, "schedule": "step", "clip_norm": 0.5},
    "members": {"members": 3, "epochs": 2},
    "members, dropout": {
        "members": 2,
        "epochs": 3,
        "dropout": 0.2,
        "patience": 1,
        "class_weight": "balanced",
    },
    "numbers, members, adam, cosine": {
        "members": 2,
        "epochs": 3,
        "optimizer": "adam",
        "schedule": "cosine",
        "validation": 0.0,
    },
}


@pytest.fixture(autouse=True)
def looks_between_steps(monkeypatch):
    """Training looks between its steps, however few there are."""
    in_pieces(monkeypatch)


def arrays(kind="classes", n=90):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 3))
    score = X[:, 0] - X[:, 1] ** 2 + 0.3 * rng.normal(size=n)
    if kind.startswith("numbers"):
        return X, 30 + 7 * score
    edges = [0] if kind.startswith("two") else [-1, 0.4]
    return X, np.array(["low", "mid", "top"])[np.digitize(score, edges)]


def rows(kind="classes"):
    return Table.of(*arrays(kind))


def run(table, callbacks=(), checkpoint=None, resume=None, **given):
    fitting = Fitting(table, **SMALL | given)
    fitting.run(callbacks=callbacks, checkpoint=checkpoint, resume=resume)
    return fitting


def told(history):
    """A history but for what differs from run to run."""
    return [len(history.seconds), *(getattr(history, name) for name in (*CURVES, *ENDS))]


def scored(report):
    parts = [report.scores(name) for name in ("train", "validation", "test")]
    return [part and (part, part.intervals, part.undefined, str(part.confusion)) for part in parts]


def same(fitting, expected, folder):
    """Compare weights, histories and scores, and what the models predict that are saved and loaded."""
    for ours, theirs in zip(fitting.model.network.weights(), expected.model.network.weights(), strict=True):
        for array, wanted in zip(ours, theirs, strict=True):
            assert array.tobytes() == wanted.tobytes()
    assert list(map(told, fitting.histories)) == list(map(told, expected.histories))
    for name in SUMS:
        assert repr(getattr(fitting, name)) == repr(getattr(expected, name)), name  # nan too
    assert fitting.interrupted == expected.interrupted
    assert scored(fitting.report()) == scored(expected.report())
    predicted = []
    for each in (fitting, expected):
        path = folder / "model.safetensors"
        each.model.save(path)
        answers = fuseprop.load(path, device="cpu").predict(each.table)
        proba = b"" if answers.probabilities is None else answers.probabilities.tobytes()
        predicted.append((answers.values.tolist(), proba, path.read_bytes()))
    assert predicted[0] == predicted[1]


def place_of(found):
    """Where a model stands in a checkpoint: networks that are done, epochs and steps of the next."""
    summary = found.state["summary"]
    return len(found.state["around"]["model"]["members"]), summary["epoch"], summary["steps"]


def chosen(found, name):
    """Of each network one checkpoint in an epoch, one behind one, the last one; and two more."""
    rng = np.random.default_rng(len(name))
    kinds = {}
    for i in rng.permutation(len(found)):
        done, _, steps = place_of(found[i])
        kinds[done, found[i].state["summary"]["finished"], steps > 0] = i
    return [found[i] for i in sorted({*kinds.values(), *rng.choice(len(found), 2)})]


@pytest.mark.parametrize("name", KINDS)
def test_a_model_goes_on_from_every_kind_of_checkpoint_in_the_same_bits(tmp_path, name):
    given, table = KINDS[name], rows(name)
    keeper = Collecting(tmp_path / "run.safetensors", "1 step")
    alone = run(table, **given)
    same(run(table, checkpoint=keeper, **given), alone, tmp_path)
    places = [place_of(found) for found in keeper.found]
    assert places == sorted(set(places))
    assert {done for done, _, _ in places} == set(range(given.get("members", 1)))
    for found in chosen(keeper.found, name):
        same(run(table, resume=found, **given), alone, tmp_path)


MEMBERS = {"members": 3, "epochs": 2, "batch_size": 24, "class_weight": {"low": 2.0}}
LOOKS = 2 * 3 - 1
"""Of a network: two epochs of three batches, and no look behind the last of all."""


@pytest.fixture
def at_each_step(monkeypatch):
    """Look at a training after each step, however little time has passed."""
    monkeypatch.setattr(pieces, "LOOK", 0.0)


def left_behind(looks, **more):
    """A fitting that was left, which warns where it is made of networks that were done."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "training interrupted: the model is made of the . network")
        fitting = run(rows(), [Asks(looks)], **MEMBERS | more)
    assert fitting.interrupted
    return fitting


@pytest.mark.parametrize("looks", [2, 3, LOOKS + 1, 2 * LOOKS + 4])
def test_a_model_that_is_left_goes_on_in_the_same_bits(tmp_path, at_each_step, looks):
    """In the first network, within and behind an epoch, in the second, and in the third."""
    table, path = rows(), tmp_path / "run.safetensors"
    alone, (done, within) = run(table, **MEMBERS), divmod(looks, LOOKS)
    left = left_behind(looks, checkpoint=Checkpoint(path, "1 h"))
    assert place_of(read_checkpoint(path)) == (done, within // 3, within % 3)
    assert left.networks == max(1, done)
    assert list(map(told, left.histories[:done])) == list(map(told, alone.histories[:done]))
    assert left.history.stop_reason == "time is up"
    same(run(table, resume=path, **MEMBERS), alone, tmp_path)


def test_a_model_that_is_left_twice_is_the_one_that_was_left_once(tmp_path, at_each_step):
    """With the scores of the network that is done, its confusion matrix too."""
    path = tmp_path / "run.safetensors"
    once = left_behind(LOOKS + 4)
    left_behind(LOOKS + 1, checkpoint=Checkpoint(path, "1 h"))
    twice = left_behind(3, checkpoint=path, resume=True)
    assert twice.report().validation.confusion is not None
    same(twice, once, tmp_path)


def test_a_network_that_is_left_has_its_best_weights(tmp_path, at_each_step):
    path, one = tmp_path / "run.safetensors", MEMBERS | {"members": 1, "epochs": 9, "learning_rate": 2.0}
    left = left_behind(5 * 3 + 1, checkpoint=path, **one)
    best = run(rows(), **one | {"epochs": left.history.best_epoch})
    assert left.history.best_epoch > 0
    for ours, theirs in zip(left.model.network.weights(), best.model.network.weights(), strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
    assert scored(left.report()) == scored(best.report())
    assert place_of(read_checkpoint(path)) == (0, 5, 1)


@pytest.mark.parametrize("call", [2, 3])
def test_ctrl_c_between_two_networks_leaves_a_model_and_a_checkpoint(tmp_path, monkeypatch, call):
    path, table, calls = tmp_path / "run.safetensors", rows(), []
    alone = run(table, **MEMBERS)

    def interrupted(*given):
        calls.append(given)
        if len(calls) == call:
            raise KeyboardInterrupt
        return state_of(*given)

    monkeypatch.setattr(fitting_module, "state_of", interrupted)
    with pytest.warns(UserWarning, match="interrupted: the model is made of the . network"):
        left = run(table, checkpoint=path, **MEMBERS)
    assert (left.networks, left.interrupted) == (call - 1, True)
    assert read_checkpoint(path).state["summary"]["finished"]
    assert place_of(read_checkpoint(path)) == (call - 2, 2, 0)
    monkeypatch.undo()
    same(run(table, checkpoint=path, resume=True, **MEMBERS), alone, tmp_path)


OTHERS = {
    "seed is 6, and was 5": {"seed": 6},
    "hidden is [5], and was [5, 4]": {"hidden": (5,)},
    "patience is 3, and was 0": {"patience": 3},
    "class_weight is not given, and was": {"class_weight": None},
    "validation is 0.3, and was 0.2": {"validation": 0.3},
    "members is 2, and was 3": {"members": 2},
    "loss is": {"loss": "half_squared_error"},
    "optimizer is 'adam', and was 'momentum'": {"optimizer": "adam"},
    "schedule is 'cosine', and was 'constant'": {"schedule": "cosine"},
    "dropout is 0.1, and was 0.0": {"dropout": 0.1},
    "epochs is 3, and was 2 for the 1 network that is done": {"epochs": 3},
}


@pytest.mark.parametrize("said", OTHERS)
def test_other_settings_are_refused_by_name(tmp_path, at_each_step, said):
    path = tmp_path / "run.safetensors"
    left_behind(LOOKS + 2, checkpoint=Checkpoint(path, "1 h"))
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=re.escape(said)):
        run(rows(), checkpoint=path, resume=path, **MEMBERS | OTHERS[said])
    assert path.read_bytes() == before


def moved(X, part, **given):
    """X with another number in one row of a part."""
    X = X.copy()
    X[getattr(Fitting(rows(), **SMALL | given), part)[3], 1] += 0.25
    return X


ALL = {"members": 3, "test": 0.0}
TABLES = {
    "here the X of test rows differ.": lambda X, y: (moved(X, "test"), y, {}),
    "here the X of training rows differ; the X of validation rows": lambda X, y: (
        *(moved(X, "train", **ALL), y),
        ALL,
    ),
    "here the X of validation rows differ.": lambda X, y: (moved(X, "validation"), y, {}),
    "here the targets of training rows differ.": lambda X, y: (X, swapped(y), {"test": 0.0}),
    "here classes is ['bad', 'mid', 'top'], and was ['low', 'mid', 'top'].": lambda X, y: (
        *(X, np.where(y == "low", "bad", y)),
        {},
    ),
    "here columns is ['x1', 'x2', 'x3', 'x4'], and was ['x1', 'x2', 'x3'];": lambda X, y: (
        *(np.column_stack([X, X[:, 0] ** 2]), y),
        {},
    ),
    "here the X of test rows differ; the targets of test rows differ.": lambda X, y: (X[:-3], y[:-3], {}),
}


def swapped(y):
    """The same classes, of two training rows the one for the other's."""
    y, learned = y.copy(), Fitting(rows(), **SMALL, test=0.0).train
    first = learned[0]
    second = next(row for row in learned if y[row] != y[first])
    y[first], y[second] = y[second], y[first]
    return y


@pytest.mark.parametrize("said", TABLES)
def test_another_table_is_refused_by_what_differs(tmp_path, said):
    path = tmp_path / "run.safetensors"
    X, y, given = TABLES[said](*arrays())
    run(rows(), checkpoint=path, **given)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=re.escape(said)):
        run(Table.of(X, y), checkpoint=path, resume=path, **given)
    assert path.read_bytes() == before


def test_more_epochs_go_on_where_one_network_has_a_constant_learning_rate(tmp_path):
    path, table = tmp_path / "run.safetensors", rows()
    straight = run(table, epochs=6)
    run(table, checkpoint=path)
    same(run(table, checkpoint=path, resume=True, epochs=6), straight, tmp_path)
    cosine = {"schedule": "cosine"}
    run(table, checkpoint=Checkpoint(path, overwrite=True), **cosine)
    with pytest.raises(CheckpointError, match='epochs is 6, and was 4, by which the schedule "cosine"'):
        run(table, resume=path, epochs=6, **cosine)


def test_checkpoints_of_networks_and_of_models_are_told_apart(tmp_path):
    network_s, model_s = tmp_path / "network.safetensors", tmp_path / "model.safetensors"
    X, y = arrays()
    network = Network(mlp([3, 5, 3]), "softmax_cross_entropy", seed=1, device="cpu")
    labels = np.unique(y, return_inverse=True)[1]
    network.fit(X, labels, epochs=2, checkpoint=network_s)
    with pytest.raises(CheckpointError, match="is the checkpoint of a network alone, not of a model"):
        run(rows(), resume=network_s)
    run(rows(), checkpoint=model_s)
    with pytest.raises(CheckpointError, match="is the checkpoint of another training: here"):
        network.fit(X, labels, epochs=2, resume=model_s)


def test_train_begins_where_nothing_is_there_and_goes_on_where_something_is(tmp_path):
    path, (X, y) = tmp_path / "run.safetensors", arrays()
    given = SMALL | {"members": 1}
    model, report = fuseprop.train(Table.of(X, y), **given)
    for epochs in (2, 4):
        again, more = fuseprop.train(
            Table.of(X, y), checkpoint=Checkpoint(path, "1 epoch"), resume=True, **given | {"epochs": epochs}
        )
    assert scored(more) == scored(report)
    assert told(more.history) == told(report.history)
    for ours, theirs in zip(again.network.weights(), model.network.weights(), strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
    with pytest.raises(FileExistsError, match="the checkpoint of another run, at the end, after 4 epochs"):
        fuseprop.train(Table.of(X, y), checkpoint=path, **given)
    with pytest.raises(ValueError, match="resume=True goes on from where checkpoint= writes"):
        fuseprop.train(Table.of(X, y), resume=True, **given)


def test_without_a_checkpoint_nothing_is_written_and_nothing_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("table_of", "state_of", "members_in"):
        monkeypatch.delattr(fitting_module, name)
    assert run(rows(), **MEMBERS).networks == 3
    assert list(tmp_path.iterdir()) == []
