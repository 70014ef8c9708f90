"""The rule by which training ends, at its very edges; all numbers are exact in binary."""

import warnings
from functools import partial
from math import inf, nan

import numpy as np
import pytest

from fuseprop import MLPClassifier
from fuseprop.callbacks.patience import Patience
from fuseprop.estimators.improvement import Improvement


def improvement(limit=3, *, of_scores=False):
    return Improvement(0.25, inf, Patience(limit), of_scores)


@pytest.mark.parametrize(
    ("sign", "values", "counts"),
    [
        (1, [1.0, 0.75, 0.5625, 0.25, 2.0], [0, 0, 1, 0, 1]),
        (-1, [0.25, 0.5, 0.75, 0.875, 1.0], [0, 0, 0, 1, 2]),
        (1, [1.0, nan, 0.875, nan], [0, 0, 1, 0]),
        (-1, [0.5, nan, 0.625, nan], [0, 0, 1, 0]),
    ],
    ids=["losses", "scores", "losses with nan", "scores with nan"],
)
def test_counts(sign, values, counts):
    """Better by tol is an improvement, by less is none, but what the next one is compared with."""
    rule = improvement()
    found = []
    for value in values:
        rule.look_at(sign * value)
        found.append(rule.patience.count)
    assert found == counts


def test_the_best_is_the_best_by_however_little():
    rule = improvement()
    assert [rule.look_at(value) for value in (1.0, 0.9375, 0.9375)] == [True, True, False]
    assert not rule.patience.is_over
    assert rule.look_at(0.875)
    assert rule.best == 0.875
    assert rule.patience.count == 3
    assert rule.patience.is_over


@pytest.mark.parametrize("of_scores", [False, True])
def test_what_is_said_when_it_is_over(of_scores):
    what = "Validation score" if of_scores else "Training loss"
    said = improvement(11, of_scores=of_scores).describe()
    assert said == f"{what} did not improve more than tol=0.250000 for 10 consecutive epochs."


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_warnings_point_at_the_line_that_trains(classes, solver, method):
    if (solver, method) == ("lbfgs", "partial_fit"):
        pytest.skip("lbfgs has no partial_fit")
    X, y = classes
    model = MLPClassifier(solver=solver, max_iter=1, batch_size=1000, random_state=0)
    train = model.fit if method == "fit" else partial(model.partial_fit, classes=np.unique(y))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(X, y)
    assert len(caught) == {"lbfgs": 1}.get(solver, 2 if method == "fit" else 1)
    assert {warning.filename for warning in caught} == {__file__}
