"""What `fuseprop train` keeps of one training: checkpoints, the folder of a run; and where it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click

from ..callbacks import Callback
from ..checkpoints import Checkpoint, Found, Keeper
from ..checks.quoting import shown
from ..model.fitting import Fitting
from ..model.members import Member
from ..storage.atomic import is_same_place
from .checkpointing import EVERY, PART, check_free, command_that_goes_on, going_on, how_to_go_on
from .environment import environment, fingerprints
from .options import absolute, chosen_settings, given_options
from .output import Run
from .processes import has_last_words, world_of_command
from .resuming import Resumption
from .run_folder import RunFolder
from .settings_file import settings_text


class Keeping:
    """Where a training keeps its checkpoints and all else of a run, and what it goes on from; each may lack.

    Parameters
    ----------
    data : tuple of str
    folder, checkpoint, resume, every
        The options --run, --checkpoint, --resume and --every.

    Attributes
    ----------
    folder : RunFolder or None
    keeper : Keeper or None
    free : dict
        The options given that may be others than those of the training that goes on.

    Raises UsageError for options that do not go together, for others than those recorded, and for a place
    that is taken; CheckpointError where there is nothing to go on from; DataError for other data.
    """

    def __init__(
        self,
        data: tuple[str, ...],
        folder: RunFolder | None,
        checkpoint: Path | None,
        resume: Resumption | None,
        every: str | None,
    ) -> None:
        if every is not None and folder is None and checkpoint is None and resume is None:
            raise click.UsageError(
                "--every says how often --checkpoint is written. Give that too, or leave it out."
            )
        self._data, self._resume = data, resume
        self.folder = folder or (None if resume is None else resume.folder)
        if self.folder is None:
            place = _place_of_checkpoints(checkpoint, resume)
        else:
            place = self.folder.checkpoint
            _check_folder(self.folder, checkpoint, resume, is_given=folder is not None)
        self.keeper: Keeper | None = None
        self.free: dict[str, Any] = {}
        if place is None:
            return
        self._every = every or (EVERY if resume is None else resume.every)
        self.keeper = Keeper(Checkpoint(place, self._every), "file" if self.folder is None else "folder")
        self._command = command_that_goes_on(place if self.folder is None else self.folder.path, data)
        self._writes = world_of_command().rank == 0
        self._prints = fingerprints(data) if self._writes else []
        if resume is not None:
            context = click.get_current_context()
            resume.check_options(context)
            if self._writes:
                resume.check_data(data, self._prints)
            self.free = resume.free_options(context)
            if resume.has_empty_file:
                Run.current().say(
                    f"Warning: {shown(resume.checkpoint, None)} is empty, and there is no checkpoint before "
                    f"it: training begins anew."
                )

    @property
    def found(self) -> Found | None:
        """The checkpoint to go on from."""
        return None if self._resume is None else self._resume.found

    def done(self, fitting: Fitting) -> list[Member]:
        """Return the networks in the checkpoint to go on from that are done; raise as `members_in`.

        Raises UsageError for other epochs than it can go on with.
        """
        if self._resume is None or self.found is None:
            return []
        self._resume.check_epochs(fitting)
        return fitting.members_in(self.found)

    def describe(self, fitting: Fitting, done: Sequence[Member]) -> str:
        """Return in a line where training goes on; "" where it does not."""
        return "" if self._resume is None else self._resume.describe(fitting, done)

    @contextmanager
    def begun(
        self, run: Run, fitting: Fitting, done: Sequence[Member], *, norms: bool
    ) -> Iterator[tuple[list[Callback], bool]]:
        """Hold the places within this context, with what is known before training written there.

        Yields the callbacks that keep something, and whether norms are recorded: as they were where training
        goes on. Of several processes, process 0 writes. Raises CheckpointError where another training writes
        checkpoints there, OSError where nothing can be written.
        """
        if self.keeper is None:
            yield [], norms
            return
        if self._resume is not None and self._resume.norms is not None:
            norms = self._resume.norms
        if not self._writes:
            yield [], norms
            return
        options = self.options()
        chosen = chosen_settings(fitting, options)
        about = {"options": options, "settings": chosen, "data": self._prints, "names": list(self._data)}
        self.keeper.around[PART] = {**about, "every": self._every, "norms": norms}
        histories = [member.history for member in done]
        with (
            nullcontext() if self.folder is None else self.folder.made(),
            self.keeper.open(None if self.found is None else self.found.path),
        ):
            has_last_words(going_on(self.keeper, self._command), self.keeper.path)
            if self.folder is None:
                yield [], norms
                return
            self._begin(self.folder, options, settings_text(options, chosen), fitting)
            with self.folder.recording(run, histories) as recorder:
                yield [recorder], norms

    def how_to_go_on(self) -> str:
        """Return in words the command that goes on after a signal; "" without a checkpoint."""
        return "" if self.keeper is None else how_to_go_on(self.keeper, self._command)

    def tell_how_to_go_on(self, run: Run) -> None:
        """Print the command that goes on after a signal, where there are to be checkpoints."""
        if self.keeper is not None:
            run.say(self.how_to_go_on() or "no checkpoint was written: nothing goes on from here.")

    def options(self) -> dict[str, Any]:
        """Return as plain data the options that were given: where training goes on, when it began."""
        context = click.get_current_context()
        if self._resume is None or self._resume.is_empty:
            return given_options(context)
        return {"data": list(map(absolute, self._data)), **self._resume.options, **self.free}

    def _begin(self, folder: RunFolder, options: dict[str, Any], text: str, fitting: Fitting) -> None:
        if self._resume is None or self.found is None:
            folder.begin(text, environment(fitting, self._prints), anew=self._resume is not None)
        elif options != {"data": list(map(absolute, self._resume.data)), **self._resume.options}:
            folder.go_on(text)


def check_one_training(kept: dict[str, object], many: str | None) -> None:
    """Raise UsageError for an option of `kept` beside the option `many`, which makes many trainings."""
    for option in (name for name, value in kept.items() if many is not None and value is not None):
        if option == "--resume":
            raise click.UsageError(
                f"--resume goes on with one training, and {many} makes many. Leave one of them out."
            )
        raise click.UsageError(
            f"{option} keeps one training, and {many} makes many: keep its results by --json and --out. "
            f"Leave one of them out."
        )


def _place_of_checkpoints(checkpoint: Path | None, resume: Resumption | None) -> Path | None:
    """Return where checkpoints are kept outside of a folder: where training goes on, unless it is given."""
    if resume is not None and (checkpoint is None or not is_same_place(checkpoint, resume.checkpoint)):
        resume.require()
    if checkpoint is not None and (resume is None or not is_same_place(checkpoint, resume.checkpoint)):
        check_free(checkpoint)
    return resume.checkpoint if checkpoint is None and resume is not None else checkpoint


def _check_folder(
    folder: RunFolder, checkpoint: Path | None, resume: Resumption | None, *, is_given: bool
) -> None:
    if checkpoint is not None:
        raise click.UsageError(
            f"--run keeps checkpoints in {shown(folder.checkpoint, None)}. Leave out --checkpoint."
        )
    if resume is None:
        folder.check_new()
        return
    if resume.folder is None or not is_same_place(folder.path, resume.folder.path):
        raise click.UsageError(
            f"--run {shown(folder.path, None)} is another place than --resume {resume.place}. A run goes on "
            f"in its own folder, which --resume names; a checkpoint without a folder without --run."
        )
    if resume.is_empty:
        folder.check_new()
        if not is_given:
            resume.require()
