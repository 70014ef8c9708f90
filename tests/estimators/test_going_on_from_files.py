"""Training goes on after `save` and `load` as if there had been no file, or says that it does not."""

import json
import pickle
import warnings

import numpy as np
import pytest
import sklearn.neural_network as theirs
from safetensors import safe_open
from safetensors.numpy import save_file

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor, ModelFileError, from_sklearn
from fuseprop.model.files import read_model, read_with_training, write_model
from fuseprop.schedules import Cosine, Exponential, Step

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (5, 4), "max_iter": 4, "random_state": 0}
STATES = ("n_iter_", "t_", "loss_", "loss_curve_", "validation_scores_", "best_loss_")

KINDS = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.5,
        "n_iter_no_change": 1,
    },
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "schedule": {"learning_rate": Cosine(0.1, 10)},
    "dropout": {"dropout": 0.2, "clip_norm": 0.5},
    "float32": {"dtype": "float32", "beta_1": np.float32(0.8), "n_iter_no_change": np.inf},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "batches": {"batch_size": 7, "alpha": 0.1, "shuffle": False},
}
EARLY = {"early": {"early_stopping": True}, "lbfgs": {"solver": "lbfgs", "alpha": 0.5}}


def the_same(one, other):
    for name in ("coefs_", "intercepts_"):
        for mine, yours in zip(getattr(one, name), getattr(other, name), strict=True):
            assert mine.dtype == yours.dtype
            assert mine.tobytes() == yours.tobytes()
    for name in (*STATES, "best_validation_score_", "_no_improvement_count"):
        assert hasattr(one, name) == hasattr(other, name)
        assert getattr(one, name, None) == getattr(other, name, None), name
    assert hasattr(one, "_optimizer") == hasattr(other, "_optimizer")
    if hasattr(one, "_optimizer"):
        for mine, yours in zip(one._optimizer.moments, other._optimizer.moments, strict=True):
            assert mine.tobytes() == yours.tobytes()
        for name in ("solver", "learning_rate", "epochs", "steps"):
            assert getattr(one._optimizer, name) == getattr(other._optimizer, name)


def through_a_file(model, tmp_path, **options):
    path = tmp_path / "model.safetensors"
    model.save(path, **options)
    return type(model).load(path)


def written(path):
    """The JSON of the configuration in a model file, and of its training."""
    with safe_open(path, "numpy") as file:
        return [json.loads(file.metadata().get(key, "null")) for key in ("fuseprop", "fuseprop.training")]


@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_goes_on_in_the_same_bits(classes, tmp_path, kind):
    X, y = classes
    model = MLPClassifier(**SMALL | KINDS[kind]).fit(X, y)
    loaded = through_a_file(model, tmp_path)
    the_same(model, loaded)
    for _ in range(3):
        for each in (model, loaded):
            each.partial_fit(X[:100], y[:100])
    the_same(model, loaded)
    again = through_a_file(loaded, tmp_path)
    for each in (model, again):
        each.partial_fit(X, y)
    the_same(model, again)


@pytest.mark.parametrize("kind", [*KINDS, *EARLY])
def test_a_warm_start_goes_on_in_the_same_bits(numbers, tmp_path, kind):
    X, y = numbers
    options = SMALL | KINDS.get(kind, {}) | EARLY.get(kind, {})
    model = MLPRegressor(**options, warm_start=True).fit(X, y)
    loaded = through_a_file(model, tmp_path)
    for each in (model, loaded):
        each.fit(X, y)
    the_same(model, loaded)


@pytest.mark.parametrize("what", ["labels", "two classes", "counts", "names", "seldom"])
def test_any_target_goes_on_in_the_same_bits(classes, tmp_path, what):
    X, y = classes
    model = MLPClassifier(**SMALL)
    if what == "labels":
        y = np.stack([y == "a", y == "b"], axis=1).astype(int)
    elif what == "two classes":
        y = y == "a"
    elif what == "counts":
        model, y = MLPRegressor("poisson", **SMALL), np.abs(X[:, 0]).round()
    elif what == "names":
        pandas = pytest.importorskip("pandas")
        X = pandas.DataFrame(X).add_prefix("column ")
    model = model.partial_fit(X, y, classes=[*"abcd"]) if what == "seldom" else model.fit(X, y)
    loaded = through_a_file(model, tmp_path)
    for each in (model, loaded):
        each.partial_fit(X, y)
    the_same(model, loaded)
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))


