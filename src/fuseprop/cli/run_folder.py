"""`fuseprop train --run DIR`: a folder that keeps what a run was made by, and what it made.

Each file is there as soon as what it holds is known: settings and environment before training, a line of the
history after each epoch, checkpoints on the way, the model after training, its scores at the end. `--resume`
with the folder goes on there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EEXIST
from pathlib import Path
from typing import Any

import click

from ..callbacks import Callback
from ..callbacks.history import History
from ..checkpoints import Checkpoint, Keeper
from ..checkpoints.reading import previous_of
from ..checks.quoting import shown
from ..data.errors import listed
from ..model.files import SUFFIX
from ..storage.atomic import write_atomically
from .output import Run, json_text
from .parameters import TO_BE_MADE, interrupted_path, model_path
from .run_history import RunHistory

SETTINGS = "settings.toml"
ENVIRONMENT = "environment.json"
CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.csv"
MODEL = "model.safetensors"
SCORES = "scores.json"


class RunFolder:
    """The files of a run.

    Attributes
    ----------
    path : Path
    checkpoint, model, history : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint, self.model, self.history = path / CHECKPOINT, path / MODEL, path / HISTORY

    def held(self) -> list[str]:
        """Return the names of files of a run that are there."""
        checkpoints = (CHECKPOINT, previous_of(self.checkpoint).name)
        models = (MODEL, interrupted_path(self.model).name)
        names = (SETTINGS, ENVIRONMENT, *checkpoints, HISTORY, *models, SCORES)
        return [name for name in names if (self.path / name).exists()]

    def has_settings(self) -> bool:
        """Whether a run has begun there."""
        return (self.path / SETTINGS).exists()

    def has_only_begun(self) -> bool:
        """Whether a run has begun there, and has made no model."""
        return has_only_begun(self.held())

    def check_new(self) -> None:
        """Raise UsageError where there is another run, CheckpointError where that is in training."""
        held = self.held()
        if held:
            Keeper(Checkpoint(self.checkpoint), "folder").check_unlocked()
            raise click.UsageError(f"{shown(self.path, None)}: {another_run(held, self.path)}.")

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make the folder where there is none."""
        self.path.mkdir(parents=True, exist_ok=True)
        yield

    def begin(self, settings: str, environment: dict[str, Any], *, anew: bool = False) -> None:
        """Write what is known before training; `anew` replaces it, where a run that had only begun is begun.

        Raises FileExistsError where another run has begun there, OSError where nothing can be written.
        """
        if not anew:
            try:
                (self.path / SETTINGS).open("x").close()  # of two runs that begin at once, one has the folder
            except FileExistsError:
                why = another_run([SETTINGS], self.path)
                raise FileExistsError(EEXIST, why, str(self.path)) from None
        try:
            write_atomically(self.path / SETTINGS, settings.encode())
            write_atomically(self.path / ENVIRONMENT, _as_bytes(environment))
        except BaseException:
            for name in (SETTINGS, ENVIRONMENT):
                with suppress(OSError):
                    (self.path / name).unlink()
            raise

    def go_on(self, settings: str) -> None:
        """Write the settings of a run that goes on with others than it began with."""
        write_atomically(self.path / SETTINGS, settings.encode())

    def finish(self) -> None:
        """Remove what an interruption has left, as the whole model is there."""
        with suppress(OSError):
            interrupted_path(self.model).unlink(missing_ok=True)

    @contextmanager
    def recording(self, run: Run, done: Sequence[History] = ()) -> Iterator[Callback]:
        """Yield the callback that keeps the history, behind that of the networks that are done.

        Notes in `run` what it could not write.
        """
        with RunHistory(self.history, done) as history:
            yield history
        if history.failure:
            run.note_failure("the history is not complete", history.failure)

    def keep_scores(self, scores: dict[str, Any]) -> None:
        """Write the scores, as `--json` prints them; raise OSError where that fails."""
        write_atomically(self.path / SCORES, _as_bytes(scores))


def another_run(held: Sequence[str], path: Path) -> str:
    """Return why a folder that holds these files takes no run."""
    can_go_on = CHECKPOINT in held or has_only_begun(held)
    goes_on = f", or go on there with --resume {shown(path, None)}" if can_go_on else ""
    return f"this folder holds another run ({listed(held)}). Name a new one{goes_on}"


def has_only_begun(held: Sequence[str]) -> bool:
    """Whether these files are those of a run that has made no model."""
    return SETTINGS in held and not {MODEL, SCORES}.intersection(held)


def is_folder(path: Path) -> bool:
    """Whether a path is that of a run, and not of a checkpoint, which may both not be there yet."""
    return path.is_dir() or not (path.exists() or path.suffix == SUFFIX)


def run_folder(text: str) -> RunFolder:
    """Return the folder for a run; raise before training if it takes no file."""
    folder = RunFolder(Path(text))
    if folder.path.exists() and not folder.path.is_dir():
        raise click.BadParameter(f"{shown(folder.path, None)} is a file; expected the name of a folder.")
    if folder.path.exists():
        model_path(str(folder.model))
    return folder


def to_be_made(
    context: click.Context, _option: click.Parameter, folder: RunFolder | None
) -> RunFolder | None:
    """Let other options name files in a folder that training makes."""
    if folder is not None and not folder.path.exists():
        context.meta[TO_BE_MADE] = folder.path
    return folder


def _as_bytes(data: dict[str, Any]) -> bytes:
    return f"{json_text(data)}\n".encode()
