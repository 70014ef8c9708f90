"""Models whose numbers are clipped smoothly or have bins: their files, their slopes, one row, estimators."""

import json
import tracemalloc
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from safetensors.numpy import save

import fuseprop
from fuseprop import MLPRegressor, ModelFileError, Table
from fuseprop.data import DataError
from fuseprop.data.bins import MOST_BINS
from fuseprop.data.column import Column
from fuseprop.data.encoder import Encoder
from fuseprop.data.seen import Seen
from fuseprop.layers.dense import mlp
from fuseprop.model.files import FORMAT, read_model, write_model
from fuseprop.network import Network

NAN = np.nan
ENCODINGS = {"clip": {"clip": True}, "bins": {"bins": 5}, "both": {"clip": True, "bins": 5}}


def data():
    """A table with a heavy-tailed number, one with holes, a whole one, a category and a date."""
    rng = np.random.default_rng(0)
    n = 80
    X = np.array(
        [
            rng.lognormal(0.0, 1.0, n),
            np.where(rng.random(n) < 0.2, NAN, rng.normal(size=n)),
            np.arange(n) % 7.0,
            np.arange(n) % 2.0,
            20_000.0 + 3 * np.arange(n),
        ]
    ).T.copy()
    X[5, 0] = 1e4
    columns = (
        Column("income"),
        Column("holes"),
        Column("count"),
        Column("city", "category", ("Köln", "Ulm")),
        Column("when", "date"),
    )
    return Table(X, rng.normal(size=(n, 1)), columns, ("y",), "t.csv")


def model_with(encoding, hidden=(4,), table=None, dtype="float32"):
    """A model with this encoding, and with weights as they were drawn."""
    table = data() if table is None else table
    made = fuseprop.train(table, epochs=1, device="cpu", dtype=dtype)[0]
    encoder = Encoder.fit(table, **encoding)
    layers = mlp([encoder.width, *hidden, 1])
    network = Network(layers, "half_squared_error", metric="r2", device="cpu", dtype=dtype, seed=1)
    return replace(made, encoder=encoder, network=network, seen=Seen.of_table(table))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_model_goes_through_its_file(tmp_path, encoding, dtype):
    model = model_with(ENCODINGS[encoding], dtype=dtype)
    assert bool(model.encoder.tails) is (encoding != "bins")
    assert bool(model.encoder.bins) is (encoding != "clip")
    path = tmp_path / "m.safetensors"
    model.save(path)
    again = fuseprop.load(path, device="cpu")
    assert again.encoder.tails == model.encoder.tails
    assert again.encoder.bins == model.encoder.bins
    assert again.encoder.feature_names == model.encoder.feature_names
    np.testing.assert_array_equal(again.predict(data()).values, model.predict(data()).values)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def about(path):
    whole = path.read_bytes()
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
    return json.loads(header["__metadata__"]["fuseprop"])


def test_only_files_with_tails_or_bins_are_too_new_for_earlier_versions(tmp_path):
    path = tmp_path / "m.safetensors"
    for encoding, expected in ({}, 3), *((each, 4) for each in ENCODINGS.values()):
        model_with(encoding).save(path)
        written = about(path)
        assert written["format"] == expected <= FORMAT
        more = {"tails", "edges", "means"} & {key for entry in written["encodings"] for key in entry}
        assert bool(more) is (expected == 4)
    plain = Table.of(np.random.default_rng(0).random((30, 2)), np.arange(30.0))
    model_with({}, table=plain).save(path)
    assert about(path)["format"] == 1
    assert "encodings" not in about(path)


def changed(path, change, column):
    """Write a model file again, with the encoding of a column changed."""
    layers, configuration = read_model(path)
    tensors = {}
    for i, (weights, bias) in enumerate(layers):
        tensors |= {f"layers.{i}.weight": weights, f"layers.{i}.bias": bias}
    content = {"format": FORMAT, "version": "0", **asdict(configuration)}
    entry = next(entry for entry in content["encodings"] if entry["name"] == column)
    for key, value in change.items():
        if value is None:
            del entry[key]
        else:
            entry[key] = value
    path.write_bytes(save(tensors, {"fuseprop": json.dumps(content)}))
    return configuration


