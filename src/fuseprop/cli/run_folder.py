"""`fuseprop train --run DIR`: a folder that keeps what a run was made by, and what it made.

Each file is there as soon as what it holds is known: settings and environment before training, a line of the
history after each epoch, the model after training, its scores at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EEXIST
from pathlib import Path
from typing import Any

import click

from ..callbacks import Callback
from ..checks.quoting import shown
from ..data.errors import listed
from ..storage.atomic import write_atomically
from .output import Run, json_text
from .parameters import interrupted_path, model_path
from .run_history import RunHistory

SETTINGS = "settings.toml"
ENVIRONMENT = "environment.json"
HISTORY = "history.csv"
MODEL = "model.safetensors"
SCORES = "scores.json"


class RunFolder:
    """The files of a run.

    Attributes
    ----------
    path : Path
    model, history : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model, self.history = path / MODEL, path / HISTORY

    def held(self) -> list[str]:
        """Return the names of files of a run that are there."""
        names = (SETTINGS, ENVIRONMENT, HISTORY, MODEL, interrupted_path(self.model).name, SCORES)
        return [name for name in names if (self.path / name).exists()]

    def begin(self, settings: str, environment: dict[str, Any]) -> None:
        """Make the folder where there is none, and write what is known before training.

        Raises FileExistsError where another run has begun there, OSError where nothing can be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            (self.path / SETTINGS).open("x").close()  # of two runs that begin at once, one has the folder
        except FileExistsError:
            raise FileExistsError(EEXIST, another_run([SETTINGS]), str(self.path)) from None
        try:
            write_atomically(self.path / SETTINGS, settings.encode())
            write_atomically(self.path / ENVIRONMENT, _as_bytes(environment))
        except BaseException:
            for name in (SETTINGS, ENVIRONMENT):
                with suppress(OSError):
                    (self.path / name).unlink()
            raise

    @contextmanager
    def recording(self, run: Run) -> Iterator[Callback]:
        """Yield the callback that keeps the history; note in `run` what it could not write."""
        with RunHistory(self.history) as history:
            yield history
        if history.failure:
            run.note_failure("the history is not complete", history.failure)

    def keep_scores(self, scores: dict[str, Any]) -> None:
        """Write the scores, as `--json` prints them; raise OSError where that fails."""
        write_atomically(self.path / SCORES, _as_bytes(scores))


def another_run(held: Sequence[str]) -> str:
    """Return why a folder that holds these files takes no run."""
    return f"this folder holds another run ({listed(held)}). Name a new one"


def run_folder(text: str) -> RunFolder:
    """Return the folder for a run; raise before training if it holds another one, or takes no file."""
    folder = RunFolder(Path(text))
    if folder.path.exists() and not folder.path.is_dir():
        raise click.BadParameter(f"{shown(folder.path, None)} is a file; expected the name of a folder.")
    held = folder.held()
    if held:
        raise click.BadParameter(f"{shown(folder.path, None)}: {another_run(held)}.")
    if folder.path.exists():
        model_path(str(folder.model))
    return folder


def _as_bytes(data: dict[str, Any]) -> bytes:
    return f"{json_text(data)}\n".encode()
