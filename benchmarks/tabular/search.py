"""Try settings of fuseprop on the tables that defaults are chosen by.

``python -m benchmarks.tabular.search --candidate '{"hidden": [128]}' --candidate '{"batch_size": 64}'``, or
``--candidates FILE`` with a JSON list of such objects, fits each of them, and today's defaults as ``{}``, on
the same folds, and adds a line a fit to results/tables/: interrupted, or with further candidates, the same
command goes on. It ends with the summary, as ``python -m benchmarks.tabular.summary FILE`` prints it.

For two searches beside each other give both one thread (OMP_NUM_THREADS=1 FUSEPROP_NUM_THREADS=1), and half
of the tables each (--table); both may add to one file. Their times are no result.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .datasets import DEVELOPMENT, NotInstalled
from .learners import CONSTANT, LEARNERS, fuseprop
from .measuring import measure
from .record import RecordError, about, begin, default_path
from .summary import summary

SPLITS, REPEATS = 5, 1

TABLES = {data.name: data for data in DEVELOPMENT}


def named(settings: dict[str, Any]) -> str:
    """Return the name of a candidate in a record: its settings as JSON, in the order of their names."""
    return json.dumps(settings, sort_keys=True)


def candidates_in(texts: tuple[str, ...], path: Path | None) -> list[dict[str, Any]]:
    """Return today's defaults and the candidates of a command line, each once; raises click.BadParameter."""
    found: list[Any] = [{}]
    try:
        found += [json.loads(text) for text in texts]
        if path is not None:
            found += json.loads(path.read_text())
    except ValueError as error:
        raise click.BadParameter(f"candidates are JSON objects of settings: {error}") from None
    if not all(isinstance(each, dict) for each in found):
        raise click.BadParameter('candidates are JSON objects of settings, such as {"hidden": [128]}.')
    return list({named(each): each for each in found}.values())


@click.command(help=__doc__)
@click.option("--candidate", "texts", multiple=True, metavar="JSON", help="Settings by name, as an object.")
@click.option("--candidates", "path_of", type=click.Path(exists=True, path_type=Path), help="A list of them.")
@click.option("--table", "names", multiple=True, type=click.Choice(list(TABLES)), help="Only these.")
@click.option("--most-rows", type=click.IntRange(1), help="Only tables with at most so many.")
@click.option("--beside", multiple=True, type=click.Choice(list(LEARNERS)), help="Whom to measure too.")
@click.option("--splits", type=click.IntRange(2), default=SPLITS, show_default=True, help="Folds.")
@click.option("--repeats", type=click.IntRange(1), default=REPEATS, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the folds.")
@click.option("--minutes", type=click.FloatRange(0), help="Begin no fit after so many.")
@click.option("--record", "path", type=click.Path(path_type=Path), help="Where to go on, or to begin.")
def main(
    texts: tuple[str, ...],
    path_of: Path | None,
    names: tuple[str, ...],
    most_rows: int | None,
    beside: tuple[str, ...],
    splits: int,
    repeats: int,
    seed: int,
    minutes: float | None,
    path: Path | None,
) -> None:
    """Parse the command line."""
    first = about("search", splits, seed)
    candidates = {named(settings): fuseprop(**settings) for settings in candidates_in(texts, path_of)}
    try:
        tables = [TABLES[name] for name in names or TABLES]
        if most_rows is not None:
            tables = [data for data in tables if len(data.load()) <= most_rows]
        record = begin(path or default_path("search", first, trial=False), first)
        measure(
            tables,
            {**candidates, **{name: LEARNERS[name] for name in (CONSTANT, *beside)}},
            record,
            splits=splits,
            repeats=repeats,
            seed=seed,
            minutes=minutes,
            say=click.echo,
        )
    except (NotInstalled, RecordError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"\n{summary(record.rows)}\n\n{record.path}")


if __name__ == "__main__":
    main()