HALVES = [0.5] * 5


@pytest.mark.parametrize(
    ("column", "change", "words"),
    [
        ("income", {"tails": [1.0]}, "the tails of the column 'income' are two numbers, the second above 0"),
        ("income", {"tails": [1.0, 0.0]}, "two numbers, the second above 0"),
        ("income", {"tails": [1.0, -1.0]}, "two numbers, the second above 0"),
        ("income", {"tails": [1.0, 2.0, 3.0]}, "two numbers, the second above 0"),
        ("income", {"tails": ["1", 2.0]}, "the column 'income' must be finite numbers"),
        ("income", {"tails": [True, 2.0]}, "the column 'income' must be finite numbers"),
        ("income", {"tails": [10**400, 2.0]}, "the column 'income' must be finite numbers"),
        ("income", {"tails": {"center": 1.0}}, "a column has the entries name, kind, notation"),
        ("income", {"tails": []}, "two numbers, the second above 0"),
        ("income", {"edges": None}, "the column 'income' needs edges and means of its bins, or neither"),
        ("income", {"means": None}, "needs edges and means of its bins, or neither"),
        ("income", {"edges": [0, 1, 2, 3, 3, 5]}, "bins have 3 to 1,001 edges, finite and in ascending"),
        ("income", {"edges": [0, 1, 2, 4, 3, 5]}, "bins have 3 to 1,001 edges, finite and in ascending"),
        ("income", {"edges": [0, 1, 2, 3, 4, [5]]}, "must be finite numbers"),
        ("income", {"edges": [0, 1, 2, 3, 4, 10**400]}, "must be finite numbers"),
        ("income", {"edges": [-1.7e308, 1, 2, 3, 4, 1.7e308]}, "finite and in ascending order"),
        ("income", {"edges": [0, 1], "means": [0.5]}, "bins have 3 to 1,001 edges"),
        (
            "income",
            {"edges": [*range(MOST_BINS + 2)], "means": [0.5] * (MOST_BINS + 1)},
            "bins have 3 to 1,001 edges",
        ),
        ("income", {"means": [0.5] * 4}, "bins have a mean from 0 to 1 each"),
        ("income", {"means": [*HALVES[1:], 1.1]}, "bins have a mean from 0 to 1 each"),
        ("income", {"means": [*HALVES[1:], None]}, "must be finite numbers"),
        ("income", {"edges": [0, 1, 2], "means": [0.5, 0.5]}, r"needs a weight of shape \(2., outputs\)"),
        ("income", {"used": False}, "the number column 'income' cannot have tails or bins"),
        ("city", {"tails": [1.0, 2.0]}, "the category column 'city' cannot have tails or bins"),
        (
            "city",
            {"edges": [0, 1, 2], "means": [0, 0]},
            "the category column 'city' cannot have tails or bins",
        ),
        ("income", {"knots": [1.0]}, "a column has the entries name, kind, notation"),
    ],
)
def test_tails_and_bins_that_no_column_has_are_refused(tmp_path, column, change, words):
    path = tmp_path / "m.safetensors"
    model_with(ENCODINGS["both"]).save(path)
    before = changed(path, change, column)
    with pytest.raises(ModelFileError, match=words):
        fuseprop.load(path, device="cpu")
    entries = [
        {key: value for key, value in (entry | change).items() if value is not None}
        if entry["name"] == column
        else entry
        for entry in before.encodings
    ]
    if "weight of shape" not in words:
        layers = [(np.zeros((2, 1), np.float32), np.zeros(1, np.float32))]
        with pytest.raises(ValueError, match=words):
            write_model(tmp_path / "new.safetensors", layers, replace(before, encodings=entries))
        assert not (tmp_path / "new.safetensors").exists()


