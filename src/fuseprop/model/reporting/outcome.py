"""How a training ended, in words: the command prints it, and a page shows it."""

from __future__ import annotations

from math import inf

from ...checks.quoting import counted
from ...data.errors import listed
from ..fitting import Fitting


def ended(fitting: Fitting) -> list[str]:
    """Return lines with epochs, time and the weights that were kept, and the settings that training left."""
    lines = []
    if fitting.seconds_per_epoch is not None:
        why = " (early stopping)" if fitting.histories[0].stop_reason == "early stopping" else ""
        each = f"{1000 * fitting.seconds_per_epoch:.3g} ms each"
        if fitting.networks == 1:
            lines.append(f"{counted(fitting.epochs, 'epoch')}{why}, {each}; {_kept(fitting)}")
        else:
            lines.append(f"{counted(fitting.epochs, 'epoch')} in all, {each}; {_kept_by_each(fitting)}")
    return lines + _about_changes(fitting)


def _about_changes(fitting: Fitting) -> list[str]:
    """Return a line for each network whose training has left a setting that was given."""
    lines = []
    for number, history in enumerate(fitting.histories, 1):
        which = f"network {number}: " if len(fitting.histories) > 1 else ""
        rates = [f"{each['learning_rate']:g} in epoch {each['epoch']}" for each in history.halvings]
        if rates:
            lines.append(f"{which}the loss diverged; the learning rate was halved to {listed(rates)}")
        if (history.batch_size or inf) < fitting.settings.batch_size:
            lines.append(f"{which}the device had no room; a batch had {history.batch_size} rows")
    return lines


def _kept(fitting: Fitting) -> str:
    """Return in words which weights the model has."""
    epoch = fitting.kept_epochs[0]
    if epoch is None:
        return "the weights are those of the last step"
    if epoch == 0:
        return "the weights are those that training began with"
    why = ", with the lowest validation loss" if fitting.histories[0].restore_best else ""
    return f"the weights are those of epoch {epoch}{why}"


def _kept_by_each(fitting: Fitting) -> str:
    """Return in words which weights each of several networks has."""
    kept = ["last step" if epoch is None else str(epoch) for epoch in fitting.kept_epochs[: fitting.networks]]
    why = ", with the lowest validation loss of each" if fitting.histories[0].restore_best else ""
    return f"{len(kept)} networks, of the epochs {', '.join(kept)}{why}"
