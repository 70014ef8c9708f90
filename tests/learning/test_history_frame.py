"""A history as a data frame of pandas."""

import subprocess
import sys

import numpy as np
import pytest

from fuseprop import Adam, History, MLPClassifier, MLPRegressor, Network, mlp

pandas = pytest.importorskip("pandas", reason='needs pandas: pip install -e ".[test]"')

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
T = (X[:, 0] > 0).astype(int)


def trained(**options):
    network = Network(mlp([3, 4, 1], "tanh"), "sigmoid_cross_entropy", device="cpu", seed=0)
    return network.fit(X, T, Adam(0.01), epochs=4, **options)


def check(history):
    """A row an epoch with the numbers of its entry, by its names."""
    frame = history.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.index.name == "epoch"
    assert frame.index.tolist() == list(range(1, history.epochs + 1))
    for epoch, row in frame.iterrows():
        entry = history.entry(epoch)
        assert entry.pop("epoch") == epoch
        np.testing.assert_equal(row.to_dict(), entry)
    assert all(kind == np.float64 for kind in frame.dtypes)
    return frame


def test_a_row_an_epoch_by_the_names_of_its_entry():
    frame = check(trained())
    assert list(frame) == ["train_loss", "train_accuracy", "learning_rate", "seconds"]
    frame = check(trained(validation=0.25, norms=True))
    assert list(frame) == [
        *("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"),
        *("learning_rate", "seconds"),
        *("gradient_norm_1", "gradient_norm_2", "weight_norm_1", "weight_norm_2"),
    ]


@pytest.mark.parametrize(
    "options", [{"max_iter": 300, "tol": 0.01}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str
)
def test_histories_of_estimators(options):
    pytest.importorskip("sklearn")
    model = MLPClassifier(hidden_layer_sizes=(4,), random_state=0, device="cpu", **options).fit(X, T)
    assert len(check(model.history_)) == model.n_iter_
    values = MLPRegressor(hidden_layer_sizes=(4,), tol=0.1, random_state=0, device="cpu").fit(X, X[:, 0])
    check(values.history_)


def test_before_the_first_epoch_there_are_no_rows():
    frame = History("accuracy").to_frame()
    assert frame.shape == (0, 0)
    assert frame.index.name == "epoch"


def test_it_is_the_callers_own():
    history = trained()
    frame = history.to_frame()
    frame.loc[1, "train_loss"] = -1.0
    assert history.train_loss[0] > 0


def test_without_pandas_it_says_what_to_install():
    script = """
import sys
sys.modules["pandas"] = None
from fuseprop import History
try:
    History("loss", [1.0], [1.0]).to_frame()
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("a data frame needs pandas, which is not installed. Type: ")
    assert done.stdout.rstrip().endswith("install pandas.")