def test_whole_numbers_in_a_file_are_as_good(tmp_path):
    path = tmp_path / "m.safetensors"
    model_with(ENCODINGS["both"]).save(path)
    changed(path, {"tails": [1, 2], "edges": [0, 1, 2, 3, 4, 5], "means": [0, 1, 0, 1, 0]}, "income")
    model = fuseprop.load(path, device="cpu")
    assert model.encoder.bins[0].edges == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert np.isfinite(model.predict(data()).values).all()


def test_a_saved_score_counts_for_the_same_encoding_alone(tmp_path):
    path = tmp_path / "m.safetensors"
    model = model_with(ENCODINGS["bins"])
    score = fuseprop.callbacks.history.Score("validation_loss", 0.5)
    model.save(path, score=score)
    assert model.saved_score(path) == score
    other = replace(model, encoder=replace(model.encoder, bins={}))
    assert other.saved_score(path) is None


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_bends_has_no_slopes(encoding):
    assert model_with({}, hidden=()).linear() is not None
    assert model_with(ENCODINGS[encoding], hidden=()).linear() is None


def test_one_row_is_answered_as_in_a_table():
    model = model_with(ENCODINGS["both"])
    whole = model.predict(data()).values
    for i in (5, 17, int(np.flatnonzero(np.isnan(data().X[:, 1]))[0])):
        income, holes, count, city, when = data().X[i].tolist()
        row = {
            "income": income,
            "holes": None if np.isnan(holes) else holes,
            "count": count,
            "city": ("Köln", "Ulm")[int(city)],
            "when": np.datetime64(int(when), "D").item(),
        }
        np.testing.assert_allclose(model.predict(row).values, whole[i : i + 1], rtol=1e-5)


def test_far_values_are_told_and_answered():
    model = model_with(ENCODINGS["both"])
    table = data().take(np.arange(3))
    table.X[0, 0] = 1e300
    with pytest.warns(fuseprop.UnlikeTrainingWarning, match="income .1e.300 here, "):
        assert np.isfinite(model.predict(table).values).all()


def test_estimators_refuse_what_they_do_not_encode(tmp_path):
    plain = Table.of(np.random.default_rng(0).random((40, 2)), np.arange(40.0), feature_names=["a", "b"])
    model_with({"bins": 4}, table=plain).save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match=r"encodes its columns itself: a \(number\), b \(number\)"):
        MLPRegressor.load(tmp_path / "m.safetensors")


def test_many_rows_are_encoded_and_answered_part_by_part(monkeypatch):
    model = model_with(ENCODINGS["both"])
    table = data().take(np.arange(2000) % 80)
    whole = model.predict(table).values
    monkeypatch.setattr("fuseprop.model.model.NUMBERS_AT_ONCE", 50 * model.encoder.width)
    tracemalloc.start()
    try:
        np.testing.assert_array_equal(model.predict(table).values, whole)
        assert tracemalloc.get_traced_memory()[1] < 2000 * model.encoder.width * 4 < 250_000
    finally:
        tracemalloc.stop()
    table.X[1234, 1] = 1e300
    with pytest.raises(DataError, match=r"t\.csv: row 1235, column 'holes' is so far from the rows"):
        model.predict(table)


def test_a_column_is_in_its_own_features_alone():
    model = model_with(ENCODINGS["both"])
    table = data()
    before = model.encode_inputs(table)
    for j, (start, end) in enumerate(pairwise(model.encoder.layout.starts.tolist())):
        X = table.X.copy()
        X[:, j] = X[::-1, j]
        after = model.encode_inputs(replace(table, X=X))
        assert (after != before).any(axis=0)[start:end].any()
        np.testing.assert_array_equal(after[:, start:end], before[::-1, start:end])
        after[:, start:end] = before[:, start:end]
        np.testing.assert_array_equal(after, before)
    assert end == model.encoder.width


def test_what_bends_is_explained():
    made = model_with(ENCODINGS["both"]).explain(data(), repeats=2)
    assert {one.name for one in made.columns} == {"income", "holes", "count", "city", "when"}
