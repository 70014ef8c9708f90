"""Compare the estimators' time with that of scikit-learn's, with the same parameters and the same numbers.

``python -m fuseprop.benchmarks.estimators`` prints a table: milliseconds of a `fit`, of a prediction
of one row, and of one of 1,000,000 rows, and ours / theirs with its interval, each ratio taken within a
round. Fits begin with the same `random_state` and end after as many epochs with the same weights; predictions
are by the same weights. A row counts only if both get the same numbers.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
import numpy as np

from .intervals import Interval, interval
from .machine import describe

CLOSE = {"float64": 1e-8, "float32": 1e-2}
"""What share of the largest number two of the same may differ by, or what share of the decisions.

Adam divides small gradients by their own size: in float32 what rounding leaves of them becomes whole steps.
"""

FIT_LIMIT = {"float32": 0.2, "float64": 0.3}
ONE_ROW_LIMIT, MANY_ROWS_LIMIT = 0.8, 0.7
"""What share of scikit-learn's time shall be taken at most."""

MANY_ROWS = 1_000_000
CALLS = 200
"""Predictions of one row that are timed together."""

QUICK_ROUNDS = 3

DTYPES = ("float64", "float32")

FITS: dict[str, dict[str, Any]] = {
    "adam": {"solver": "adam"},
    "sgd": {"solver": "sgd"},
    "adam, early stopping": {"solver": "adam", "early_stopping": True},
}
"""Parameters of the fits, by what the table calls them."""


@dataclass(frozen=True)
class Table:
    """A table, the estimator for it, and how long it is fitted."""

    name: str
    estimator: str
    load: Callable[[], tuple[Any, Any]]
    epochs: int

    def rows(self, dtype: str) -> tuple[Any, Any]:
        """Return standardized rows and targets."""
        X, y = self.load()
        scale = X.std(axis=0)
        return ((X - X.mean(axis=0)) / np.where(scale == 0, 1, scale)).astype(dtype), y


def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X, y


def _breast_cancer() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return X, y


def _large() -> tuple[Any, Any]:
    from sklearn.datasets import make_classification

    X, y = make_classification(100_000, 20, n_informative=10, random_state=0)
    return X, y


def _large_numbers() -> tuple[Any, Any]:
    from sklearn.datasets import make_regression

    X, y = make_regression(100_000, 20, random_state=0)
    return X, y / y.std()


TABLES = {
    table.name: table
    for table in (
        Table("digits", "MLPClassifier", _digits, 30),
        Table("breast_cancer", "MLPClassifier", _breast_cancer, 60),
        Table("100,000 x 20", "MLPClassifier", _large, 2),
        Table("100,000 x 20, regression", "MLPRegressor", _large_numbers, 2),
    )
}


Compared = tuple[Callable[[], Any], Callable[[], Any], Callable[[Any, Any], float]]


@dataclass(frozen=True)
class Case:
    """What both do, and how their numbers compare.

    Attributes
    ----------
    what, table, dtype : str
    limit : float
        What share of scikit-learn's time ours shall take at most.
    calls : int
        How often it is done in a turn.
    make : callable
        Returns ours and theirs, functions without arguments, and what compares their results: it returns the
        largest difference, as `CLOSE` counts it.
    """

    what: str
    table: str
    dtype: str
    limit: float
    calls: int
    make: Callable[[], Compared]


