"""A `fit` of an estimator that goes on from any of its checkpoints is the one that was never interrupted."""

import numpy as np
import pytest
from collecting import Asks, Collecting, in_pieces
from sklearn.utils import check_random_state

from fuseprop import MLPClassifier, MLPRegressor
from fuseprop.backend.seam import OPTIONAL
from fuseprop.callbacks import EarlyStopping, OnEpochEnd
from fuseprop.checkpoints import Checkpoint, CheckpointError, read_checkpoint
from fuseprop.checkpoints.writing import write_checkpoint
from fuseprop.schedules import Cosine, Exponential
from fuseprop.training import pieces

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (5, 4), "max_iter": 4, "random_state": 0, "batch_size": 40}
CURVES = (
    "train_loss",
    "train_metric",
    "validation_loss",
    "validation_metric",
    "learning_rate",
    "weight_norms",
)
ATTRIBUTES = (
    *("n_iter_", "t_", "loss_", "loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_"),
    *("_no_improvement_count", "best_epoch_", "stop_reason_"),
)

KINDS = {
    "adam": {},
    "sgd": {"solver": "sgd", "alpha": 0.1},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 10.0,
        "n_iter_no_change": 1,
        "max_iter": 7,
    },
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0.0},
    "schedule": {"learning_rate": Cosine(0.1, 10), "shuffle": False},
    "function": {"learning_rate": lambda epoch: 0.1 * 0.9**epoch},
    "early": {"early_stopping": True, "validation_fraction": 0.3, "dropout": 0.2},
    "early, ends": {"early_stopping": True, "tol": 10.0, "n_iter_no_change": 2, "max_iter": 9},
    "converges": {"tol": 10.0, "n_iter_no_change": 2, "max_iter": 9},
    "dropout": {"dropout": 0.3, "clip_norm": 0.5, "dtype": "float32"},
    "weights": {"class_weight": {"a": 2.0, "b": 0.5, "c": 1.0}},
    "drawing": {"random_state": 7},
}


def the_same(one, other):
    for name in ("coefs_", "intercepts_"):
        for mine, yours in zip(getattr(one, name), getattr(other, name), strict=True):
            assert mine.tobytes() == yours.tobytes()
    for name in ATTRIBUTES:
        assert getattr(one, name) == getattr(other, name), name
    for name in CURVES:
        assert getattr(one.history_, name) == getattr(other.history_, name), name
    assert len(one.history_.seconds) == len(other.history_.seconds)
    for mine, yours in zip(one._optimizer.moments, other._optimizer.moments, strict=True):
        assert mine.tobytes() == yours.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_checkpoint_goes_on_in_the_same_bits(classes, tmp_path, kind):
    X, y = classes
    options = SMALL | KINDS[kind]

    def made():
        model = MLPClassifier(**options)
        return model.set_params(random_state=np.random.RandomState(3)) if kind == "drawing" else model

    alone, keeper = made().fit(X, y), Collecting(tmp_path / "run.safetensors", "1 step")
    the_same(alone, made().fit(X, y, checkpoint=keeper))
    places = [(found.state["summary"]["epoch"], found.state["summary"]["steps"]) for found in keeper.found]
    assert len(set(places)) == len(places) > 2 * alone.n_iter_
    rng = np.random.default_rng(len(kind))
    for i in sorted({0, 1, len(places) - 1, *rng.choice(len(places), 3).tolist()}):
        again = made().fit(X, y, resume=keeper.found[i])
        the_same(alone, again)
    if not alone.early_stopping:
        for each in (alone, again):
            each.partial_fit(X, y)
        the_same(alone, again)


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "quantile(0.9)"])
def test_numbers_go_on_with_validation_rows_and_callbacks(numbers, tmp_path, loss):
    X, y = numbers[0], np.abs(numbers[1])
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    given = {"X_val": X[:30], "y_val": y[:30], "sample_weight": weights}
    seen = []

    def fit(**more):
        epochs = []
        model = MLPRegressor(
            loss, **SMALL, callbacks=[EarlyStopping(3), OnEpochEnd(lambda h: epochs.append(h.entry()))]
        )
        model.fit(X, y, **given, **more)
        seen.append([{**entry, "seconds": 0} for entry in epochs])
        return model

    keeper = Collecting(tmp_path / "run.safetensors", "5 steps")
    alone = fit(checkpoint=keeper)
    for found in keeper.found[:4]:
        the_same(alone, fit(resume=found))
        left = seen[0][found.state["summary"]["epoch"] :]
        assert seen[-1] == left


