"""Compare the estimators' time per `fit` with that of scikit-learn's, with the same parameters.

``python -m benchmarks.estimators`` prints a table: seconds per fit, and ours / theirs with its interval, each
ratio taken within a round. Both fit the same rows from the same `random_state`; a row counts only if they end
with the same weights.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from .intervals import Interval, interval
from .machine import describe

LIMIT = 0.7
"""What share of scikit-learn's time a fit shall take at most."""


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

    return load_digits(return_X_y=True)


def _breast_cancer() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def _large() -> tuple[Any, Any]:
    from sklearn.datasets import make_classification

    return make_classification(100_000, 20, n_informative=10, random_state=0)


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


def pair(table: Table, dtype: str, solver: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return our fit and scikit-learn's, of the same rows with the same parameters."""
    import sklearn.neural_network

    import fuseprop

    X, y = table.rows(dtype)
    options = {
        "solver": solver,
        "max_iter": table.epochs,
        "n_iter_no_change": table.epochs,
        "random_state": 0,
    }

    def fit(module: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(module, table.estimator)(**options).fit(X, y)

    return lambda: fit(fuseprop), lambda: fit(sklearn.neural_network)


def measure(table: Table, dtype: str, solver: str, rounds: int) -> dict[str, Any]:
    """Fit in turns, the order reversed every round; return seconds and whether the weights agree."""
    ours, theirs = pair(table, dtype, solver)
    mine, other = ours(), theirs()
    close = 1e-8 if dtype == "float64" else 1e-2
    agree = mine.n_iter_ == other.n_iter_ and all(
        np.abs(a - b).max() <= close * np.abs(b).max() for a, b in zip(mine.coefs_, other.coefs_, strict=True)
    )
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(rounds):
        order = (("ours", ours), ("theirs", theirs))
        for name, fit in order[:: -1 if turn % 2 else 1]:
            start = time.perf_counter()
            fit()
            times[name].append(time.perf_counter() - start)
    return {"table": table.name, "dtype": dtype, "solver": solver, "agree": agree, **times}


def share(row: dict[str, Any]) -> Interval:
    """Return our time over theirs, round by round."""
    return interval([ours / theirs for ours, theirs in zip(row["ours"], row["theirs"], strict=True)])


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a Markdown table."""
    yield "| table | solver | dtype | fuseprop, s | scikit-learn, s | ours / theirs | 99% |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        ratio, ours, theirs = share(row), interval(row["ours"]).middle, interval(row["theirs"]).middle
        verdict = f"{ratio.middle:.2f}" if row["agree"] else "the weights differ"
        yield (
            f"| {row['table']} | {row['solver']} | {row['dtype']} | {ours:.3f} | {theirs:.3f} | {verdict} | "
            f"{ratio.low:.2f} to {ratio.high:.2f} |"
        )


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=11, show_default=True, help="Turns that both take.")
@click.option("--table", "names", multiple=True, type=click.Choice(list(TABLES)), help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="Raw seconds of each round, and the machine.")
def main(rounds: int, names: tuple[str, ...], as_json: bool) -> None:
    """Parse the command line."""
    rows = [
        measure(TABLES[name], dtype, solver, rounds)
        for name in names or TABLES
        for solver in ("adam", "sgd")
        for dtype in ("float64", "float32")
    ]
    click.echo(json.dumps({"machine": describe(), "rows": rows}) if as_json else "\n".join(lines(rows)))


if __name__ == "__main__":
    main()
