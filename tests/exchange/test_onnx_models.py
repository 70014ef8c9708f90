"""Models and estimators as ONNX files: columns by their names in, classes and values in their units out."""

import json
import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from runtime import inputs_of, run, texts_of, without_metadata
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor, NotConvertible, Table, from_onnx, to_onnx, train
from fuseprop.data import DataError
from fuseprop.data.column import Column
from fuseprop.data.cycles import CYCLES, places_in
from fuseprop.data.encoder import Encoder
from fuseprop.exchange.onnx.encoding import CYCLE
from fuseprop.exchange.onnx.graph import Graph
from fuseprop.testing.contract.parity import assert_parity

EPSILON = np.finfo(np.float32).eps


def frame(seed, n=120, *, missing=True):
    """A table with a column of each kind, of which some values are missing."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame(
        {
            "size in m²": rng.normal(100, 30, n),
            "heavy": np.exp(rng.normal(0, 3, n)),
            "label": rng.integers(0, 5, n),
            "city": rng.choice(["Bern", "Ulm", "Köln", "missing"], n, p=[0.4, 0.3, 0.25, 0.05]),
            "new": rng.choice(["yes", "no"], n),
            "flag": rng.choice([True, False], n),
            "when": pd.Timestamp("2019-11-03") + pd.to_timedelta(rng.integers(0, 48000, n), unit="h"),
            "same": 7.0,
        }
    )
    if missing:
        for name in ("size in m²", "heavy", "city", "new", "when"):
            made.loc[rng.random(n) < 0.1, name] = None
    return made


def score_of(table):
    size = table["size in m²"].fillna(100)
    return (size / 30 + 3 * (table["city"] == "Bern") + 2 * table["flag"]).to_numpy()


TARGETS = {
    "regression": (lambda s: 1e4 * s + 5e6, {}),
    "two targets": (lambda s: np.c_[s, 1e6 * s**2], {}),
    "counts": (np.round, {"loss": "half_poisson_deviance", "task": "regression"}),
    "texts": (lambda s: np.where(s > 5, "ja, schön", "nein"), {}),
    "two numbers": (lambda s: np.where(s > 5, 7, -3), {}),
    "truths": (lambda s: s > 5, {}),
    "three texts": (lambda s: np.array(["a", "b", "c"])[np.digitize(s, [4, 7])], {}),
    "three numbers": (lambda s: np.digitize(s, [4, 7]) * 2.5, {"task": "exclusive"}),
    "labels": (lambda s: np.c_[s > 5, s > 6, s > 7].astype(int), {"task": "multi-label"}),
    "hinge": (lambda s: np.where(s > 5, "ja", "nein"), {"loss": "hinge"}),
    "hinge of three": (lambda s: np.digitize(s, [4, 7]), {"loss": "hinge", "task": "exclusive"}),
    "softmax of two": (lambda s: np.where(s > 5, "ja", "nein"), {"loss": "softmax_cross_entropy"}),
}


def trained(table, targets, **options):
    table = table.copy()
    names = ["y"] if np.ndim(targets) == 1 else [f"y{i}" for i in range(np.shape(targets)[1])]
    for name, column in zip(names, np.reshape(targets, (len(table), -1)).T, strict=True):
        table[name] = column
    options = {"epochs": 2, "hidden": [8, 6], "members": 2, "seed": 1, "device": "cpu", **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return train(table, names if len(names) > 1 else "y", **options)[0]


def columns_of(model, table):
    """A table's columns as the file takes them."""
    made, encoder = {}, model.encoder
    for column, has_feature in zip(encoder.columns, encoder.used | encoder.indicated, strict=True):
        if not has_feature:
            continue
        cells = table[column.name]
        if column.kind == "number":
            made[column.name] = cells.to_numpy(np.float64)[:, None]
        elif column.kind == "date":
            days = (pd.to_datetime(cells) - pd.Timestamp(0)) / pd.Timedelta(days=1)
            made[column.name] = days.to_numpy(np.float64)[:, None]
        else:
            texts = ["" if pd.isna(cell) else str(cell) for cell in cells]
            made[column.name] = np.array(texts, object)[:, None]
    return made


