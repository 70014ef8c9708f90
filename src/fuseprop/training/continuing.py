"""A training that goes on from a checkpoint, or writes some: what is read, compared and kept.

Most trainings do neither, so that `fuseprop.checkpoints` is imported where one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..backend import AnyBackend
from ..backend.seam import option
from ..callbacks import Together
from ..callbacks.history import History
from ..checks.quoting import counted, shown
from ..checks.states import ANY, COUNT, CURVE, STATE, check_state
from ..checks.warning import warn_user
from ..optimizers.protocol import resumable
from ..schedules import check_same_rates, rates_of
from ..world import ALONE, Processes, agreeing
from .loop import Training
from .orders import generator_state, load_generator_state, set_generator_state
from .rows import Rows
from .sameness import MOST, check_same, differences, digests_of
from .state import numbers_of, refusing

if TYPE_CHECKING:
    from ..checkpoints import Checkpoint, Found, Keeper

Kept: TypeAlias = "Checkpoint | Keeper | str | Path | None"
"""Where checkpoints are written; a path stands for a `Checkpoint` there."""

From: TypeAlias = "Found | str | Path | bool | None"
"""What a training goes on from; True stands for the place where checkpoints are written."""

OTHER_BITS = "training goes on, but not in the same bits"
"""The beginning of the warning about a checkpoint from where numbers are rounded in other ways."""


class Continuation:
    """What a training goes on from, and where it keeps what a later one goes on from; either may be missing.

    Parameters
    ----------
    checkpoint, resume
        As `Network.fit` takes them.
    rng : numpy.random.Generator or numpy.random.RandomState
        The generator that draws splits and orders.
    world : Processes, optional
        Where several processes train as one, process 0 reads and writes.

    Attributes
    ----------
    keeps : bool
        Whether checkpoints are written, by this process or by process 0.
    rng
        The generator; another one may take its place before `open`.

    Raises TypeError and ValueError for what is neither; CheckpointError for a checkpoint that cannot be read.
    """

    def __init__(
        self,
        checkpoint: Kept,
        resume: From,
        rng: np.random.Generator | np.random.RandomState,
        world: Processes = ALONE,
    ) -> None:
        self._world = world
        self._keeper: Keeper | None = None
        self._found: Found | None = None
        with agreeing(world):
            if world.rank == 0:
                self._keeper = keeper_of(checkpoint)
                self._found = found_of(resume, self._keeper)
        self.keeps, self._found = world.of_first((self._keeper is not None, self._found))
        self.rng = rng
        self._start: dict[str, Any] = {}

    @property
    def done(self) -> int:
        """How many epochs a training has had that goes on here."""
        return 0 if self._found is None else len(self._found.state["training"]["history"]["train_loss"])

    @property
    def does_anything(self) -> bool:
        """Whether there is a checkpoint to go on from, or a place to keep some."""
        return self._found is not None or self.keeps

    @property
    def settings(self) -> Mapping[str, Any] | None:
        """Those of the training that goes on here; None where none does. They are checked when it runs."""
        settings = None if self._found is None else self._found.state.get("settings")
        return settings if self._found is None or isinstance(settings, Mapping) else {}

    @property
    def batch_size(self) -> int | None:
        """The batch size of the training that goes on, perhaps less than was asked for; None for none."""
        if self._found is None:
            return None
        size: int | None = self._found.state["training"]["history"].get("batch_size")
        return size

    @property
    def is_within(self) -> bool:
        """Whether a training goes on within an epoch."""
        return self._found is not None and self._found.state["training"]["within"] is not None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the place of the checkpoints, and let the generator draw as it did when training began.

        Where the training is refused, the generator is as it was.
        """
        before, refused = generator_state(self.rng), True
        try:
            with ExitStack() as stack:
                if self._found is not None:
                    self._rewind(self._found)
                self._start = generator_state(self.rng)
                with agreeing(self._world):
                    if self._keeper is not None:
                        resumed = None if self._found is None else self._found.path
                        stack.enter_context(self._keeper.open(resumed))
                if self._found is not None and self._found.note and self._warns:
                    from ..checkpoints import CheckpointWarning

                    warn_user(self._found.note, CheckpointWarning)
                refused = False
                yield
        except BaseException as error:
            from ..checkpoints import CheckpointError

            if refused or isinstance(error, CheckpointError):
                set_generator_state(self.rng, before)
            raise

    def run(
        self,
        training: Training,
        epochs: int,
        together: Together,
        history: History,
        settings: Mapping[str, Any],
        parts: Mapping[str, Rows | None],
    ) -> History:
        """Run a training as `Training.run`, which goes on as the same one and writes checkpoints.

        `settings` are plain data, and `parts` rows by name, that must be those of the training that goes on.
        Raises CheckpointError where they are not.
        """
        if not self.does_anything:
            return training.run(epochs, together, history)
        optimizer, backend = training.epoch.optimizer, training.epoch.backend
        resumable(optimizer)
        numbers = {name: value for name, value in numbers_of(optimizer).items() if name not in settings}
        settings = {**settings, "optimizer": type(optimizer).__name__, **numbers}
        data: dict[str, str] = {}
        for part, rows in parts.items():
            data |= {} if rows is None else digests_of(backend, rows, part, self._world)
        about = {"settings": settings, "data": data, "start": self._start}
        first = optimizer.epochs
        if self._found is None:
            rates = rates_of(optimizer.learning_rate, first, epochs)
        else:
            self._check(self._found, about, epochs)
            schedule, carried = self._found.state["schedule"], self._found.state["training"]["history"]
            first, batch_size = schedule["first"], history.batch_size
            with refusing(self._found):
                rates = rates_of(optimizer.learning_rate, first, epochs)
                check_same_rates(schedule["rates"], rates)
                if (carried["metric"], carried["validates"]) != (history.metric, history.validates):
                    raise ValueError("its history is that of another metric, or of other validation rows.")
                history.load_state_dict(carried)
            history.batch_size = batch_size
        about["schedule"] = {"first": first, "rates": rates}

        def said() -> dict[str, Any]:
            arithmetic = _arithmetic(backend)
            if self._world is not ALONE:
                arithmetic["processes"] = self._world.size
            if self._found is not None and self._warns:
                masks = training.epoch.stack.dropout is not None
                _warn_of_other_bits(self._found.state["arithmetic"], arithmetic, masks=masks)
            return {**about, "arithmetic": arithmetic}

        return training.run(epochs, together, history, keeper=self._keeper, about=said, resumed=self._found)

    @property
    def _warns(self) -> bool:
        """Whether this process says what is to be said once."""
        return self._world.rank == 0

    def _rewind(self, found: Found) -> None:
        """Check what a checkpoint holds beside its training, and set the generator to where that began."""
        parts = dict.fromkeys(("settings", "data", "arithmetic", "schedule", "training"), STATE)
        with refusing(found):
            check_state("a training", found.state, start=STATE, **parts)
            check_state("a schedule", found.state["schedule"], first=COUNT, rates=CURVE)
            check_state("a training", found.state["training"], history=STATE, within=ANY)
            History("").load_state_dict(found.state["training"]["history"])
            load_generator_state(self.rng, found.state["start"])

    def _check(self, found: Found, about: Mapping[str, Any], epochs: int) -> None:
        """Raise CheckpointError where the training is another one, or has had more epochs than it should."""
        from ..checkpoints import CheckpointError

        check_same(shown(found.path, None), found.state, about)
        within, done = self.is_within, self.done
        if epochs < done + within:
            where = f"in epoch {done + 1}" if within else f"past epoch {done}"
            raise CheckpointError(
                f"{shown(found.path, None)} is {where}, and there are to be {counted(epochs, 'epoch')} in "
                f"all. Give at least {done + within}."
            )


