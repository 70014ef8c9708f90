"""How much memory a fit takes, beside the rows themselves, which it does not copy."""

import tracemalloc

import numpy as np
import pytest

from fuseprop import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("Estimator", "early_stopping", "weighted"),
    [
        pytest.param(MLPClassifier, False, False, id="classifier"),
        pytest.param(MLPClassifier, False, True, id="classifier, weighted"),
        pytest.param(MLPRegressor, False, False, id="regressor"),
        pytest.param(MLPRegressor, True, True, id="regressor, weighted, early stopping"),
    ],
)
def test_a_table_and_its_fit_take_less_than_2_2_times_the_table(Estimator, early_stopping, weighted):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200_000, 20), dtype=np.float32)
    y = (X[:, 0] > 0).astype(np.int64) if Estimator is MLPClassifier else X[:, 0].copy()
    weights = rng.random(len(X)) if weighted else None
    model = Estimator(
        hidden_layer_sizes=(4,), max_iter=1, batch_size=500, early_stopping=early_stopping, random_state=0
    )
    model.fit(X[:2000], y[:2000])  # whatever is imported, is imported
    tracemalloc.start()
    try:
        model.fit(X, y, weights)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert X.nbytes + peak < 2.2 * X.nbytes
