"""What the pages take for granted: the files that a reader has, and the names that a program has before.

`GIVEN` makes the files of a section in a folder; `PRELUDES` holds the lines of Python before its first block.
"""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from page_blocks import ROOT

ROWS = 80


def written(path: Path, columns: dict[str, list[object]]) -> None:
    """Write columns as a CSV file."""
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join([*rows, ""]))


def houses(folder: Path) -> None:
    """Houses with prices, some to learn from and some that were sold later; and new ones without."""
    for number, name in enumerate(("houses", "sold", "new")):
        rng = np.random.default_rng(number)
        area, rooms = rng.integers(40, 200, ROWS), rng.integers(1, 7, ROWS)
        city = rng.choice(["Ulm", "Bonn", "Jena"], ROWS)
        price = 3000 * area + 10_000 * rooms + 50_000 * (city == "Bonn") + rng.normal(0, 9000, ROWS).round()
        columns = {"area": [*area], "rooms": [*rooms], "city": [*city], "price": [*price]}
        if name == "new":
            del columns["price"]
        written(folder / f"{name}.csv", columns)


def shop(folder: Path) -> None:
    """Visits to a shop in which somebody bought or did not, two months with more columns, and new visits."""
    for number, name in enumerate(("shop", "jan", "feb", "new")):
        rng = np.random.default_rng(number)
        income, member = rng.normal(3000, 800, ROWS).round(2), rng.choice([True, False], ROWS)
        bought = np.where(income + 900 * member + rng.normal(0, 300, ROWS) > 3300, "yes", "no")
        income = [value if row % 9 else "" for row, value in enumerate(income)]
        columns = {
            "city": [*rng.choice(["Ulm", "Bonn", "Jena"], ROWS)],
            "member": [*member],
            "income": income,
        }
        if name != "new":
            columns["notes"] = [f"visit {number}-{row}" for row in range(ROWS)]
            columns["bought"] = [*bought]
        if name in ("jan", "feb"):
            days, months = rng.permutation(ROWS) % 28 + 1, rng.integers(1, 13, ROWS)
            columns["region"] = [*rng.integers(1, 5, ROWS)]
            columns["when"] = [f"{day:02d}/{month:02d}/2026" for day, month in zip(days, months, strict=True)]
        written(folder / f"{name}.csv", columns)
    with gzip.open(folder / "new.csv.gz", "wb") as packed:
        packed.write((folder / "new.csv").read_bytes())


def houses_and_shop(folder: Path) -> None:
    """Both, with new houses."""
    shop(folder)
    houses(folder)


def patients(folder: Path) -> None:
    """Patients to learn from, and others."""
    for number, name in enumerate(("patients", "others")):
        rng = np.random.default_rng(number)
        bmi, pressure, age = rng.normal(26, 4, ROWS), rng.normal(95, 14, ROWS), rng.integers(20, 80, ROWS)
        progression = 8 * bmi + 0.6 * pressure + rng.normal(0, 20, ROWS)
        written(
            folder / f"{name}.csv",
            {
                "bmi": [*bmi.round(1)],
                "pressure": [*pressure.round(1)],
                "age": [*age],
                "progression": [*progression.round(1)],
            },
        )


def docker(folder: Path) -> None:
    """Copy the folder of the containers' files."""
    shutil.copytree(ROOT / "docker", folder / "docker")


GIVEN: dict[tuple[str, str], Callable[[Path], None]] = {
    ("README.md", "The command"): houses_and_shop,
    ("README.md", "Your own table"): shop,
    ("README.md", "Folds and tuning"): shop,
    ("README.md", "A run in a folder"): shop,
    ("README.md", "To go on after a kill"): shop,
    ("README.md", "In several processes, on one machine or many"): shop,
    ("README.md", "Which columns a model relies on"): patients,
    ("README.md", "On a GPU"): docker,
}

ROWS_OF_A_TABLE = """\
import numpy as np
import fuseprop
from fuseprop import *

X = np.random.default_rng(0).normal(size=(200, 4))
y = (X[:, :1] > X[:, 1:2]).astype(float)
network = Network(mlp([4, 16, 1]), loss="sigmoid_cross_entropy", seed=0)
"""

PRELUDES = {
    ("README.md", "To go on after a kill"): ROWS_OF_A_TABLE,
    ("README.md", "Folds and tuning"): "import fuseprop\n",
    ("README.md", "Which columns a model relies on"): (
        'import fuseprop\nimport pandas as pd\n\nmodel = fuseprop.load("patients.safetensors")\n'
        'test_frame = pd.read_csv("others.csv")\n'
    ),
}
