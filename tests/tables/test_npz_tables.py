"""NPZ files and built-in data sets."""

import sys
import zipfile

import numpy as np
import pytest

from fuseprop.data import DATASETS, DataError, load_table, read_npz
from fuseprop.installing import how_to_install


def refusal(*arguments):
    with pytest.raises(DataError) as caught:
        load_table(*arguments)
    return str(caught.value)


def test_round_trip(tmp_path):
    X, y = np.arange(6.0).reshape(3, 2), np.array(["a", "b", "a"])
    np.savez(tmp_path / "t.npz", X=X, label=y, feature_names=["p", "q"])
    table = read_npz(tmp_path / "t.npz", ["label"], ["q", "p"])
    np.testing.assert_array_equal(table.X, X[:, ::-1])
    assert table.targets[:, 0].tolist() == y.tolist()
    assert (table.feature_names, table.target_names) == (("q", "p"), ("label",))


def test_nameless_features_are_taken_by_position_and_targets_numbered(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.ones((3, 2)), y=np.zeros((3, 2)))
    table = load_table(tmp_path / "t.npz")
    assert (table.feature_names, table.target_names) == (("x1", "x2"), ("y1", "y2"))
    assert load_table(tmp_path / "t.npz", (), ["p", "q"]).feature_names == ("p", "q")
    assert "has 2 features, but 3" in refusal(tmp_path / "t.npz", (), ["p", "q", "r"])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": np.ones((2, 1)), "Y": [0, 1]}, ["no array 'y'", "X, Y"]),
        ({"x": np.ones((2, 1)), "y": [0, 1]}, ["no array 'X'"]),
        ({"X": np.ones(2), "y": [0, 1]}, ["(rows, features)", "reshape"]),
        ({"X": np.ones((2, 1)), "y": [0, 1, 2]}, ["(2,)", "(3,)"]),
        ({"X": np.ones((2, 1)), "y": np.ones((2, 1, 1))}, ["(2, 1, 1)"]),
        ({"X": np.ones((0, 1)), "y": np.ones(0)}, ["empty"]),
        ({"X": [["a"], ["b"]], "y": [0, 1]}, ["real numbers", "<U1"]),
        ({"X": [[1j], [2]], "y": [0, 1]}, ["real numbers", "complex"]),
        ({"X": [[np.nan], [2]], "y": [0, 1]}, ["row 0", "nan"]),
        ({"X": [[1], [2]], "y": [0, np.inf]}, ["target", "inf"]),
        ({"X": [[1], [2]], "y": [0, 1], "feature_names": ["a", "b"]}, ["feature_names", "2 entries for 1"]),
        ({"X": np.array([[1], ["q", 2]], dtype=object), "y": [0, 1]}, ["'X'", "Python objects"]),
        ({"X": [[1], [2]], "y": np.array([None, 1])}, ["'y'", "Python objects"]),
    ],
)
def test_refusals(tmp_path, arrays, words):
    np.savez(tmp_path / "t.npz", **arrays)
    message = refusal(tmp_path / "t.npz")
    for word in ["t.npz", *words]:
        assert word in message


def test_closest_key_is_suggested(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.ones((2, 1)), labels=[0, 1])
    assert 'Did you mean "labels"?' in refusal(tmp_path / "t.npz", ["label"])
    assert "one key" in refusal(tmp_path / "t.npz", ["a", "b"])


def test_files_that_are_none(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.random.default_rng(0).random((50, 2)), y=np.arange(50))
    whole = (tmp_path / "t.npz").read_bytes()
    for size in (0, 1, 10, 500, len(whole) - 1):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        assert "cut.npz" in refusal(tmp_path / "cut.npz")
    flipped = bytearray(whole)
    flipped[400] ^= 0xFF
    (tmp_path / "flip.npz").write_bytes(bytes(flipped))
    assert "not an NPZ file" in refusal(tmp_path / "flip.npz")
    np.save(tmp_path / "single.npy", np.ones(3))
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    assert "single array" in refusal(tmp_path / "single.npz")
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as file:
        file.writestr("X.npy", "no array")
        file.writestr("y.npy", "no array")
    assert "not an NPZ file" in refusal(tmp_path / "text.npz")
    assert "no such file" in refusal(tmp_path / "missing.npz")
    (tmp_path / "d.npz").mkdir()
    assert "is a directory" in refusal(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("digits", (1797, 64), "f"),
        ("iris", (150, 4), "U"),
        ("wine", (178, 13), "U"),
        ("breast_cancer", (569, 30), "U"),
        ("diabetes", (442, 10), "f"),
        ("xor", (4, 2), "f"),
        ("line", (200, 1), "f"),
    ],
)
def test_built_in_data_sets(name, shape, kind):
    table = load_table(name)
    assert table.X.shape == shape
    assert table.targets.shape == (shape[0], 1)
    assert table.targets.dtype.kind == kind
    assert len(set(table.feature_names)) == shape[1]
    assert name in DATASETS


def test_without_scikit_learn_the_line_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert f"Type: {how_to_install('sklearn')}." in refusal("digits")
    assert load_table("xor").X.shape == (4, 2)


def test_unknown_names_are_answered_with_the_choices():
    message = refusal("digit")
    assert "digits, iris, wine, breast_cancer, diabetes, xor, line" in message
    assert 'Did you mean "digits"?' in message
    assert all(suffix in message for suffix in (".csv", ".parquet", ".jsonl", ".npz"))
    assert "built-in data set with the target class" in refusal("iris", ["x"])
