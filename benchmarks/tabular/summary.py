"""What a search found: by table each candidate's mean score, and over tables its regret, rank and time.

``python -m benchmarks.tabular.summary FILE ...`` prints it. Regret is the share of what the best candidate
gains over a constant on a table that another one loses: 0 for the best, 1 for no more than the constant, and
for an error. Only folds that all candidates have are counted, and only tables with such folds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean

import click

from ..tables import number, table
from .datasets import TABLES
from .learners import CONSTANT, LEARNERS
from .paired import ByFold, by_fold, seconds
from .record import RecordError, Row, read

LEAST_GAIN = 0.02
"""Where the best candidate gains less over the constant, regret is the loss as a share of this."""

FAILED = "failed"


@dataclass(frozen=True)
class Found:
    """A candidate on a table: its mean score, None where it failed; regret, rank from 1, seconds a fit."""

    score: float | None
    regret: float
    rank: float
    seconds: float | None


@dataclass(frozen=True)
class Table:
    """A table of a search: its name and rows, over how many folds, and what was found of each candidate."""

    name: str
    rows: int
    folds: int
    found: dict[str, Found]


GROUPS: dict[str, Callable[[Table], bool]] = {
    "all": lambda _: True,
    "classes": lambda each: TABLES[each.name].of_classes,
    "numbers": lambda each: not TABLES[each.name].of_classes,
    "< 1,000 rows": lambda each: each.rows < 1000,
    "to 5,000": lambda each: 1000 <= each.rows <= 5000,
    "> 5,000": lambda each: each.rows > 5000,
}


def tables_of(rows: list[Row]) -> list[Table]:
    """Return what a search found, table by table, in the order in which they were begun."""
    learned = by_fold([row for row in rows if row["learner"] == CONSTANT or row["learner"] not in LEARNERS])
    names = list(dict.fromkeys(name for each in learned.values() for name in each if name != CONSTANT))
    tables = []
    for table_name, learners in learned.items():
        if CONSTANT not in learners or any(name not in learners for name in names):
            continue
        shared = set.intersection(*(set(each) for each in learners.values()))
        if shared:
            some = next(iter(learners[CONSTANT].values()))
            tables.append(Table(table_name, some["rows"], len(shared), _found(learners, shared)))
    return tables


def _found(learners: dict[str, ByFold], folds: set[tuple[int, int]]) -> dict[str, Found]:
    means: dict[str, float | None] = {}
    times: dict[str, float | None] = {}
    for name, rows in learners.items():
        chosen = [rows[fold] for fold in folds]
        whole = all("score" in row for row in chosen)
        means[name] = fmean(row["score"] for row in chosen) if whole else None
        times[name] = fmean(map(seconds, chosen)) if whole else None
    constant = means.pop(CONSTANT)
    assert constant is not None
    reached = [mean for mean in means.values() if mean is not None]
    best = max(reached, default=constant)
    gain = max(best - constant, LEAST_GAIN)
    found = {}
    for name, mean in means.items():
        if mean is None:
            found[name] = Found(None, 1.0, float(len(means)), None)
            continue
        better = sum(other > mean for other in reached)
        equal = sum(other == mean for other in reached)
        regret = min(1.0, (best - mean) / gain)
        found[name] = Found(mean, regret, better + (equal + 1) / 2, times[name])
    return found


def summary(rows: list[Row]) -> str:
    """Return Markdown: candidates over all tables, the best first, and every table."""
    tables = tables_of(rows)
    if not tables:
        return "No table has folds that all candidates were tried on."
    names = sorted(tables[0].found, key=lambda name: fmean(each.found[name].regret for each in tables))
    letters = {name: str(i) for i, name in enumerate(names, 1)}
    return f"{_over_tables(tables, letters)}\n\n{_by_table(tables, letters)}"


def _over_tables(tables: list[Table], letters: dict[str, str]) -> str:
    first = next((name for name in letters if name == "{}"), next(iter(letters)))
    groups = {title: [each for each in tables if belongs(each)] for title, belongs in GROUPS.items()}
    groups = {title: members for title, members in groups.items() if members}
    header = ["", "settings", *(f"{title} ({len(members)})" for title, members in groups.items())]
    lines = []
    for name, letter in letters.items():
        regrets = [
            f"{100 * fmean(each.found[name].regret for each in members):.1f}" for members in groups.values()
        ]
        worst = max(tables, key=lambda each: each.found[name].regret)
        rank = fmean(each.found[name].rank for each in tables)
        lines.append(
            [
                letter,
                f"`{name}`",
                *regrets,
                f"{100 * worst.found[name].regret:.1f} ({worst.name})",
                f"{rank:.1f}",
                _times(tables, name, first),
            ]
        )
    told = (
        f"Mean regret in percent, by groups of tables (how many); `{{}}` are the defaults. Time: over "
        f"`{first}`, geometric mean."
    )
    return f"{told}\n\n{table([*header, 'worst', 'mean rank', 'time'], lines)}"


def _times(tables: list[Table], name: str, first: str) -> str:
    """Return a candidate's time over another's, the geometric mean over tables on which neither failed."""
    pairs = [(each.found[name].seconds, each.found[first].seconds) for each in tables]
    logs = [log(mine / other) for mine, other in pairs if mine and other]
    return number(exp(fmean(logs))) if logs else "-"


def _by_table(tables: list[Table], letters: dict[str, str]) -> str:
    lines = [
        [
            f"{each.name}, {TABLES[each.name].score}",
            f"{each.rows:,}",
            f"{each.folds}",
            *(_cell(each.found[name]) for name in letters),
        ]
        for each in tables
    ]
    told = "Mean scores, in bold the best, by the numbers of the table above."
    return f"{told}\n\n{table(['table', 'rows', 'folds', *letters.values()], lines)}"


def _cell(found: Found) -> str:
    if found.score is None:
        return FAILED
    return f"**{found.score:.4f}**" if found.regret == 0 else f"{found.score:.4f}"


@click.command(help=__doc__)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(files: tuple[Path, ...]) -> None:
    """Parse the command line."""
    try:
        rows = [row for path in files for row in read(path).rows]
    except RecordError as error:
        raise click.ClickException(str(error)) from error
    click.echo(summary(rows))


if __name__ == "__main__":
    main()