def pair(table: Table, dtype: str, fit: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return our fit and scikit-learn's, of the same rows with the same parameters, one of `FITS`."""
    import sklearn.neural_network

    import fuseprop

    X, y = table.rows(dtype)
    options = FITS[fit] | {
        "max_iter": table.epochs,
        "n_iter_no_change": table.epochs,
        "random_state": 0,
    }

    def run(module: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(module, table.estimator)(**options).fit(X, y)

    return lambda: run(fuseprop), lambda: run(sklearn.neural_network)


def fits(table: Table, dtype: str) -> Iterator[Case]:
    """Yield the fits of a table."""
    for name in FITS:
        yield Case(
            f"fit, {name}",
            table.name,
            dtype,
            FIT_LIMIT[dtype],
            1,
            partial(_fits_to_compare, table, dtype, name),
        )


def _fits_to_compare(table: Table, dtype: str, fit: str) -> Compared:
    return *pair(table, dtype, fit), _of_weights


def predictions(table: Table, dtype: str, rows: int) -> Iterator[Case]:
    """Yield the predictions of so many rows of a table, its own over and over, by the same weights."""
    methods = {"MLPClassifier": ("predict_proba", "predict"), "MLPRegressor": ("predict",)}
    for method in methods[table.estimator]:

        def make(method: str = method) -> Any:
            import fuseprop

            X, _ = table.rows(dtype)
            ours = pair(table, dtype, "adam")[0]()
            theirs = fuseprop.to_sklearn(ours)
            given = X[np.arange(rows) % len(X)]
            mine, other = getattr(ours, method), getattr(theirs, method)
            decides = method == "predict" and table.estimator == "MLPClassifier"
            return lambda: mine(given), lambda: other(given), _of_decisions if decides else _of_numbers

        one = rows == 1
        yield Case(
            f"{method}, {rows:,} row{'' if one else 's'}",
            table.name,
            dtype,
            ONE_ROW_LIMIT if one else MANY_ROWS_LIMIT,
            CALLS if one else 1,
            make,
        )


def cases(tables: list[Table]) -> dict[str, list[Case]]:
    """Return what is measured, by its kind."""
    both = [(table, dtype) for table in tables for dtype in DTYPES]
    large = [(table, dtype) for table, dtype in both if table.name.startswith("100,000")]
    return {
        "fit": [case for table, dtype in both for case in fits(table, dtype)],
        "one-row": [case for table, dtype in both for case in predictions(table, dtype, 1)],
        "many-rows": [case for table, dtype in large for case in predictions(table, dtype, MANY_ROWS)],
    }


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Let both take turns, the order reversed every round; return seconds, and how their numbers differ."""
    ours, theirs, compare = case.make()
    mine, other = ours(), theirs()
    difference = compare(mine, other)
    epochs = [getattr(each, "n_iter_", None) for each in (mine, other)]
    del mine, other
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(rounds):
        order = (("ours", ours), ("theirs", theirs))
        for name, call in order[:: -1 if turn % 2 else 1]:
            start = time.perf_counter()
            for _ in range(case.calls):
                call()
            times[name].append((time.perf_counter() - start) / case.calls)
    return {
        "what": case.what,
        "table": case.table,
        "dtype": case.dtype,
        "limit": case.limit,
        "difference": difference,
        "epochs": epochs,
        "agree": epochs[0] == epochs[1] and difference <= CLOSE[case.dtype],
        **times,
    }


def _of_weights(ours: Any, theirs: Any) -> float:
    pairs = zip([*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True)
    return max(_of_numbers(mine, other) for mine, other in pairs)


def _of_numbers(ours: Any, theirs: Any) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _of_decisions(ours: Any, theirs: Any) -> float:
    return float(np.mean(ours != theirs))


def share(row: dict[str, Any]) -> Interval:
    """Return our time over theirs, round by round."""
    return interval([ours / theirs for ours, theirs in zip(row["ours"], row["theirs"], strict=True)])


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a Markdown table; what is above its limit stands in bold."""
    yield (
        "| what | table | dtype | fuseprop, ms | scikit-learn, ms | ours / theirs | 99% | at most | epochs | "
        "difference |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        ratio, ours, theirs = share(row), interval(row["ours"]).middle, interval(row["theirs"]).middle
        mark = "**" if ratio.middle > row["limit"] else ""
        verdict = f"{mark}{ratio.middle:.2f}{mark}" if row["agree"] else "the numbers differ"
        mine, other = row["epochs"]
        epochs = "" if mine is None else f"{mine}" if mine == other else f"{mine} and {other}"
        yield (
            f"| {row['what']} | {row['table']} | {row['dtype']} | {1e3 * ours:.3g} | {1e3 * theirs:.3g} | "
            f"{verdict} | {ratio.low:.2f} to {ratio.high:.2f} | {row['limit']:g} | {epochs} | "
            f"{row['difference']:.0e} |"
        )


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=11, show_default=True, help="Turns that both take.")
@click.option("--table", "names", multiple=True, type=click.Choice(list(TABLES)), help="Only these.")
@click.option("--only", "kinds", multiple=True, type=click.Choice(list(cases([]))), help="Only these.")
@click.option("--quick", is_flag=True, help=f"{QUICK_ROUNDS} rounds: a trial, not a result.")
@click.option("--json", "as_json", is_flag=True, help="Raw seconds of each round, and the machine.")
def main(rounds: int, names: tuple[str, ...], kinds: tuple[str, ...], quick: bool, as_json: bool) -> None:
    """Parse the command line."""
    of_kind = cases([TABLES[name] for name in names or TABLES])
    rows = [
        measure(case, QUICK_ROUNDS if quick else rounds)
        for kind in kinds or of_kind
        for case in of_kind[kind]
    ]
    click.echo(json.dumps({"machine": describe(), "rows": rows}) if as_json else "\n".join(lines(rows)))


if __name__ == "__main__":
    main()
