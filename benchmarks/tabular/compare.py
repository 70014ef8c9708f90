"""Compare fuseprop's defaults with scikit-learn's on the tables that no default is chosen by.

``python -m benchmarks.tabular.compare`` fits everybody on the same folds of repeated cross-validation, and
adds a line a fit to results/tables/: interrupted, the same command goes on. ``python -m
benchmarks.tabular.report`` makes the page's tables of it. After a change of fuseprop alone ``--others-from``
keeps what was measured of the others.

Leave the machine alone meanwhile: boosting's threads spin while they wait for each other, and where another
job has a core a fit takes ten to a hundred times as long. OMP_WAIT_POLICY=PASSIVE makes that bearable.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .datasets import INSTALL, TABLES, TEST, NotInstalled
from .learners import FUSEPROP, LEARNERS
from .measuring import measure
from .record import Record, RecordError, about, begin, default_path, key, read

SPLITS, REPEATS = 5, 5


@click.command(help=__doc__)
@click.option("--table", "names", multiple=True, type=click.Choice(list(TABLES)), help="Only these.")
@click.option("--learner", "who", multiple=True, type=click.Choice(list(LEARNERS)), help="Only these.")
@click.option(
    "--splits", type=click.IntRange(2), default=SPLITS, show_default=True, help="Folds of a repeat."
)
@click.option("--repeats", type=click.IntRange(1), default=REPEATS, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the folds.")
@click.option("--minutes", type=click.FloatRange(0), help="Begin no fit after so many.")
@click.option("--quick", is_flag=True, help="One repeat, to results/trials/: a trial, not a result.")
@click.option("--record", "path", type=click.Path(path_type=Path), help="Where to go on, or to begin.")
@click.option(
    "--others-from", type=click.Path(exists=True, path_type=Path), help="A record of the same folds."
)
def main(
    names: tuple[str, ...],
    who: tuple[str, ...],
    splits: int,
    repeats: int,
    seed: int,
    minutes: float | None,
    quick: bool,
    path: Path | None,
    others_from: Path | None,
) -> None:
    """Parse the command line; exit with 1 where something is left to measure."""
    first = about("compare", splits, seed)
    try:
        record = begin(path or default_path("compare", first, quick), first)
        if others_from is not None:
            take_others(record, read(others_from))
        complete = measure(
            [TABLES[name] for name in names] or TEST,
            {name: LEARNERS[name] for name in who or LEARNERS},
            record,
            splits=splits,
            repeats=1 if quick else repeats,
            seed=seed,
            minutes=minutes,
            say=click.echo,
        )
    except (NotInstalled, RecordError) as error:
        raise click.ClickException(str(error)) from error
    except ModuleNotFoundError as error:
        raise click.ClickException(f'{error}. Type: pip install -e ".[test]" and {INSTALL}') from error
    click.echo(f"{'Complete' if complete else 'Incomplete'}: {record.path}")
    sys.exit(not complete)


def take_others(record: Record, other: Record) -> None:
    """Add the rows of everybody but fuseprop that a record lacks and another has; raise RecordError.

    They must be of the same machine, folds and scikit-learn, for their seconds and scores stand beside ours.
    Each says "of" which commit it is, with the settings of its threads.
    """
    for name in ("splits", "seed"):
        if record.about[name] != other.about[name]:
            raise RecordError(f"{other.path} has other folds: {name} {other.about[name]}.")
    for name, mine, theirs in (
        ("machine", record.about["machine"]["cpu"], other.about["machine"]["cpu"]),
        ("scikit-learn", *(each.about["versions"]["scikit-learn"] for each in (record, other))),
    ):
        if mine != theirs:
            raise RecordError(f"{other.path} is of {name} {theirs}, and here it is {mine}: measure all.")
    done = record.done()
    settings = (f"{name}={value}" for name, value in other.about["machine"]["settings"].items())
    source = ", ".join([other.about["commit"][:10], *settings])
    for row in other.rows:
        if row["learner"] != FUSEPROP and key(row) not in done:
            record.append({"of": source, **row})


if __name__ == "__main__":
    main()
