"""The rule by which training ends, at its very edges; all numbers are exact in binary."""

from math import inf, nan

import pytest

from fuseprop.estimators.stopping import Patience


@pytest.mark.parametrize(
    ("higher_is_better", "values", "counts"),
    [
        (False, [1.0, 0.75, 0.5625, 0.25, 2.0], [0, 0, 1, 0, 1]),
        (True, [0.25, 0.5, 0.75, 0.875, 1.0], [0, 0, 0, 1, 2]),
        (False, [1.0, nan, 0.875, nan], [0, 0, 1, 0]),
        (True, [0.5, nan, 0.625, nan], [0, 0, 1, 0]),
    ],
    ids=["losses", "scores", "losses with nan", "scores with nan"],
)
def test_counts(higher_is_better, values, counts):
    """Better by tol is an improvement, by less is none, but what the next one is compared with."""
    patience = Patience(0.25, 2, -inf if higher_is_better else inf, higher_is_better)
    found = []
    for value in values:
        patience.look_at(value)
        found.append(patience.count)
    assert found == counts


def test_the_best_is_the_best_by_however_little():
    patience = Patience(0.25, 2, inf, False)
    assert [patience.look_at(value) for value in (1.0, 0.9375, 0.9375, 0.875)] == [True, True, False, True]
    assert patience.best == 0.875
    assert patience.count == 3
    assert patience.is_over
