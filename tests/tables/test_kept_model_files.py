"""Model files that earlier versions wrote load in this one, and predict what they predicted."""

import json
from pathlib import Path

import numpy as np
import pytest
from write_model_files import go_on

import fuseprop
from fuseprop import estimators
from fuseprop.model.files import read_model
from fuseprop.testing.contract.parity import assert_parity

KEPT = Path(__file__).parent / "model_files"
CASES = [
    (folder.name, name)
    for folder in sorted(KEPT.iterdir())
    for name in json.loads((folder / "expected.json").read_text())["models"]
]


def the_same(actual, expected, dtype):
    if np.asarray(expected).dtype.kind == "f":
        assert_parity(actual, expected, dtype)
    else:
        np.testing.assert_array_equal(actual, expected)


def test_every_kept_file_is_expected_to_load():
    written = {(path.parent.name, path.stem) for path in KEPT.glob("*/*.safetensors")}
    assert written == set(CASES)
    assert {"Model", "MLPClassifier", "MLPRegressor"} == {
        about["estimator"]
        for folder in KEPT.iterdir()
        for about in json.loads((folder / "expected.json").read_text())["models"].values()
    }


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("folder", "name"), CASES)
def test_a_kept_file_predicts_what_it_did_and_its_training_goes_on(folder, name):
    content = json.loads((KEPT / folder / "expected.json").read_text())
    X, expected = np.array(content["X"]), content["models"][name]
    path = KEPT / folder / f"{name}.safetensors"
    dtype = read_model(path)[1].dtype
    made = fuseprop.load(path, device="cpu").predict(expected.get("rows", X))
    the_same(made.values, expected["values"], dtype)
    if expected["probabilities"] is None:
        assert made.probabilities is None
    else:
        the_same(made.probabilities, expected["probabilities"], dtype)
    if expected["estimator"] != "Model":
        estimator = getattr(estimators, expected["estimator"]).load(path)
        rows = X.astype(dtype)
        the_same(estimator.predict(rows), expected["values"], dtype)
        if expected["probabilities"] is not None:
            the_same(estimator.predict_proba(rows), expected["probabilities"], dtype)
        if "later" in expected:
            go_on(estimator, rows, np.array(expected["y"]))
            the_same(estimator.predict(rows), expected["later"]["values"], dtype)