def predicted(model, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = model.predict(data)
    probabilities = made.probabilities
    return np.asarray(made.values), None if probabilities is None else np.asarray(probabilities)


def assert_alike(model, path, table, *, dtype=np.float32):
    """Assert that the file predicts what the model does; where a decision is on the edge it may differ."""
    values, probabilities = predicted(model, table)
    made = run(path, **columns_of(model, table))
    assert made["prediction"].shape == values.shape
    if model.task.name == "regression":
        assert_parity(made["prediction"], values, dtype)
    else:
        assert (made["prediction"] == values).mean() >= 0.99
        assert made["prediction"].dtype.kind == (values.dtype.kind if values.dtype.kind != "U" else "O")
    assert ("probabilities" in made) == (probabilities is not None)
    if probabilities is not None:
        assert_parity(made["probabilities"], probabilities, dtype)


@pytest.fixture(scope="module")
def table():
    return frame(0)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("bins", [0, 5])
def test_every_task(tmp_path, table, kind, bins):
    targets, options = TARGETS[kind]
    model = trained(table, targets(score_of(table)), bins=bins, clip=bins > 0, **options)
    path = tmp_path / "model.onnx"
    to_onnx(model, path)
    unseen = frame(1, 60)
    unseen.loc[3, "city"] = "Nowhere"
    assert_alike(model, path, unseen)
    for n in (0, 1):
        given = {name: cells[:n] for name, cells in columns_of(model, unseen).items()}
        assert len(run(path, **given)["prediction"]) == n
    again = from_onnx(path, device="cpu")
    assert again.configuration() == model.configuration()
    for mine, theirs in zip(again.network.weights(), model.network.weights(), strict=True):
        assert all(one.tobytes() == other.tobytes() for one, other in zip(mine, theirs, strict=True))
    np.testing.assert_array_equal(predicted(again, unseen)[0], predicted(model, unseen)[0])


def test_values_are_in_the_targets_units_in_float64(tmp_path, table):
    model, path = trained(table, score_of(table) * 1e9 - 1e12, dtype="float64"), tmp_path / "model.onnx"
    to_onnx(model, path)
    assert_alike(model, path, frame(2, 50), dtype=np.float64)


def test_the_metadata_say_columns_classes_and_loss(tmp_path, table):
    model, path = trained(table, np.where(score_of(table) > 5, "ja", "nein")), tmp_path / "model.onnx"
    to_onnx(model, path)
    texts = texts_of(path)
    assert (texts["task"], texts["loss"]) == ("binary", "sigmoid_cross_entropy")
    assert json.loads(texts["classes"]) == ["ja", "nein"]
    assert json.loads(texts["targets"]) == ["y"]
    assert texts["fuseprop.version"] == fuseprop.__version__
    columns = {about["name"]: about for about in json.loads(texts["columns"])}
    assert (
        list(columns) == list(inputs_of(path)) == list(frame(0))[:-1]
    )  # the last one is the same everywhere
    assert columns["when"]["input"].startswith("days since 1970-01-01")
    assert columns["new"]["levels"] == ["no", "yes"]
    assert inputs_of(path)["city"] == ("tensor(string)", ["rows", 1])
    assert inputs_of(path)["when"] == ("tensor(double)", ["rows", 1])


def test_columns_of_texts_are_numbers_in_the_file(tmp_path):
    lines = [f"{1 + i}.200,5;{1 + i % 28:02d}.{1 + i % 12:02d}.2021;{i}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["amount;day;y", *lines]))
    model, _ = train(tmp_path / "t.csv", "y", epochs=1, hidden=[3], members=1, device="cpu")
    to_onnx(model, tmp_path / "m.onnx")
    columns = {about["name"]: about for about in json.loads(texts_of(tmp_path / "m.onnx")["columns"])}
    assert columns["day"]["in training"] == "%d.%m.%Y"
    assert columns["amount"]["in training"] == "1.234,5"
    days = (np.datetime64("2021-03-03") - np.datetime64("1970-01-01")).astype(float)
    made = run(tmp_path / "m.onnx", amount=np.array([[5200.5]]), day=np.array([[days]]))
    wanted = predicted(model, [{"amount": "5.200,5", "day": "03.03.2021"}])[0]
    assert_parity(made["prediction"], wanted, np.float32)


def test_a_text_that_is_neither_of_two_ends_in_an_error(tmp_path, table):
    model, path = trained(table, score_of(table)), tmp_path / "model.onnx"
    to_onnx(model, path)
    row = frame(3, 1, missing=False)
    inputs = columns_of(model, row)
    for text in ("YES", "yes", "Yes", "no", "", "NA", "nan"):
        inputs["new"] = np.array([[text]], object)
        given = row.assign(new=[text])
        assert_parity(run(path, **inputs)["prediction"], predicted(model, given)[0], np.float32)
    inputs["new"] = np.array([["perhaps"]], object)
    with pytest.raises(DataError, match="expected no or yes"):
        model.predict(row.assign(new=["perhaps"]))
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="new: no or yes"):
        run(path, **inputs)


def test_missing_values_that_are_refused_end_in_an_error(tmp_path):
    whole = frame(0, missing=False)
    model, path = trained(whole, score_of(whole), missing="refuse"), tmp_path / "model.onnx"
    to_onnx(model, path)
    assert_alike(model, path, frame(1, 40, missing=False))
    inputs = columns_of(model, frame(1, 2, missing=False))
    for name, cells in inputs.items():
        gone = np.array([["" if cells.dtype == object else np.nan]], cells.dtype)
        with pytest.raises(Exception, match="indices element out of data bounds"):
            run(path, **{**inputs, name: np.concatenate([cells[:1], gone])})


def test_a_missing_value_where_none_was_is_the_mean(tmp_path):
    whole = frame(0, missing=False)
    model, path = trained(whole, score_of(whole)), tmp_path / "model.onnx"
    to_onnx(model, path)
    assert_alike(model, path, frame(1, 60))


def test_columns_without_names_are_one_array(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(50, 9, (90, 3)), rng.integers(0, 3, 90)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, _ = train(Table.of(X, y), epochs=2, hidden=[5], device="cpu", bins=4, seed=0)
    path = tmp_path / "model.onnx"
    to_onnx(model, path)
    assert inputs_of(path) == {"X": ("tensor(double)", ["rows", 3])}
    made = run(path, X=X)
    assert_parity(made["probabilities"], predicted(model, X)[1], np.float32)
    assert from_onnx(path, device="cpu").configuration() == model.configuration()


def test_columns_may_be_called_as_the_outputs_and_the_operators(tmp_path):
    rng = np.random.default_rng(0)
    names = ["prediction", "probabilities", "X", "layers.0", "layers.0.weight", "gemm", "constant", "a/b,c"]
    table = pd.DataFrame(rng.normal(size=(50, len(names))), columns=names)
    model, path = trained(table, np.where(table["X"] > 0, "a", "b")), tmp_path / "model.onnx"
    to_onnx(model, path)
    outputs = json.loads(texts_of(path)["outputs"])
    made = run(path, **columns_of(model, table))
    assert set(outputs) == {"prediction", "probabilities"}
    assert set(outputs.values()) == set(made)
    assert_parity(made[outputs["probabilities"]], predicted(model, table)[1], np.float32)
    assert from_onnx(path, device="cpu").configuration() == model.configuration()


def test_a_column_without_a_name_is_refused(tmp_path):
    table = pd.DataFrame({"a": np.arange(30.0), "": np.arange(30.0) ** 2})
    model = trained(table, np.arange(30.0))
    with pytest.raises(NotConvertible, match="Give it a name"):
        to_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_of_columns_is_read_by_its_metadata_alone(tmp_path, table):
    model, path = trained(table, score_of(table)), tmp_path / "model.onnx"
    to_onnx(model, path)
    with pytest.raises(NotConvertible, match=r"7 inputs .* expected one"):
        from_onnx(without_metadata(path), device="cpu")


@pytest.mark.parametrize("cycle", CYCLES)
def test_places_in_cycles_are_those_of_the_calendar(tmp_path, cycle):
    """Over four hundred years and more on both sides of 1970, hour by hour at the ends of months."""
    often = np.arange(-800, 800) + 0.25
    days = np.concatenate([np.arange(-200_000, 200_000, 7.0), often, [-1e-3, 11016.0, 18321.5]])
    graph = Graph(np.float64, ("days",))
    given = graph.input("days", np.float64, 1)
    graph.output(CYCLE[cycle](graph, given, graph.node("Floor", given)), "place", np.float64, 1)
    path = tmp_path / "cycle.onnx"
    path.write_bytes(graph.model("", {}).SerializeToString())
    np.testing.assert_array_equal(run(path, days=days[:, None])["place"][:, 0], places_in([cycle], days)[0])


def test_categories_alone_and_dates_alone(tmp_path):
    """A table without numbers, and a category that has no feature of its own."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.choice(list("xyz"), 80), "b": rng.choice(list("uv"), 80), "c": ["k"] * 80})
    table.loc[5:9, "c"] = None
    path = tmp_path / "model.onnx"
    model = trained(table, np.where(table["a"] == "x", 1.0, 9.5) + rng.normal(size=80))
    to_onnx(model, path)
    assert_alike(model, path, table)
    hours = pd.to_timedelta(np.arange(90) * 9, unit="h")
    when = pd.DataFrame({"when": pd.Timestamp("2020-02-27 13:00") + hours})
    model = trained(when, np.arange(90.0))
    to_onnx(model, path)
    assert_alike(model, path, when)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_estimators(tmp_path, dtype):
    path = tmp_path / "estimator.onnx"
    X, y = make_classification(60, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
    labels = make_multilabel_classification(60, 5, n_classes=3, random_state=0)[1]
    _, value = make_regression(60, 5, n_targets=2, random_state=0)
    X = X.astype(dtype)
    cases = [
        (MLPClassifier, np.array(["b", "a", "c"])[y]),
        (MLPClassifier, np.where(y == 1, 4, -1)),
        (MLPClassifier, y == 1),
        (MLPClassifier, labels),
        (MLPRegressor, value),
        (MLPRegressor, value[:, 0]),
    ]
    for kind, target in cases:
        made = kind(
            hidden_layer_sizes=(6, 4), activation=("tanh", "gelu"), max_iter=3, random_state=0, device="cpu"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.fit(X, target)
        to_onnx(made, path)
        name = "float" if dtype == "float32" else "double"
        assert inputs_of(path) == {"X": (f"tensor({name})", ["rows", 5])}
        outputs, again = run(path, X=X), from_onnx(path, device="cpu")
        assert type(again) is kind
        assert again.get_params()["activation"] == made.activation
        for mine, theirs in zip(again.coefs_, made.coefs_, strict=True):
            assert mine.tobytes() == theirs.tobytes()
        np.testing.assert_array_equal(again.predict(X), made.predict(X))
        if kind is MLPRegressor:
            assert_parity(outputs["prediction"], made.predict(X), dtype)
        else:
            np.testing.assert_array_equal(outputs["prediction"], made.predict(X))
            assert_parity(outputs["probabilities"], made.predict_proba(X), dtype)


def test_an_estimator_keeps_the_names_of_its_features(tmp_path):
    X = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) % 3})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0).fit(X, X["a"])
    to_onnx(made, tmp_path / "e.onnx")
    again = from_onnx(tmp_path / "e.onnx")
    assert again.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(again.predict(X), made.predict(X))


def test_an_estimator_that_is_not_fitted_or_knows_one_class_is_refused(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        to_onnx(MLPClassifier(), tmp_path / "e.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = MLPClassifier((2,), max_iter=1).fit([[0.0], [1.0]], ["a", "a"])
    with pytest.raises(ValueError, match="knows one class"):
        to_onnx(made, tmp_path / "e.onnx")
    assert not list(tmp_path.iterdir())


def test_encoders_with_columns_that_have_no_features(tmp_path):
    """Of an array, where columns that give nothing lie between those that give something."""
    X = np.c_[np.full(40, np.nan), np.arange(40.0), np.full(40, 3.0), np.arange(40) % 4]
    table = Table(X, None, tuple(Column(f"x{i}") for i in range(4)), ())
    encoder = Encoder.fit(table)
    assert encoder.used.tolist() == [False, True, True, True]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, _ = train(Table.of(X[:, 1:], X[:, 3]), epochs=1, hidden=[3], device="cpu", task="regression")
    to_onnx(model, tmp_path / "m.onnx")
    made = run(tmp_path / "m.onnx", X=X[:, 1:])["prediction"]
    assert_parity(made, predicted(model, X[:, 1:])[0], np.float32)


@pytest.mark.parametrize("kind", ["regression", "texts", "truths", "three texts", "three numbers", "labels"])
@pytest.mark.parametrize("clip", [False, True])
def test_a_number_that_the_model_refuses_ends_in_an_error(tmp_path, kind, clip):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=[*"abc"])
    targets, options = (X[["a", "b"]] > 0).to_numpy().astype(int), {"task": "multi-label"}
    if kind != "labels":
        give, options = TARGETS[kind]
        targets = give(5 + 3 * X["a"].to_numpy())
    model, path = trained(X, targets, clip=clip, **options), tmp_path / "m.onnx"
    to_onnx(model, path)
    assert len(run(path, **columns_of(model, X))["prediction"]) == 60
    for number in (np.inf, -np.inf, 1e300):
        x = X.copy()
        x.loc[7, "b"] = number
        inputs = {name: x[[name]].to_numpy() for name in x}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of rows unlike those learned from
                wanted = np.asarray(model.predict(x))
        except DataError:
            with pytest.raises(Exception, match="is refused"):
                run(path, **inputs)
        else:
            assert np.isfinite(number)
            made = run(path, **inputs)["prediction"]
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(made, wanted, rtol=1e-4)
            else:
                np.testing.assert_array_equal(made, wanted)


def test_the_metadata_say_that_no_spaces_are_taken_off(tmp_path, table):
    model = trained(table, score_of(table))
    to_onnx(model, tmp_path / "m.onnx")
    columns = json.loads(texts_of(tmp_path / "m.onnx")["columns"])
    texts = [about for about in columns if about["kind"] in ("category", "boolean")]
    assert texts
    assert all("no spaces around it" in about["input"] for about in texts)
