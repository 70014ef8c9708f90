"""Scores are scikit-learn's to 1e-12, at their edges too, and their intervals hold what they should."""

import numpy as np
import pytest
from sklearn import metrics as theirs

from fuseprop import metrics as ours
from fuseprop.metrics import Scores
from fuseprop.metrics.scores.decided import Decided
from fuseprop.metrics.scores.numbers import Residuals
from fuseprop.metrics.scores.ranked import Ranked
from fuseprop.metrics.scores.resampling import GROUPS, Groups, groups_of, intervals
from fuseprop.model.scoring import scores_of_numbers

CLOSE = {"rel": 1e-12, "abs": 1e-12}


def rng(seed=0):
    return np.random.default_rng(seed)


def drawn_classes(k, n=200, seed=0):
    """Classes, decisions, and probabilities of which many tie."""
    draw = rng(seed)
    target = np.r_[np.arange(k), draw.integers(k, size=n - k)]
    p = draw.dirichlet(np.ones(k), size=n).round(1)
    p = (p + 0.1) / (p + 0.1).sum(axis=1, keepdims=True)
    return target, draw.integers(k, size=n), p


def their_f1(target, predicted, k):
    return theirs.f1_score(target, predicted, average="binary" if k == 2 else "macro")


@pytest.mark.parametrize("k", [2, 3, 7])
def test_scores_of_classes_are_scikit_learns(k):
    target, predicted, p = drawn_classes(k)
    assert ours.accuracy(target, predicted) == theirs.accuracy_score(target, predicted)
    balanced = theirs.balanced_accuracy_score(target, predicted)
    assert ours.balanced_accuracy(target, predicted) == pytest.approx(balanced, **CLOSE)
    assert ours.f1(target, predicted) == pytest.approx(their_f1(target, predicted, k), **CLOSE)
    assert ours.log_loss(target, p) == pytest.approx(theirs.log_loss(target, p), **CLOSE)
    auc = theirs.roc_auc_score(target, p[:, 1] if k == 2 else p, multi_class="ovr")
    assert ours.roc_auc(target, p) == pytest.approx(auc, **CLOSE)
    matrix = theirs.confusion_matrix(target, predicted)
    np.testing.assert_array_equal(ours.confusion_matrix(target, predicted), matrix)


@pytest.mark.parametrize("names", [["no", "yes"], ["c", "a", "b"], [7, 1, -2], [True, False]])
def test_classes_of_any_type(names):
    """By default in ascending order; `classes` gives the order of columns, and says which is the second."""
    target, predicted, p = drawn_classes(len(names), n=60)
    cells = np.array(names)
    true, decided = cells[target], cells[predicted]
    average = {"average": "macro"} if len(names) > 2 else {"pos_label": sorted(names)[1]}
    assert ours.f1(true, decided) == pytest.approx(theirs.f1_score(true, decided, **average), **CLOSE)
    assert ours.f1(true, decided, classes=names) == ours.f1(target, predicted)
    assert ours.roc_auc(true, p, classes=names) == ours.roc_auc(target, p)
    assert ours.log_loss(true, p, classes=names) == ours.log_loss(target, p)
    assert ours.log_loss(true, p[:, np.argsort(cells)]) == ours.log_loss(target, p)
    np.testing.assert_array_equal(
        ours.confusion_matrix(true, decided, classes=names), ours.confusion_matrix(target, predicted)
    )
    np.testing.assert_array_equal(
        ours.confusion_matrix(true, decided), theirs.confusion_matrix(true, decided)
    )


def test_two_classes_by_one_column():
    target, _, p = drawn_classes(2)
    assert ours.roc_auc(target, p[:, 1]) == ours.roc_auc(target, p)
    assert ours.log_loss(target, p[:, 1]) == pytest.approx(ours.log_loss(target, p), **CLOSE)
    logits = np.log(p[:, 1] / p[:, 0])
    assert ours.roc_auc(target, logits) == pytest.approx(ours.roc_auc(target, p), **CLOSE)


@pytest.mark.parametrize("t", [2, 5])
def test_scores_of_labels_are_scikit_learns(t):
    target, predicted = rng().integers(2, size=(2, 80, t))
    assert ours.accuracy(target, predicted) == theirs.accuracy_score(target, predicted)
    expected = theirs.f1_score(target, predicted, average="macro")
    assert ours.f1(target, predicted) == pytest.approx(expected, **CLOSE)
    target[:, 0] = predicted[:, 0] = 0
    expected = theirs.f1_score(target, predicted, average="macro", zero_division=0)
    assert ours.f1(target, predicted) == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 4)])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_scores_of_numbers_are_scikit_learns(shape, offset):
    draw = rng()
    target = draw.normal(size=shape) * 10 ** np.arange(shape[-1] if len(shape) == 2 else 1) + offset
    predicted = target + draw.normal(size=shape)
    for name, expected in (
        ("rmse", theirs.root_mean_squared_error),
        ("mae", theirs.mean_absolute_error),
        ("r2", theirs.r2_score),
    ):
        assert getattr(ours, name)(target, predicted) == pytest.approx(expected(target, predicted), **CLOSE)


