"""The figures that the top README names, each of a committed record, with its machine.

What is said of speed elsewhere on that page has no number of its own, and leads here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fuseprop.benchmarks.estimators import share as time_over_theirs
from fuseprop.benchmarks.machine import said

from .rows import Network
from .tables import number, ratio_cell, table
from .tabular.learners import BOOSTING, FUSEPROP, PERCEPTRON
from .tabular.paired import by_fold, difference
from .tabular.report import newest as newest_of_tables
from .tabular.report import share_of_allowed

Row = list[str]


def figures(results: Path, records: list[dict[str, Any]]) -> str:
    """Return a table: what was measured, the figure, the machine and the date."""
    rows = [*_gpus(records), *_estimators(results / "estimators"), *_tables(results / "tables")]
    return table(["what", "measured", "where"], rows) if rows else "No figures have been recorded yet."


def _gpus(records: list[dict[str, Any]]) -> list[Row]:
    """On each GPU, the best peer's time of a step over ours."""
    rows = []
    for record in records:
        if not record["device"].startswith("cuda"):
            continue
        for raw in record["networks"]:
            network = Network(raw)
            best = network.best_peer("step")
            if best is not None:
                ratio = ratio_cell(network.against_ours(best, "step"))
                what = f"a step of {network.label} on a GPU, in {best}, the fastest other, over ours"
                rows.append([what, ratio, f"{record['machine']['gpu']['name']}, {record['date']}"])
    return rows


def _estimators(folder: Path) -> list[Row]:
    """Our estimators' time over scikit-learn's: the smallest and the largest median of a kind."""
    rows = []
    for record in _newest(folder):
        machine = record["machine"]
        threads = f", {said(machine['threads'])}" if "threads" in machine else ""
        where = f"{machine['cpu']}{threads}, {record['date']}"
        kinds = {
            "`fit` of an estimator, over scikit-learn's": lambda what: what.startswith("fit"),
            "one row predicted, over scikit-learn's": lambda what: what.endswith(", 1 row"),
            "1,000,000 rows predicted, over scikit-learn's": lambda what: what.endswith("1,000,000 rows"),
        }
        for name, belongs in kinds.items():
            counted = [row for row in record["rows"] if row["agree"] and belongs(row["what"])]
            shares = [time_over_theirs(row).middle for row in counted]
            if shares:
                rows.append([name, f"{min(shares):.2g} to {max(shares):.2g}", where])
    return rows


def _tables(folder: Path) -> list[Row]:
    """Models of tables by their defaults: on how many they are better and worse, and their time."""
    rows = []
    for record in newest_of_tables(folder, "compare"):
        learned = [each for each in by_fold(record.rows).values() if FUSEPROP in each]
        where = f"{record.about['machine']['cpu']}, {record.about['date']}"
        for other in (BOOSTING, PERCEPTRON):
            splits = record.about["splits"]
            found = [difference(each[FUSEPROP], each.get(other, {}), splits) for each in learned]
            verdicts = [each.verdict for each in found if each is not None]
            told = f"better on {verdicts.count('win')} of {len(verdicts)}, worse on {verdicts.count('loss')}"
            rows.append([f"tables learned by defaults, beside scikit-learn's {other}", told, where])
    for record in newest_of_tables(folder, "times"):
        found = [share_of_allowed(each) for each in by_fold(record.rows).values()]
        shares = [each for each in found if each is not None]
        where = f"{record.about['machine']['cpu']}, {record.about['date']}"
        what = "their time over that of boosting or of three MLPs, whichever is longer, at most"
        rows.append([what, number(max(shares)), where])
    return rows


def _newest(folder: Path) -> list[dict[str, Any]]:
    """Return the newest record of each machine in a folder, whose files end in their dates."""
    files = {path.stem[:-11]: path for path in sorted(folder.glob("*.json"))}
    return [json.loads(path.read_text()) for path in files.values()]
