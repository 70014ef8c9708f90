"""Built-in data sets: five from scikit-learn's package, and two that are generated. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..checks.choices import choose
from ..installing import how_to_install
from .errors import DataError
from .table import Table

SLOPE, INTERCEPT, NOISE = 2.0, -1.0, 0.1
"""The data set `line`: y = SLOPE x + INTERCEPT + noise of standard deviation NOISE."""


@dataclass(frozen=True)
class Dataset:
    """A built-in data set.

    Attributes
    ----------
    load : callable
        Returns the table.
    suggestions : mapping
        Training settings that suit it better than the defaults, by their names in `Settings`.
    """

    load: Callable[[], Table]
    suggestions: Mapping[str, object] = field(default_factory=dict)


def load_dataset(name: str) -> Table:
    """Return a data set by name; raise DataError for an unknown name, or without a needed scikit-learn."""
    check_name(name)
    return DATASETS[name].load()


def check_name(name: str) -> None:
    """Raise DataError, which lists the choices, if there is no data set `name`."""
    try:
        choose("data set", name, DATASETS)
    except ValueError as error:
        raise DataError(f"{error} A file needs a suffix, such as .csv, .parquet, .jsonl or .npz.") from None


def _from_sklearn(name: str) -> Callable[[], Table]:
    def load() -> Table:
        try:
            from sklearn import datasets  # an extra: `import fuseprop` needs NumPy alone
        except ImportError as error:
            raise DataError(
                f"the data set {name} comes with scikit-learn, which is not installed. "
                f"Type: {how_to_install('sklearn')}."
            ) from error
        bunch = getattr(datasets, f"load_{name}")()
        target = bunch.target
        class_names = bunch.get("target_names")
        if class_names is not None and np.asarray(class_names).dtype.kind == "U":
            target = np.asarray(class_names)[target]
        return Table.of(
            bunch.data,
            target,
            feature_names=bunch.feature_names,
            target_names=["progression" if name == "diabetes" else "class"],
            source=name,
        )

    return load


def _xor() -> Table:
    return Table.of(
        [[0, 0], [0, 1], [1, 0], [1, 1]],
        [0, 1, 1, 0],
        feature_names=["a", "b"],
        target_names=["a xor b"],
        source="xor",
    )


def _line() -> Table:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, (200, 1))
    y = SLOPE * x + INTERCEPT + rng.normal(0.0, NOISE, x.shape)
    return Table.of(x, y, feature_names=["x"], target_names=["y"], source="line")


DATASETS: dict[str, Dataset] = {
    **{
        name: Dataset(_from_sklearn(name)) for name in ("digits", "iris", "wine", "breast_cancer", "diabetes")
    },
    "xor": Dataset(_xor),
    "line": Dataset(_line, {"hidden": ()}),
}
