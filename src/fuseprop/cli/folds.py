"""`fuseprop train --folds`: a cross-validation, and its results as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from ..callbacks import OnEpochEnd
from ..checks.quoting import counted
from ..data.showing import columns_of
from ..model.folds import MOST_REPEATS, CrossValidation, Folding
from .output import Run
from .training_report import plan


def numbers_of_folds(given: str | int) -> tuple[int, int]:
    """Return how many folds, and how many times: 5 is 5 folds once, 5x3 is 5 folds 3 times."""
    text = str(given)
    folds, _, repeats = text.strip().lower().partition("x")
    try:
        numbers = int(folds), int(repeats or 1)
        if numbers[0] < 2 or not 1 <= numbers[1] <= MOST_REPEATS or text.endswith("x"):
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"expected at least 2 folds, and how many times if more than once, at most {MOST_REPEATS}: 5, or "
            f"5x3; got {text!r:.60}."
        ) from None
    return numbers


def run_folds(folding: Folding, run: Run, *, quiet: bool) -> CrossValidation:
    """Train and test each fold, with a line of text for each; say that a signal ended it."""
    if not quiet:
        run.say(f"{plan(folding.first)}\n{_plan(folding)}")
    run.interruption.check()
    check_signals = OnEpochEnd(lambda _: run.interruption.check())
    made = folding.run(
        callbacks=[check_signals], told=None if quiet else lambda fold: run.say(fold.describe())
    )
    if made.interrupted:
        interruption = run.interruption
        told = "" if interruption.terminated else "; the scores are theirs"
        run.say(f"\n{interruption.name} after {len(made.each)} of {made.trainings} trainings{told}.")
        interruption.received = interruption.announced = True
        interruption.check_terminated()
    return made


def _plan(folding: Folding) -> str:
    trainings = counted(folding.folds * folding.repeats, "training")
    times = "" if folding.repeats == 1 else f", dealt {folding.repeats} times"
    about = f"{trainings}: {folding.folds} folds{times}; rows and seed above are those of the first"
    return "\n".join([f"folds     {about}", *(f"          {note}" for note in folding.notes)])


def results(made: CrossValidation) -> str:
    """Return a table of the mean of each score, its interval and the deviation between trainings."""
    lines = [f"{'':<18}{'mean':>12}{'95% interval':>26}{'deviation':>12}"]
    for name, mean in made.means.items():
        line = f"{name:<18}{mean.value:>12.4g}"
        if mean.interval is not None:
            low, high = mean.interval
            line += f"{f'{low:.4g} to {high:.4g}':>26}{mean.deviation:>12.4g}"
        lines.append(line)
    if made.incomplete:
        names = ", ".join(made.incomplete)
        lines.append(f"not defined on the test rows of every fold, and so left out: {names}")
    lines.append(
        f"test rows of {counted(len(made.each), 'training')}; the intervals are Student's t, corrected for "
        f"trainings that share rows"
    )
    return "\n".join(lines)


def folds_as_data(made: CrossValidation) -> dict[str, Any]:
    """Return means, intervals and the scores of each training as data for JSON."""
    means = made.means
    return {
        "folds": made.folds,
        "repeats": made.repeats,
        "trainings": len(made.each),
        "interrupted": made.interrupted,
        "mean": {name: mean.value for name, mean in means.items()},
        "interval": {name: mean.interval for name, mean in means.items()},
        "deviation": {name: mean.deviation for name, mean in means.items()},
        "interval_method": "95%, corrected resampled t (Nadeau & Bengio 2003)",
        "notes": made.notes,
        "each": [
            {
                "repeat": fold.repeat,
                "fold": fold.number,
                "seed": fold.seed,
                "rows": len(fold.rows),
                "epochs": fold.epochs,
                "seconds": fold.seconds,
                "scores": dict(fold.scores),
            }
            for fold in made.each
        ],
    }


def as_json(folding: Folding, made: CrossValidation) -> dict[str, Any]:
    """Return what `training_report.as_json` does, as far as there is no model, with the folds."""
    model, table = folding.first.model, folding.table
    backend = model.network.backend
    return {
        "data": table.source,
        "columns": columns_of(table),
        "notes": [*table.notes],
        "without_target": table.without_target,
        "task": model.task.name,
        "backend": backend.name,
        "device": backend.device,
        "settings": asdict(folding.first.settings),
        "folds": folds_as_data(made),
        "model": None,
    }