def test_ties_and_extremes_of_an_auc():
    target = np.array([0, 0, 1, 1, 0, 1])
    for scores in (np.zeros(6), target, 1 - target, [0, 1, 1, 2, 1, 1], [-5, 3, 3, 3, 7, 7]):
        assert ours.roc_auc(target, scores) == pytest.approx(theirs.roc_auc_score(target, scores), **CLOSE)


def test_absent_classes():
    target, predicted, p = drawn_classes(4)
    predicted[target == 3] = 0
    target[target == 3] = 0
    assert 3 in predicted
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = theirs.balanced_accuracy_score(target, predicted)
    assert ours.balanced_accuracy(target, predicted) == pytest.approx(expected, **CLOSE)
    assert ours.f1(target, predicted) == pytest.approx(their_f1(target, predicted, 4), **CLOSE)
    assert ours.f1(target % 3, predicted % 3, classes=range(9)) == ours.f1(target % 3, predicted % 3)
    assert ours.confusion_matrix(target, predicted, classes=range(5)).shape == (5, 5)
    expected = theirs.log_loss(target, p, labels=range(4))
    assert ours.log_loss(target, p, classes=range(4)) == pytest.approx(expected, **CLOSE)
    with pytest.raises(ValueError, match=r"no ROC AUC: no row is of the class 3\. Leave it out"):
        ours.roc_auc(target, p, classes=range(4))
    nobody = np.zeros(5, int)
    assert ours.f1(nobody, nobody, classes=[0, 1]) == 0.0
    assert ours.f1(nobody, nobody + 1) == 0.0
    assert ours.f1(nobody + 1, nobody) == 0.0


def test_impossible_probabilities_count_as_hardly_possible():
    for dtype in ("float32", "float64"):
        p = np.array([[1, 0], [0, 1], [0.5, 0.5]], dtype)
        assert ours.log_loss([1, 1, 0], p) == pytest.approx(theirs.log_loss([1, 1, 0], p), rel=1e-6)


@pytest.mark.parametrize("value", [0.1, 0.0, 3.0, 1 / 3])
def test_constant_targets(value):
    target = np.full(7, value)
    assert ours.r2(target, target) == 1.0
    assert ours.r2(target, target + 1) == 0.0
    assert ours.r2(np.c_[target, np.arange(7)], np.c_[target, np.arange(7)]) == 1.0
    assert ours.rmse(target, target + 1) == pytest.approx(1.0)


@pytest.mark.parametrize("size", [1e-300, 1e-165, 1e165, 1e300])
def test_numbers_of_any_size_have_the_scores_of_ordinary_ones(size):
    """Squares neither over- nor underflow, and each of several targets has its own size."""
    target, predicted = rng().normal(size=(2, 50, 2))
    for scale in (size, np.array([size, 1.0])):
        big, other = target * scale, predicted * scale
        assert ours.r2(big, other) == pytest.approx(ours.r2(target, predicted), rel=1e-12)
        for score in (ours.rmse, ours.mae):
            each = [score(target[:, j], predicted[:, j]) * np.broadcast_to(scale, 2)[j] for j in range(2)]
            assert score(big, other) == pytest.approx(np.mean(each), rel=1e-12, abs=0)
        found = scores_of_numbers(other, big, with_intervals=True)
        assert not found.undefined
        assert found["rmse_of_mean"] == pytest.approx(np.mean(target.std(axis=0) * scale), rel=1e-12, abs=0)
        assert all(low <= found[name] <= high for name, (low, high) in found.intervals.items())


def test_errors_and_deviations_of_different_sizes():
    assert ours.rmse([1e200], [0]) == 1e200
    assert ours.r2([1e200, 2e200], [0, 1]) == pytest.approx(-9, rel=1e-12)
    assert ours.r2([1.0, 2.0], [1e150, 1e150]) == pytest.approx(-4e300, rel=1e-12)
    assert ours.mae([1.5e308, 1.0], [0.0, 1.0]) == 0.75e308
    assert ours.rmse([[1.5e308, 1.5e308]], [[0.0, 0.0]]) == 1.5e308
    assert ours.rmse([5e-324, 0.0], [0.0, 5e-324]) == 5e-324


