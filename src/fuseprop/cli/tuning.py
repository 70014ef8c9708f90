"""`fuseprop train --tune`: a search for settings, and what it found in words and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..callbacks import OnEpochEnd
from ..checks.quoting import counted, shown
from ..model.settings import Settings
from ..model.tuning import Search, Tuning
from .output import Run
from .parameters import interrupted_path, writable
from .training_report import plan


def csv_path(text: str) -> Path:
    """Return the path of a CSV file; raise before training if it could not be written after it."""
    path = Path(text)
    if path.suffix != ".csv":
        raise click.BadParameter(f"expected a name that ends in .csv, got {text!r}.")
    return writable(path)


def run_search(search: Search, run: Run, *, quiet: bool, norms: bool) -> Tuning:
    """Train all networks of a search, with a line of text for each."""
    if not quiet:
        run.say(f"{plan(search.first)}\n{_plan(search)}")
    run.interruption.check()
    check_signals = OnEpochEnd(lambda _: run.interruption.check())
    told = None if quiet else lambda trial: run.say(trial.describe())
    return search.run(callbacks=[check_signals], told=told, norms=norms)


def _plan(search: Search) -> str:
    rounds = []
    for size, divisor in search.rounds_planned():
        rounds.append(f"{size} for {'all' if divisor == 1 else f'1/{divisor} of their'} epochs")
    names = ", ".join(name.replace("_", " ") for name in search.drawn)
    return (
        f"tuning    {counted(search.tries, 'try', 'tries')}: the settings above, and others around them\n"
        f"          drawn: {names}\n"
        f"          {counted(search.rounds, 'round')} by the validation loss: {', '.join(rounds)}"
    )


def announce_interruption(tuning: Tuning, run: Run, out: Path | None) -> Path | None:
    """Print that tuning was interrupted; return the path for its model instead of `out`."""
    place = None if out is None else interrupted_path(out)
    trainings = counted(len(tuning.trials), "training")
    outcome = "this is the best model so far"
    if out is not None:
        outcome += f", to be kept in {shown(place, None)}; {shown(out, None)} was not written"
    run.say(f"\n{run.interruption.name} after {trainings}; {outcome}.")
    run.interruption.received = run.interruption.announced = True
    return place


def results(tuning: Tuning) -> str:
    """Return lines that say which settings were chosen, and by how much."""
    chosen, first = tuning.chosen, tuning.defaults
    which = "the defaults" if chosen.candidate == 1 else _in_words(chosen.settings, tuning.drawn)
    against = "" if chosen.candidate == 1 or first.diverged else f", with the defaults {first.loss:.4g}"
    trainings = counted(len(tuning.trials), "training")
    seconds = sum(trial.seconds for trial in tuning.trials)
    each = " a network" if chosen.settings.members > 1 else ""
    return "\n".join(
        [
            f"settings  {which}; {counted(chosen.settings.epochs, 'epoch')}{each}",
            f"          validation loss {chosen.loss:.4g}{against}; {trainings} in {seconds:.3g} s",
            "          the validation rows chose them, and so score better than new rows would",
        ]
    )


def _in_words(settings: Settings, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_value(getattr(settings, name))}" for name in names)


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def tuning_as_data(tuning: Tuning) -> dict[str, Any]:
    """Return what was tried as data for JSON."""
    return {
        "drawn": tuning.drawn,
        "interrupted": tuning.interrupted,
        "chosen": tuning.chosen.entry(),
        "defaults": tuning.defaults.entry(),
        "tried": [trial.entry() for trial in tuning.trials],
    }
