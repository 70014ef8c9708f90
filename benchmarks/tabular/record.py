"""The raw figures of a run: a file that grows by a line a fit, so that what is interrupted keeps what it has.

The first line says what the figures depend on; each other line is a fit, and its prediction, on one fold.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fuseprop.benchmarks.machine import describe, slug, today

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"

FORMAT = 1

PACKAGES = ("fuseprop", "scikit-learn", "numpy", "pandas")

CODE = ("src", "backends", "benchmarks/tabular")
"""What the figures depend on, as far as it is in this repository."""

SAME = ("format", "what", "code", "changed", "splits", "seed", "versions")
"""What must be the same for a run to go on with a record."""

Row = dict[str, Any]


class RecordError(ValueError):
    """A record that does not fit what is measured."""


@dataclass
class Record:
    """A file of results.

    Attributes
    ----------
    path : Path
    about : dict
        The first line: what was measured, where, when, of which commit.
    rows : list of dict
        The other lines: "table", "repeat", "fold", "learner"; "rows" and "features" of the table; "score",
        "fit" and "predict" (seconds), or "error"; "load", the machine's load average before.
    """

    path: Path
    about: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    def done(self) -> set[tuple[Any, ...]]:
        """Return what is measured, as `key` names it."""
        return {key(row) for row in self.rows}

    def append(self, row: Row) -> None:
        """Add a line to the file, whole or not at all as far as others see it."""
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def key(row: Row) -> tuple[Any, ...]:
    """Return what tells a row from others: the fold, and who learned on it."""
    return row["table"], row["repeat"], row["fold"], row["learner"]


def read(path: Path) -> Record:
    """Return the record in a file; a last line that was interrupted is left out. Raises RecordError."""
    lines = path.read_text().splitlines(keepends=True)
    whole = [json.loads(line) for line in lines if line.endswith("\n")]
    if not whole or whole[0].get("format") != FORMAT:
        raise RecordError(f"{path} is no record of format {FORMAT}: measure to another file.")
    return Record(path, whole[0], whole[1:])


def begin(path: Path, about: dict[str, Any]) -> Record:
    """Return the record in a file, new or to go on with. Raises RecordError for one of something else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(json.dumps(about) + "\n")
        return Record(path, about)
    except FileExistsError:
        kept = read(path)
    for name in SAME:
        if kept.about[name] != about[name]:
            raise RecordError(
                f"{path} has {name} {kept.about[name]!r:.200}, and now it is {about[name]!r:.200}: go on as "
                f"it was begun, or measure to another file (--record)."
            )
    text = path.read_text()
    if not text.endswith("\n"):  # interrupted while a line was written
        path.write_text(text[: text.rfind("\n") + 1])
    return kept


def about(what: str, splits: int, seed: int) -> dict[str, Any]:
    """Return the first line of a record, such as of "compare" or "search"."""
    return {
        "format": FORMAT,
        "what": what,
        "date": today(),
        "commit": _git("rev-parse", "HEAD").strip(),
        "code": _git("rev-parse", *(f"HEAD:{folder}" for folder in CODE[:2])).split(),
        "changed": sorted(line[3:] for line in _git("status", "--porcelain", "--", *CODE).splitlines()),
        "splits": splits,
        "seed": seed,
        "versions": {package: version(package) for package in PACKAGES},
        "machine": describe(),
    }


def default_path(what: str, first: dict[str, Any], trial: bool) -> Path:
    """Return the file of a run of today on this machine: under results/tables/, or results/trials/."""
    folder = RESULTS / ("trials" if trial else "tables")
    return folder / f"{what}-{slug(first['machine'])}-{first['date']}.jsonl"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
