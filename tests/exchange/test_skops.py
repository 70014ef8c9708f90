"""Estimators in skops' files, which are no pickles, and in model files; a fit that goes on from there."""

import numpy as np
import pytest
import skops.io

from fuseprop import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # skops' own
]

OF_FUSEPROP = {
    "fuseprop.callbacks.history.History",
    "fuseprop.data.seen.Seen",
    "fuseprop.estimators.classifier.MLPClassifier",
    "fuseprop.estimators.labels.Labels",
    "fuseprop.estimators.optimizer_state.OptimizerState",
    "fuseprop.estimators.regressor.MLPRegressor",
}
"""What skops asks to trust in an estimator with built-in formulas."""


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MLPClassifier, {"solver": "adam"}),
        (MLPClassifier, {"solver": "sgd", "activation": ("relu", "elu(0.2)"), "hidden_layer_sizes": (5, 4)}),
        (MLPClassifier, {"solver": "lbfgs"}),
        (MLPRegressor, {"loss": "huber(1.35)", "dtype": "float64"}),
    ],
    ids=["adam", "sgd", "lbfgs", "regressor"],
)
def test_an_estimator_comes_back_and_learns_on(kind, options, rows, tmp_path):
    y = rows[:, 0] * 2 if kind is MLPRegressor else np.where(rows[:, 0] > 0, "yes", "no")
    made = kind(max_iter=4, random_state=0, **{"hidden_layer_sizes": (5,), **options}).fit(rows, y)
    kept = skops.io.dumps(made)
    asked = set(skops.io.get_untrusted_types(data=kept))
    assert asked <= OF_FUSEPROP
    with pytest.raises(Exception, match="Untrusted types"):
        skops.io.loads(kept)
    made.save(tmp_path / "model.safetensors")
    loaded = [skops.io.loads(kept, trusted=sorted(asked)), kind.load(tmp_path / "model.safetensors")]
    for again in loaded:
        np.testing.assert_array_equal(again.predict(rows), made.predict(rows))
    if made.solver == "lbfgs":
        return
    for each in (made, *loaded):
        each.partial_fit(rows, y)
    for again in loaded:
        for a, b in zip(again.coefs_ + again.intercepts_, made.coefs_ + made.intercepts_, strict=True):
            np.testing.assert_array_equal(a, b)