def keeper_of(checkpoint: Kept) -> Keeper | None:
    """Return what writes checkpoints; None for nothing. Raises TypeError for anything else."""
    if checkpoint is None:
        return None
    from ..checkpoints import Checkpoint, Keeper

    if isinstance(checkpoint, Keeper):
        return checkpoint
    if isinstance(checkpoint, Checkpoint):
        return Keeper(checkpoint)
    if not isinstance(checkpoint, str | Path):
        raise TypeError(f"checkpoint must be a path or a Checkpoint, got {checkpoint!r:.60}.")
    return Keeper(Checkpoint(checkpoint))


def found_of(resume: From, keeper: Keeper | None) -> Found | None:
    """Return the checkpoint to go on from; None for none. Raises as `Continuation`."""
    if resume is None or resume is False:
        return None
    from ..checkpoints import Found, read_checkpoint

    if resume is True:
        if keeper is None:
            raise ValueError(
                "resume=True goes on from where checkpoint= writes, and that is not given. Give both, or the "
                "path of a checkpoint."
            )
        return read_checkpoint(keeper.path) if keeper.holds_something() else None
    if isinstance(resume, Found):
        return resume
    if not isinstance(resume, str | Path):
        raise TypeError(f"resume must be the path of a checkpoint, or True, got {resume!r:.60}.")
    return read_checkpoint(resume)


def _arithmetic(backend: AnyBackend) -> dict[str, Any]:
    """Return what decides the last bits of a backend's numbers, by name."""
    from .. import __version__

    own = {"backend": backend.name, "device": backend.device, "fuseprop": __version__}
    return {**own, **option(backend, "arithmetic")}


def _warn_of_other_bits(recorded: Mapping[str, Any], present: Mapping[str, Any], *, masks: bool) -> None:
    """Warn where numbers are rounded in other ways, or `masks` of dropout are those of other processes."""
    found = differences(recorded, present)
    if found:
        from ..checkpoints import CheckpointWarning

        others = masks and recorded.get("processes") != present.get("processes")
        what = "Masks of dropout are others from here on" if others else "Numbers agree within rounding"
        warn_user(f"{OTHER_BITS}: {'; '.join(found[:MOST])}. {what}.", CheckpointWarning)