@pytest.mark.parametrize("measured", [1, 17, 29])
def test_a_fit_that_ends_between_two_validation_rows_goes_on_in_the_same_bits(
    classes, tmp_path, monkeypatch, measured
):
    monkeypatch.setitem(OPTIONAL, "chunk_bytes", 1)  # a row is a chunk
    monkeypatch.setattr(pieces, "LOOK", 0.0)
    in_pieces(monkeypatch)
    X, y = classes
    path, options = tmp_path / "run.safetensors", SMALL | {"dropout": 0.2}

    def fit(**more):
        callbacks = more.pop("callbacks", [])
        model = MLPClassifier(**options, callbacks=[EarlyStopping(3), *callbacks])
        return model.fit(X, y, X_val=X[:30], y_val=y[:30], **more)

    alone, steps = fit(), -(-len(X) // SMALL["batch_size"])
    looks = steps - 1 + 29 + 1  # of an epoch: between steps, between rows, behind it
    left = fit(callbacks=[Asks(looks + steps - 1 + measured)], checkpoint=path)
    assert (left.n_iter_, left.stop_reason_) == (1, "time is up")
    assert read_checkpoint(path).state["training"]["within"]["steps"] == steps
    the_same(alone, fit(resume=path))


def test_more_epochs_and_a_place_that_is_there_or_not(classes, tmp_path):
    X, y = classes
    path = tmp_path / "run.safetensors"
    alone = MLPClassifier(**SMALL | {"max_iter": 6}).fit(X, y)
    for epochs in (2, 4, 6):
        model = MLPClassifier(**SMALL | {"max_iter": epochs})
        model.fit(X, y, checkpoint=Checkpoint(path, "1 epoch"), resume=True)
        assert model.n_iter_ == model.history_.epochs == epochs
    the_same(alone, model)
    the_same(alone, MLPClassifier(**SMALL | {"max_iter": 6}).fit(X, y, resume=path))
    with pytest.raises(FileExistsError, match="checkpoint of another run, at the end, after 6 epochs"):
        MLPClassifier(**SMALL).fit(X, y, checkpoint=path)


def test_what_an_interrupted_fit_has_learned_is_replaced_by_the_checkpoint(classes, tmp_path, monkeypatch):
    in_pieces(monkeypatch)
    X, y = classes
    path = tmp_path / "run.safetensors"

    for warm, asks in ((False, 2), (True, 2), (False, 4), (True, 4)):
        options = SMALL | {"warm_start": warm, "early_stopping": True, "n_iter_no_change": 5}
        alone = MLPClassifier(**options).fit(X, y)
        model = MLPClassifier(**options, callbacks=Asks(asks))
        model.fit(X, y, checkpoint=Checkpoint(path, "1 h", overwrite=True))
        assert model.stop_reason_ == "time is up"
        assert (read_checkpoint(path).state["training"]["within"] is None) == (asks == 4)
        model.set_params(callbacks=None).fit(X, y, resume=path)
        the_same(alone, model)


def test_a_warm_start_goes_on_with_the_estimator_that_it_began_with(classes, tmp_path):
    X, y = classes
    keeper = Collecting(tmp_path / "run.safetensors", "3 steps")
    options = SMALL | {"warm_start": True}
    alone = MLPClassifier(**options).fit(X, y)
    alone.save(tmp_path / "model.safetensors")
    alone.fit(X, y, checkpoint=keeper)
    other = MLPClassifier.load(tmp_path / "model.safetensors")
    the_same(alone, other.fit(X, y, resume=keeper.found[2]))
    with pytest.raises(CheckpointError, match="of a fit that went on from an earlier one"):
        MLPClassifier(**options).fit(X, y, resume=keeper.found[2])
    with pytest.raises(CheckpointError, match="of a fit that went on from an earlier one"):
        other.set_params(warm_start=False).fit(X, y, resume=keeper.found[2])
    bare = MLPClassifier(**options).fit(X, y)
    bare.save(tmp_path / "bare.safetensors", training=False)
    bare = MLPClassifier.load(tmp_path / "bare.safetensors").set_params(**options)
    the_same(alone, bare.fit(X, y, resume=keeper.found[2]))  # the checkpoint has what the file lacks


def test_numpys_own_generator_is_left_alone(classes, tmp_path):
    X, y = classes
    options = SMALL | {"random_state": None, "early_stopping": True, "dropout": 0.2}
    keeper = Collecting(tmp_path / "run.safetensors", "3 steps")
    alone = MLPClassifier(**options).fit(X, y, checkpoint=keeper)
    own = check_random_state(None)
    before = own.get_state(legacy=False)["state"]
    the_same(alone, MLPClassifier(**options).fit(X, y, resume=keeper.found[2]))
    after = own.get_state(legacy=False)["state"]
    assert (before["key"].tolist(), before["pos"]) == (after["key"].tolist(), after["pos"])


BASE = {"dropout": 0.2, "early_stopping": True}
OTHERS = {
    "solver is 'sgd', and was 'adam'": {"solver": "sgd"},
    "alpha is 0.1, and was 0.0001": {"alpha": 0.1},
    "tol is 0.1, and was 0.0001": {"tol": 0.1},
    "batch_size is 30, and was 40": {"batch_size": 30},
    "beta_1 is 0.8, and was 0.9": {"beta_1": 0.8},
    "dropout is": {"dropout": 0.1},
    "layers is": {"hidden_layer_sizes": (4, 4)},
    "activations is": {"activation": "tanh"},
    "dtype is 'float32', and was 'float64'": {"dtype": "float32"},
    "random_state is 1, and was 0": {"random_state": 1},
    "validation_fraction is 0.3, and was 0.1": {"validation_fraction": 0.3},
    "the X of validation rows lack": {"early_stopping": False},
    "learning_rate is": {"learning_rate": Exponential(0.1, 0.5)},
    "class_weight is": {"class_weight": {"a": 2.0}},
    "max_iter|there are to be 1 epoch in all": {"max_iter": 1},
    "needs solver 'sgd' or 'adam', got 'lbfgs'": {"solver": "lbfgs", "dropout": 0.0, "early_stopping": False},
}


@pytest.mark.parametrize("said", OTHERS)
def test_another_training_is_refused_by_what_differs_and_nothing_changes(classes, tmp_path, said):
    X, y = classes
    keeper = Collecting(tmp_path / "run.safetensors", "7 steps")
    MLPClassifier(**SMALL | BASE).fit(X, y, checkpoint=keeper)
    other = MLPClassifier(**SMALL | BASE | OTHERS[said])
    with pytest.raises(ValueError, match=said):
        other.fit(X, y, resume=keeper.found[1])
    assert not hasattr(other, "coefs_")
    rng = np.random.RandomState(0)
    fitted = MLPClassifier(**SMALL, solver="sgd").fit(X, y)
    before = vars(fitted.set_params(random_state=rng)).copy()
    with pytest.raises(CheckpointError, match="another training"):
        fitted.fit(X, y, resume=keeper.found[1])
    assert vars(fitted) == before
    assert rng.randint(2**31) == np.random.RandomState(0).randint(2**31)


def test_other_rows_and_classes_are_refused(classes, tmp_path):
    X, y = classes
    keeper = Collecting(tmp_path / "run.safetensors", "7 steps")
    MLPClassifier(**SMALL).fit(X, y, checkpoint=keeper)
    for rows, targets, said in (
        (X + 1e-9, y, "the X of training rows differ"),
        (X, y[::-1], "the targets of training rows differ"),
        (X, np.char.upper(y), "classes is"),
    ):
        with pytest.raises(CheckpointError, match=said):
            MLPClassifier(**SMALL).fit(rows, targets, resume=keeper.found[1])


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("rules", "curves"), {}, "it lacks n_iter_"),
        (("rules", "curves", "loss_curve_"), ["low"], "loss_curve_ must be a list of floats"),
        (("rules", "learning_rate"), "high", "learning_rate must be a number"),
        (("orders", "generator", "state", "pos"), 10**8, "pos is 100000000"),
        (("orders", "generator", "state", "pos"), -5, "pos is -5"),
    ],
)
def test_a_checkpoint_that_no_training_left_is_refused(classes, tmp_path, place, value, said):
    X, y = classes
    path = tmp_path / "run.safetensors"
    MLPClassifier(**SMALL).fit(X, y, checkpoint=path)
    state = read_checkpoint(path).state
    inner = state["training"]
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    write_checkpoint(path, state, keeps_previous=False)
    model = MLPClassifier(**SMALL)
    with pytest.raises(CheckpointError, match=said):
        model.fit(X, y, resume=path)
    assert not hasattr(model, "coefs_")