def test_a_file_of_a_loaded_estimator_has_the_same_bytes(classes, tmp_path):
    loaded = through_a_file(MLPClassifier(**SMALL).fit(*classes), tmp_path)
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_parameters_are_those_before(classes, tmp_path):
    given = {
        **SMALL,
        "learning_rate": Step(0.1, np.float64(0.5), 3),
        "class_weight": {np.str_("a"): 2, "b": np.float32(0.5), "c": 1.0},
        "momentum": 1,
        "alpha": np.float32(0.25),
        "tol": np.float64(1e-3),
        "batch_size": np.int64(50),
        "solver": np.str_("sgd"),
        "n_iter_no_change": np.inf,
        "warm_start": True,
    }
    loaded = through_a_file(MLPClassifier(**given).fit(*classes), tmp_path)
    kept = loaded.get_params()
    assert {name: kept[name] for name in given} == given
    for name in ("momentum", "alpha", "tol", "batch_size", "n_iter_no_change"):
        assert type(kept[name]) is type(given[name])
    assert [type(weight) for weight in kept["class_weight"].values()] == [int, np.float32, float]
    assert type(kept["learning_rate"].factor) is np.float64
    weights = [{0: 1.0, 1: 2.0}, {0: 1, 1: 0.5}]
    labels = np.stack([classes[1] == "a", classes[1] == "b"], axis=1).astype(int)
    loaded = through_a_file(MLPClassifier(**SMALL, class_weight=weights).fit(classes[0], labels), tmp_path)
    assert loaded.class_weight == weights


def test_what_belongs_to_a_machine_or_a_process_is_not_kept(classes, tmp_path):
    model = MLPClassifier(**SMALL, device="cpu", callbacks=[fuseprop.EarlyStopping(3)]).fit(*classes)
    loaded = through_a_file(model, tmp_path)
    assert loaded.device is loaded.callbacks is None
    assert MLPClassifier.load(tmp_path / "model.safetensors", device="cpu").device == "cpu"


def test_a_random_state_goes_on(classes, tmp_path):
    X, y = classes
    rng = np.random.RandomState(7)
    rng.normal()  # leaves a second number for the next call
    model = MLPClassifier(**SMALL | {"random_state": rng}).fit(X, y)
    loaded = through_a_file(model, tmp_path)
    assert loaded.random_state is not rng
    for each in (model, loaded):
        each.partial_fit(X, y).partial_fit(X, y)
    the_same(model, loaded)
    assert model.random_state.normal() == loaded.random_state.normal()


def test_pickles_of_loaded_estimators_go_on(classes, tmp_path):
    X, y = classes
    model = MLPClassifier(**SMALL).fit(X, y)
    copy = pickle.loads(pickle.dumps(through_a_file(model, tmp_path)))
    for each in (model, copy):
        each.partial_fit(X, y)
    the_same(model, copy)


def test_an_estimator_of_scikit_learn_goes_on(numbers, tmp_path):
    X, y = numbers
    model = from_sklearn(theirs.MLPRegressor(**SMALL, warm_start=True).fit(X, y))
    loaded = through_a_file(model, tmp_path)
    for each in (model, loaded):
        each.fit(X, y)
    the_same(model, loaded)


def test_zeros_keep_their_signs(numbers, tmp_path):
    X, y = numbers
    model = MLPRegressor(**SMALL).fit(X, y)
    for array in (*model.coefs_, *model.intercepts_):
        array.flat[:2] = 0.0, -0.0
    the_same(model, through_a_file(model, tmp_path))


