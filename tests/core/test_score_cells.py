"""Classes are compared as they are: of one kind, without NumPy's conversions, or they are refused."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from fuseprop import metrics

BIG = 2**53


@pytest.mark.parametrize("score", [metrics.accuracy, metrics.balanced_accuracy, metrics.f1])
@pytest.mark.parametrize(
    ("target", "predicted", "message"),
    [
        ([1, 2], ["1", "2"], "target holds numbers, but predicted text"),
        (["1", "2"], [b"1", b"2"], "target holds text, but predicted bytes"),
        ([1, "2"], [1, 2], r"target holds numbers \(1\) and text \('2'\): classes are of one kind"),
        ([1, 2], ["a", None], r"predicted holds None in row 1 \(counted from 0\)"),
        ([None, "a"], ["a", "a"], "target holds None in row 0"),
        ([1.0, np.nan], [1.0, 1.0], "target holds .*nan.* in row 1"),
        (np.array(["a", np.nan], object), ["a", "b"], "target holds nan in row 1"),
        (pd.array([1, None], dtype="Int64"), [1, 2], "target holds .* in row 1"),
        (np.array(["2024-01-01", "NaT"], "M8[D]"), [1, 2], "target holds .* in row 1"),
        (np.ma.masked_array([1, 2], [False, True]), [1, 2], "masked"),
        ([1, [2, 3]], [1, 2], "rows of different lengths"),
        ([1j, 2j], [1j, 1j], "classes are told apart by their order, and these have none"),
        ([["0", "1"]], [["0", "1"]], r"labels, 0 or 1|must both have shape \(n,\)"),
    ],
)
def test_cells_of_different_kinds_and_missing_ones_are_refused(score, target, predicted, message):
    with pytest.raises(ValueError, match=message):
        score(target, predicted)


def test_whole_numbers_beside_floats_are_compared_exactly():
    whole, floats = [BIG, BIG + 1], [float(BIG)] * 2
    for target in (whole, np.array(whole), np.array(whole, np.uint64), [float(BIG), BIG + 1]):
        assert metrics.accuracy(target, floats) == 0.5
        assert metrics.confusion_matrix(target, floats).tolist() == [[1, 0], [1, 0]]
    assert metrics.accuracy(np.array([2**63, 1], np.uint64), np.array([2**63 - 1, 1])) == 0.5
    assert metrics.f1(whole, whole, classes=floats[:1] + whole[1:]) == 1.0
    assert metrics.accuracy([2**70, 2**70 + 1], [2**70, 2**70]) == 0.5


def test_one_kind_in_other_types_is_the_same():
    assert metrics.accuracy([True, False], [1, 0]) == 1.0
    assert metrics.accuracy(np.array([1, 2], np.int8), [1.0, 2.5]) == 0.5
    assert metrics.accuracy(pd.Series(["a", "b"]), np.array(["a", "long"])) == 0.5
    assert metrics.accuracy(pd.Categorical(["a", "b"]), ["a", "b"]) == 1.0
    days = [date(2024, 1, 1), date(2024, 1, 2)]
    assert metrics.accuracy(days, days[::-1]) == 0.0


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], r"classes must name one class or more in a sequence, got \[\]"),
        ("01", "classes must name one class or more in a sequence"),
        ([0, 1, 1], r"classes holds 1 more than once"),
        ([0, 1.0, 1], r"classes holds 1.* more than once"),
        (["0", "1"], "target holds numbers, but classes text"),
        ([0, None], "classes holds None"),
        ([0, 2], "1 is none of the classes"),
    ],
)
def test_classes_that_name_none_or_one_twice_are_refused(classes, message):
    for score in (metrics.f1, metrics.confusion_matrix):
        with pytest.raises(ValueError, match=message):
            score([0, 1, 1], [0, 1, 0], classes=classes)
    for score in (metrics.roc_auc, metrics.log_loss):
        with pytest.raises(ValueError, match=message):
            score([0, 1, 1], [0.2, 0.4, 0.5], classes=classes)
