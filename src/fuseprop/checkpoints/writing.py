"""Writing a checkpoint, and keeping the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..storage.atomic import write_atomically
from ..storage.state_file import split_state
from ..storage.tensorfile import pack
from .reading import CHECKPOINT_FILE, FORMAT, KEY, previous_of


def write_checkpoint(path: Path, state: dict[str, Any], *, keeps_previous: bool) -> None:
    """Write a checkpoint, atomically; with `keeps_previous`, what was in the file becomes the one before.

    The arrays of the state are not copied, and must not change meanwhile.

    Raises OSError if the file cannot be written, TypeError for a state that is no plain data, ValueError for
    one too large for the format.
    """
    from .. import __version__

    tensors, text = split_state({"format": FORMAT, "version": __version__, **state})
    parts = pack(tensors, {KEY: text}, CHECKPOINT_FILE)
    write_atomically(path, *parts, previous=previous_of(path) if keeps_previous else None)