@pytest.mark.parametrize("warm", [False, True])
def test_without_its_training_a_file_is_what_it_was_and_going_on_warns(classes, tmp_path, warm):
    X, y = classes
    model = MLPClassifier(**SMALL).fit(X, y)
    loaded = through_a_file(model, tmp_path, training=False)
    path = tmp_path / "model.safetensors"
    about, training = written(path)
    assert about["format"] == 1
    assert training is None
    write_model(tmp_path / "plain.safetensors", *read_model(path))
    assert path.read_bytes() == (tmp_path / "plain.safetensors").read_bytes()
    loaded.save(tmp_path / "again.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()

    loaded.set_params(warm_start=warm, max_iter=2, random_state=0)
    go_on = loaded.fit if warm else loaded.partial_fit
    with pytest.raises(ValueError, match="NaN"):
        go_on(np.full_like(X, np.nan), y)
    with pytest.warns(UserWarning, match="goes on from the weights alone, with a new optimizer"):
        go_on(X, y)
    go_on(X, y)
    the_same(loaded, through_a_file(loaded, tmp_path))


def test_a_new_fit_after_a_file_without_training_says_nothing(classes, tmp_path):
    loaded = through_a_file(MLPClassifier(**SMALL).fit(*classes), tmp_path, training=False)
    loaded.fit(*classes).partial_fit(*classes)


def test_a_function_is_not_kept_and_going_on_warns(classes, tmp_path):
    X, y = classes
    model = MLPClassifier(**SMALL, learning_rate=lambda epoch: 0.1 * 0.9**epoch).fit(X, y)
    loaded = through_a_file(through_a_file(model, tmp_path), tmp_path)
    copy = MLPClassifier.load(tmp_path / "model.safetensors").set_params(learning_rate=model.learning_rate)
    with pytest.warns(UserWarning, match="cannot keep the learning_rate .* with learning_rate='constant'"):
        loaded.partial_fit(X, y)
    loaded.partial_fit(X, y)
    for each in (model, copy):
        each.partial_fit(X, y)
    the_same(model, copy)
    other = MLPClassifier(**SMALL | {"random_state": np.random.RandomState(np.random.PCG64(0))}).fit(X, y)
    with pytest.warns(UserWarning, match="cannot keep the random_state"):
        through_a_file(other, tmp_path).partial_fit(X, y)


def test_the_file_is_one_of_a_model(classes, tmp_path):
    X, y = classes
    model = MLPClassifier(**SMALL).fit(X, y)
    path = tmp_path / "model.safetensors"
    model.save(path)
    about, training = written(path)
    assert about["format"] == 5
    assert training["training"]["curves"]["t_"] == model.t_
    whole = fuseprop.load(path, device="cpu")
    np.testing.assert_array_equal(whole.predict(X).values, model.predict(X))
    whole.save(tmp_path / "whole.safetensors")
    about, training = written(tmp_path / "whole.safetensors")
    assert (about["format"], training) == (1, None)


def test_training_is_true_or_false(classes, tmp_path):
    model = MLPClassifier(**SMALL).fit(*classes)
    with pytest.raises(TypeError, match="training must be True or False, got 'no'"):
        model.save(tmp_path / "model.safetensors", training="no")
    model._no_improvement_count = "many"
    with pytest.raises(
        ValueError, match="_no_improvement_count must be a whole number of at least 0, got 'many'"
    ):
        model.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


MT = {"key": [1] * 624, "position": 624, "has_gauss": False, "gauss": 0.0}
MOMENT = np.ones(192)
WRONG = [
    (
        ["parameters", "alpha"],
        [-1.0, "much", None, {"numpy": "float64"}, {"numpy": "object", "value": 1}, 10**400],
    ),
    (["parameters", "batch_size"], [0, 1.5, True, 2**63, {"numpy": "int8", "value": 1000}]),
    (["parameters", "colour"], ["red"]),
    (["parameters", "device"], ["cuda"]),
    (["parameters", "hidden_layer_sizes"], [[3]]),
    (["parameters"], [None, [], "adam"]),
    (
        ["parameters", "learning_rate"],
        [
            "sometimes",
            {"schedule": "Cosine", "numbers": {"pairs": [["start", -1.0], ["epochs", 3]]}},
            {"schedule": "Cosine", "numbers": {"pairs": [["power", 1.0]]}},
            {"schedule": "Cosine", "numbers": [1.0, 2]},
            {"schedule": "Schedule", "numbers": {"pairs": []}},
            {"schedule": [], "numbers": {"pairs": []}},
            {"pairs": []},
        ],
    ),
    (
        ["parameters", "random_state"],
        [
            -1,
            {"random_state": None},
            {"random_state": {**MT, "position": 625}},
            {"random_state": {**MT, "position": -1}},
            {"random_state": {**MT, "key": [1] * 623}},
            {"random_state": {**MT, "key": [2**32] * 624}},
            {"random_state": {**MT, "gauss": np.nan}},
            {"random_state": {**MT, "has_gauss": 2}},
            {"random_state": {}},
        ],
    ),
    (["parameters", "class_weight"], ["all", 1, {"pairs": [[1]]}, {"pairs": [[[], 1.0]]}, {"pairs": 3}]),
    (["left_out"], [None, ["alpha", "colour"], ["device"], [[]]]),
    (
        ["curves"],
        [None, {}, {"n_iter_": 1}, {"n_iter_": 1, "t_": 1, "loss_": 1.0, "loss_curve_": []}],
    ),
    (["curves", "n_iter_"], [-1, 1.0, True, 2**63, None]),
    (["curves", "loss_curve_"], [None, [1], ["1.0"], 1.0, np.ones(3)]),
    (["curves", "best_loss_"], [np.nan, "low", None]),
    (["curves", "validation_scores_"], [[], [0.5]]),
    (["curves", "_no_improvement_count"], [-1, None]),
    (["optimizer"], [{}, [], "adam"]),
    (["optimizer", "solver"], ["lbfgs", "sgd", None, 1]),
    (["optimizer", "learning_rate"], [0.0, -1.0, np.inf, np.nan, "0.1", True]),
    (["optimizer", "steps"], [-1, 2**63, 1.5]),
    (
        ["optimizer", "moments"],
        [None, [MOMENT], [MOMENT, MOMENT[:-1]], [MOMENT, 1.0], [MOMENT[None]] * 2],
    ),
    ([], [{}, []]),
]


@pytest.mark.parametrize(("place", "values"), WRONG, ids=lambda each: ".".join(map(str, each))[:60])
def test_what_no_training_leaves_is_refused(classes, tmp_path, place, values):
    path = tmp_path / "model.safetensors"
    MLPClassifier(**SMALL).fit(*classes).save(path)
    layers, configuration, whole = read_with_training(path)
    write_model(path, layers, configuration, whole)
    MLPClassifier.load(path)
    for value in values:
        training = pickle.loads(pickle.dumps(whole))
        if place:
            inner = training
            for name in place[:-1]:
                inner = inner[name]
            inner[place[-1]] = value
        write_model(path, layers, configuration, training if place else value)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ModelFileError, match="not a file from which training goes on") as caught:
                MLPClassifier.load(path)
            assert str(path) in str(caught.value)
            assert fuseprop.load(path, device="cpu").predict(classes[0]).values.shape == (150,)