def test_what_no_float64_holds_is_undefined_and_said():
    with pytest.raises(ValueError, match=r"the R\^2 is larger than any float64"):
        ours.r2([1.0, 2.0], [1e200, 0.0])
    with pytest.raises(ValueError, match="the RMSE is larger than any float64"):
        ours.rmse([1.5e308], [-1.5e308])
    found = scores_of_numbers(np.array([[1e200], [0.0]]), np.array([[1.0], [2.0]]), with_intervals=True)
    assert list(found) == ["rmse", "mae", "rmse_of_mean"]
    assert "too large" in found.undefined["r2"]
    assert "r2" not in found.intervals
    values = np.array([[1.0], [2.0]])
    assert "targets" in scores_of_numbers(values, values * np.inf, with_intervals=False).undefined["rmse"]


def test_scores_hold_no_nan_and_no_inf():
    scores = Scores({"loss": np.inf, "r2": np.nan, "mae": 1.0})
    assert scores == {"mae": 1.0}
    assert list(scores.undefined) == ["loss", "r2"]
    joined = scores.joined(Scores({"r2": 0.5}))
    assert joined == {"mae": 1.0, "r2": 0.5}
    assert list(joined.undefined) == ["loss"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.accuracy([1, 2], [1]), r"must both have shape \(n,\), got \(2,\) and \(1,\)"),
        (lambda: ours.accuracy([], []), "nothing to score"),
        (lambda: ours.accuracy([[0, 2]], [[0, 1]]), "labels, 0 or 1"),
        (lambda: ours.f1(["a", "a"], ["a", "a"]), r"f1 needs two classes.*all rows are 'a'.*classes="),
        (lambda: ours.f1([0, 1], [0, 2], classes=[0, 1]), r"2 is none of the classes \[0, 1\]"),
        (lambda: ours.log_loss([0, 1], [[0.5, 0.2], [0.5, 0.5]]), "of a row add up to 1"),
        (lambda: ours.log_loss([0, 1], [-0.5, 0.5]), "must lie between 0 and 1"),
        (lambda: ours.log_loss([0, 1, 1], [[0.5, 0.5]]), r"target must have shape \(n,\)"),
        (lambda: ours.roc_auc([0, 1], [[1, 2, 3], [1, 2, 3]]), "3 columns for 2 classes.*classes="),
        (lambda: ours.roc_auc([0, 1], [0.5, np.nan]), "scores contains nan in row 1"),
        (lambda: ours.roc_auc([1, 1], [0.5, 0.1]), "needs two classes"),
        (lambda: ours.r2([1], [2]), r"no R\^2 of one row"),
        (lambda: ours.rmse([1, np.inf], [2, 1]), "target contains inf in row 1"),
        (lambda: ours.mae([[1, 2]], [1, 2]), "must both have shape"),
    ],
)
def test_what_has_no_score_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_scores_are_a_dict_with_more():
    scores = Scores({"loss": 1.0}, intervals={"loss": (0.5, 2.0)})
    assert scores == {"loss": 1.0}
    scores["roc_auc"] = 1.0
    joined = scores.joined(Scores({"f1": 0.5}, undefined={"roc_auc": "no row is of the class 1"}))
    assert list(joined) == ["loss", "f1"]
    assert (joined.intervals, list(joined.undefined)) == ({"loss": (0.5, 2.0)}, ["roc_auc"])
    assert joined.confusion is None


@pytest.mark.parametrize("n", [7, GROUPS, 5 * GROUPS + 3])
def test_groups_share_the_rows_out(n):
    draw = rng()
    values, kinds = draw.normal(size=(n, 2)), draw.integers(3, size=n)
    groups, whole = groups_of(n), Groups(n)
    assert groups.count == min(n, GROUPS)
    sizes = groups.sum(np.ones(n))
    assert sizes.max() - sizes.min() <= 1
    np.testing.assert_allclose(groups.sum(values).sum(axis=0), values.sum(axis=0))
    np.testing.assert_allclose(whole.sum(values)[0], values.sum(axis=0))
    wanted = kinds > 0
    for each in (groups, whole):
        np.testing.assert_array_equal(each.tally(kinds, 4).sum(axis=0), np.bincount(kinds, minlength=4))
        np.testing.assert_array_equal(
            each.tally(kinds, 4, wanted).sum(axis=0), np.bincount(kinds[wanted], minlength=4)
        )


def accuracy_interval(target, predicted, k=2):
    sums = Decided.of_classes(target, predicted, k, groups_of(len(target))).with_unseen_rows()
    formulas = {"accuracy": Decided.accuracy, "balanced_accuracy": Decided.balanced_accuracy}
    return intervals(sums, formulas, {name: getattr(ours, name)(target, predicted) for name in formulas})


