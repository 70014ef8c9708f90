"""Reading a checkpoint, or the one before it where it is missing or damaged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks.quoting import counted, literal, shown
from ..checks.settings import as_path
from ..checks.states import COUNT
from ..storage.reading import file_errors_as, open_file
from ..storage.state_file import join_state
from ..storage.tensorfile import DTYPES, Kind, unpack
from .checkpoint import PREVIOUS

FORMAT = 1
"""The newest format that this version writes and reads."""

KEY = "fuseprop.checkpoint"
"""The key of the metadata."""

HINT = "`fuseprop train --checkpoint FILE` or fit(checkpoint=...) writes one."
"""How to get a checkpoint."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be written or read, or gone on from; the text says why and what to do."""


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written, is not the last one, or gives other bits than it might have."""


class _NoCheckpointError(CheckpointError):
    """A whole file of another kind or of a later version, for which none before it is taken."""


CHECKPOINT_FILE = Kind(
    error=CheckpointError,
    name="checkpoint",
    writer="a training",
    again="copy it again, or go on from another checkpoint",
    dtypes=tuple(DTYPES),
    dimensions=range(33),
    holds_empty=True,
    is_signed=True,
    others={},
    crowded="the history and the names in this checkpoint",
    shorter="Give features, targets and classes shorter names.",
)


@dataclass(frozen=True)
class Found:
    """A checkpoint that was read.

    Attributes
    ----------
    state : dict
        The tree; its arrays are read-only.
    path : Path
        The file that was read: the one asked for, or the one before it.
    note : str
        Why it is the one before, in a sentence; "" where it is not.
    """

    state: dict[str, Any]
    path: Path
    note: str = ""


def previous_of(path: Path) -> Path:
    """Return the path of the checkpoint before: "run.previous.safetensors" for "run.safetensors".

    It stands beside the file, where `path` is a symbolic link to one.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    return target.with_name(f"{target.stem}{PREVIOUS}{target.suffix}")


def read_checkpoint(path: str | Path) -> Found:
    """Return the checkpoint in a file, or the one before it where the file is missing or not whole.

    Raises CheckpointError where neither can be read, and for a file of another kind or a later version;
    TypeError if `path` is no path.
    """
    path = as_path(path, "run.safetensors")
    try:
        return Found(_read(path), path)
    except _NoCheckpointError:
        raise
    except CheckpointError as error:
        if path.is_dir():
            raise
        previous = previous_of(path)
        try:
            state = _read(previous)
        except CheckpointError as second:
            if previous.exists():
                error.add_note(f"The one before cannot be read either: {second}")
            raise error from second
        note = (
            f"{error} Training goes on from the one before it, {shown(previous, None)}, {described(state)}."
        )
        return Found(state, previous, note)


def described(state: dict[str, Any]) -> str:
    """Return how far the training of a checkpoint was, such as "after epoch 3 of 10"."""
    given = state.get("summary")
    summary = given if isinstance(given, dict) else {}
    epoch: Any = summary.get("epoch")
    epochs = summary.get("epochs")
    if not COUNT.fits(epoch):
        return "of an unknown epoch"
    if summary.get("finished") is True:
        return f"at the end, after {counted(epoch, 'epoch')}"
    return f"after epoch {epoch}" + (f" of {epochs}" if COUNT.fits(epochs) else "")


def _read(path: Path) -> dict[str, Any]:
    place = shown(path, None)
    with file_errors_as(
        CheckpointError,
        path,
        "a checkpoint",
        HINT,
    ):
        with open_file(path) as file:
            tensors, texts = unpack(file, place, CHECKPOINT_FILE)
        if KEY not in texts:
            what = "a model" if "fuseprop" in texts else "a .safetensors file"
            raise _NoCheckpointError(f"{place} is {what}, and no checkpoint of a training. {HINT}")
        state = join_state(tensors, texts[KEY])
        version = state.get("format")
        if type(version) is not int or version < 1:
            raise CheckpointError(f"{place} is no whole checkpoint: it lacks a format version.")
        if version > FORMAT:
            raise _NoCheckpointError(
                f"{place} was written by format {literal(version)}, this fuseprop reads up to {FORMAT}: "
                f"a newer fuseprop is needed."
            )
        return state