def test_training_that_hangs_or_fills_memory_cannot_be_asked_for(classes, tmp_path):
    X, y = classes
    path = tmp_path / "model.safetensors"
    for parameters, epochs in (
        ({"learning_rate": Exponential(0.1, 3)}, 2**60),
        ({"solver": "sgd", "learning_rate": "invscaling", "power_t": 2**60}, 4),
    ):
        MLPClassifier(**SMALL | {"max_iter": 1, **parameters, "power_t": 0.5}).fit(X, y).save(path)
        layers, configuration, training = read_with_training(path)
        training["parameters"]["power_t"] = parameters.get("power_t", 0.5)
        training["optimizer"]["epochs"] = epochs
        write_model(path, layers, configuration, training)
        with pytest.raises(ValueError, match="learning rate"):
            MLPClassifier.load(path).partial_fit(X, y)


def test_tensors_of_a_training_are_those_that_it_names(classes, tmp_path):
    path = tmp_path / "model.safetensors"
    MLPClassifier(**SMALL).fit(*classes).save(path)
    with safe_open(path, "numpy") as file:
        texts = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != "digest"}  # noqa: SIM118
    assert [name for name in tensors if name.startswith("training.")] == [
        f"training.optimizer.moments.{i}" for i in range(2)
    ]
    one_more = tensors | {"training.more": np.ones(3)}
    twice = texts | {"fuseprop.training": texts["fuseprop.training"].replace("moments.1", "moments.0")}
    older = texts | {"fuseprop": texts["fuseprop"].replace('"format": 5', '"format": 4')}
    del tensors["training.optimizer.moments.1"]
    for arrays, metadata in ((one_more, texts), (tensors, texts), (one_more, twice), (one_more, older)):
        save_file(arrays, path, metadata)
        for load in (fuseprop.load, MLPClassifier.load):
            with pytest.raises(ModelFileError):
                load(path)
