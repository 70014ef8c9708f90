"""Random splits: disjoint, complete, of the size asked for, fair to every class."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fuseprop import Network, mlp
from fuseprop.training.rows import check_rows, split_rows


@given(rows=st.integers(2, 200), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 99))
@settings(derandomize=True, deadline=None)
def test_a_split_is_a_partition(rows, fraction, seed):
    rng = np.random.default_rng(seed)
    if round(fraction * rows) in (0, rows):
        with pytest.raises(ValueError, match="too few"):
            split_rows(rng, rows, fraction)
        return
    kept, held_out = split_rows(rng, rows, fraction)
    np.testing.assert_array_equal(np.sort([*kept, *held_out]), np.arange(rows))
    assert len(held_out) == round(fraction * rows)


@given(
    counts=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 99),
)
@settings(derandomize=True, deadline=None)
def test_classes_keep_their_shares_and_at_least_one_row(counts, fraction, seed):
    classes = np.repeat(np.arange(len(counts)), counts)
    rng = np.random.default_rng(seed)
    rng.shuffle(classes)
    assume(round(fraction * len(classes)) in range(1, len(classes)) and max(counts) > 1)
    kept, held_out = split_rows(rng, len(classes), fraction, classes)
    np.testing.assert_array_equal(np.sort([*kept, *held_out]), np.arange(len(classes)))
    for c, count in enumerate(counts):
        held = (classes[held_out] == c).sum()
        assert (classes[kept] == c).any()
        share = count * round(fraction * len(classes)) / len(classes)
        assert held == count - 1 or share - 1 < held < share + 1


def test_splits_are_random_and_reproducible():
    first, again, other = (split_rows(np.random.default_rng(s), 100, 0.3)[1] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert len(set(first) & set(other)) < 30


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2, float("nan")])
def test_shares_outside_are_refused(fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_rows(np.random.default_rng(0), 10, fraction)


def test_one_row_is_no_rows():
    with pytest.raises(ValueError, match=r"1 row is too few to hold out a share of .* 0 of them"):
        split_rows(np.random.default_rng(0), 1, 0.5)


def test_too_few_rows_of_every_class():
    with pytest.raises(ValueError, match="4 rows in 4 classes are too few"):
        split_rows(np.random.default_rng(0), 4, 0.5, np.arange(4))


def test_rows_of_two_classes_are_split_by_class_and_values_are_not():
    target = np.arange(40) < 4
    for loss, by_class in (("sigmoid_cross_entropy", True), ("half_squared_error", False)):
        stack = Network(mlp([1, 1]), loss, device="cpu").stack
        rows = check_rows(stack, np.zeros((40, 1)), target)
        counts = set()
        for seed in range(8):
            kept, held_out = rows.split(np.random.default_rng(seed), 0.5, stack.loss)
            counts.add((int(kept.targets.values.sum()), int(held_out.targets.values.sum())))
        assert (counts == {(2, 2)}) == by_class