@pytest.mark.parametrize("n", [400, 20 * GROUPS])
def test_intervals_are_as_wide_as_their_formulas_say(n):
    """Where a standard error is known, an interval is 3.92 of it, from rows and from groups of rows."""
    draw = rng(1)
    target, right = draw.integers(2, size=n), draw.random(n) < 0.8
    low, high = accuracy_interval(target, np.where(right, target, 1 - target))["accuracy"]
    assert high - low == pytest.approx(3.92 * np.sqrt(0.16 / n), rel=0.12)
    values, errors = draw.normal(size=(2, n, 1))
    residuals = Residuals(values, values + errors)
    formulas = {"mae": residuals.mae, "rmse": residuals.rmse}
    found = intervals(residuals.sums(groups_of(n)), formulas, {"mae": 0.8, "rmse": 1.0})
    assert np.ptp(found["mae"]) == pytest.approx(3.92 * np.sqrt((1 - 2 / np.pi) / n), rel=0.12)
    assert np.ptp(found["rmse"]) == pytest.approx(3.92 * np.sqrt(1 / (2 * n)), rel=0.12)


def delong_width(target, scores):
    """Return 3.92 standard errors of an AUC, by the double sums in the definition of placements."""
    above = scores[target == 1][:, None] > scores[target == 0]
    variance = (
        above.mean(axis=1).var(ddof=1) / above.shape[0] + above.mean(axis=0).var(ddof=1) / above.shape[1]
    )
    return 3.92 * np.sqrt(variance)


def auc_interval(target, scores):
    (groups,) = Ranked.of(target, scores[:, None], groups_of(len(target)))
    return groups.intervals(ours.roc_auc(target, scores))["roc_auc"]


def test_an_interval_of_an_auc_is_as_wide_as_delongs():
    draw = rng(2)
    target = (draw.random(3000) < 0.1).astype(int)
    scores = draw.normal(size=3000) + target
    assert np.ptp(auc_interval(target, scores)) == pytest.approx(delong_width(target, scores), rel=0.1)


def test_perfect_scores_of_few_rows_are_not_certain():
    target = np.arange(30) % 2
    found = accuracy_interval(target, target)
    for low, high in found.values():
        assert 0.8 < low < 0.97
        assert high == 1.0
    low, high = auc_interval(target, target.astype(float))
    assert 0.8 < low < 0.99
    assert high == 1.0
    thousands = np.arange(3000) % 2
    assert accuracy_interval(thousands, thousands)["accuracy"][0] > 0.998


def test_one_row_of_a_class_says_little_of_it():
    target = np.r_[1, np.zeros(99, int)]
    low, high = accuracy_interval(target, np.zeros(100, int))["balanced_accuracy"]
    assert low <= 0.5
    assert high > 0.75


def test_degenerate_resamples_leave_an_interval_or_none():
    """Two rows, of which a resample may hold one alone; and scores that no resample has."""
    found = accuracy_interval(np.array([0, 1]), np.array([0, 0]))
    assert all(0 <= low <= 0.5 <= high <= 1 for low, high in found.values())
    residuals = Residuals(np.array([[1.0], [2.0]]), np.array([[1.5], [2.5]]))
    sums = residuals.sums(groups_of(2))
    low, high = intervals(sums, {"r2": residuals.r2}, {"r2": 0.0})["r2"]
    assert low <= 0.0 <= high
    assert intervals(sums, {"none": lambda sums: residuals.rmse(sums) * np.nan}, {"none": 1.0}) == {}


def coverage(draw_interval, truth, times=200):
    inside = [low <= truth <= high for low, high in map(draw_interval, range(times))]
    return np.mean(inside)


def test_intervals_hold_the_truth_as_often_as_they_say():
    def of_accuracy(seed):
        draw = rng(seed)
        target = draw.integers(2, size=40)
        return accuracy_interval(target, np.where(draw.random(40) < 0.95, target, 1 - target))["accuracy"]

    def of_auc(seed):
        draw = rng(seed)
        target = np.arange(40) % 2
        return auc_interval(target, draw.normal(size=40) + 2 * target)

    assert coverage(of_accuracy, 0.95, 100) > 0.9
    assert coverage(of_auc, 0.9213503964748574, 100) > 0.9


def test_one_row_of_a_class_says_little_of_its_rank():
    scores = np.arange(100.0)
    low, high = auc_interval((scores == 60).astype(int), scores)
    assert low < 0.3
    assert high > 0.9
