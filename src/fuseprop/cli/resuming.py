"""`fuseprop train --resume`: a checkpoint, or the folder of a run, and the options and data that it holds.

The options of the training that goes on are those that were given when it began, and what was chosen then by
the rules of that version. So they need not be given again; those that are must be the same, but for `FREE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..checkpoints import CheckpointError, Found, read_checkpoint
from ..checks.quoting import counted, literal, shown
from ..checks.states import ANY, SEQUENCE, STATE, TEXT, check_state
from ..data import DataError
from ..data.files.opening import STANDARD_INPUT
from ..model.fitting import Fitting
from ..model.members import FREE, Member
from ..model.members import PART as MODEL
from .checkpointing import EVERY, PART, is_there
from .options import absolute, as_defaults, as_plain, plain, training_options
from .parameters import check_data
from .run_folder import CHECKPOINT, SETTINGS, RunFolder, is_folder
from .settings_file import GIVEN, SettingsFileError, read_settings

OPENED = "fuseprop.resumption"
"""The key of the context's `meta` under which the `Resumption` stands."""


class Resumption:
    """A run that goes on, or that begins anew where it has left no checkpoint yet.

    Parameters
    ----------
    context : click.Context
        That of `train`.
    path : Path
        A checkpoint, or the folder of a run.

    Attributes
    ----------
    folder : RunFolder or None
    checkpoint : Path
    found : Found or None
        None where nothing is there yet to go on from.
    options : dict
        The options recorded, as plain data, without the paths of data.
    data : list of str
        The paths of data recorded.
    every : str
        How often checkpoints were written.
    norms : bool or None
        Whether norms were recorded; None where nothing is known of it.

    Raises CheckpointError for what is no whole checkpoint of the command; SettingsFileError for settings in
    the folder that cannot be read.
    """

    def __init__(self, context: click.Context, path: Path) -> None:
        self.folder = RunFolder(path) if is_folder(path) else None
        self.checkpoint = path if self.folder is None else self.folder.checkpoint
        self.found: Found | None = None
        self.options: dict[str, Any] = {}
        self.data: list[str] = []
        self.every = EVERY
        self.norms: bool | None = None
        self._chosen: dict[str, Any] = {}
        self._prints: list[Mapping[str, Any]] = []
        if is_there(self.checkpoint):
            self.found = read_checkpoint(self.checkpoint)
            self._take_over(context, self.found)
        elif self.folder is not None and self.folder.has_only_begun():
            settings = read_settings(path / SETTINGS)
            self.data = settings.pop("data", [])
            self.options = as_plain(context, settings)

    @property
    def place(self) -> str:
        """What goes on, in words."""
        return shown(self.checkpoint if self.folder is None else self.folder.path, None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is recorded: a training that is given both this and a place begins anew."""
        return self.found is None and not self.data

    @property
    def defaults(self) -> dict[str, Any]:
        """The options recorded, with what the rules have chosen."""
        return self._chosen | self.options

    @property
    def has_empty_file(self) -> bool:
        """Whether the file of the checkpoint is there, and nothing in it or in the one before."""
        return self.found is None and self.checkpoint.exists()

    def require(self) -> None:
        """Raise CheckpointError where there is nothing yet to go on from."""
        if self.has_empty_file:
            raise CheckpointError(
                f"{shown(self.checkpoint, None)} is empty, and there is no checkpoint before it to go on "
                f"from. Train anew without --resume."
            )
        if self.found is None and self.folder is not None:
            raise CheckpointError(
                f"there is no checkpoint in {self.place} to go on from. A new run begins with DATA and --run."
            )
        if self.found is None:
            raise CheckpointError(
                f"{self.place}: there is no such file. A training that begins writes it with DATA and "
                f"--checkpoint."
            )

    def free_options(self, context: click.Context) -> dict[str, Any]:
        """Return those of `FREE` that are given now."""
        return {name: value for name, value in _given(context).items() if name in FREE}

    def check_options(self, context: click.Context) -> None:
        """Raise UsageError that names the options given that are not as they were."""
        options, before, differences = training_options(context.command), self.defaults, []
        if self.is_empty:
            return
        for name, value in _given(context).items():
            default = options[name].default  # without those that were recorded
            then = before.get(name, default if isinstance(default, str | int | float) else None)
            if name not in FREE and _each(name, value, before) != _each(name, then, before):
                flag = options[name].opts[0]
                differences.append(f"{flag} is {_in_words(value)}, and was {_in_words(then)}")
        if differences:
            raise click.UsageError(
                f"--resume: {self.place} is of another training: here {'; '.join(differences)}. Leave these "
                f"options out, as they are recorded there, or train anew without --resume."
            )

    def check_epochs(self, fitting: Fitting) -> None:
        """Raise UsageError for other --epochs where the checkpoint cannot go on with these."""
        before, now = self.defaults.get("epochs"), fitting.settings.epochs
        if self.found is None or now == before:
            return
        done, why = len(_inner(self.found.state, "around", MODEL, "members") or ()), ""
        if fitting.settings.schedule != "constant":
            why = f"by which the schedule {fitting.settings.schedule} sets every learning rate"
        elif done:
            why = f"for the {counted(done, 'network')} that {'is' if done == 1 else 'are'} done"
        if why:
            raise click.UsageError(
                f"--resume: {self.place} is of another training: here --epochs is {now}, and was {before}, "
                f"{why}. Leave --epochs out, or train anew without --resume."
            )
        epoch = _inner(self.found.state, "summary", "epoch")
        within = bool(_inner(self.found.state, "summary", "steps"))
        if isinstance(epoch, int) and now < epoch + within:
            where = f"in epoch {epoch + 1}" if within else f"past epoch {epoch}"
            raise click.UsageError(
                f"--resume: {self.place} is {where}, and here --epochs is {now}. Give at least "
                f"{epoch + within}, or leave --epochs out."
            )

    def check_data(self, data: Sequence[str], prints: Sequence[Mapping[str, Any]]) -> None:
        """Raise DataError unless the data, with their present `prints`, are those that training began with.

        What has no digest, standard input and built-in data, is compared as arrays when training goes on.
        """
        if not self._prints:
            return
        if len(prints) != len(self._prints):
            raise DataError(
                f"DATA are {counted(len(prints), 'file')}, and were {len(self._prints)} when the training of "
                f"{self.place} began. Give the same, or leave them out."
            )
        for name, before, now in zip(data, self._prints, prints, strict=True):
            if None not in (before["sha256"], now["sha256"]) and before["sha256"] != now["sha256"]:
                sizes = f"{counted(now['bytes'], 'byte')}, and had {before['bytes']:,}"
                raise DataError(
                    f"{shown(name, None)} is not as it was when the training of {self.place} began: it has "
                    f"{sizes if now['bytes'] != before['bytes'] else 'as many bytes, but others'}. Give DATA "
                    f"as they were, or train anew without --resume."
                )

    def recorded_data(self) -> tuple[str, ...]:
        """Return the paths of data recorded; raise DataError for what cannot be read there any more."""
        for name in self.data:
            if name == STANDARD_INPUT:
                raise DataError(
                    f"the training of {self.place} read standard input: give DATA again, such as -."
                )
        for name, before in zip(self.data, self._prints, strict=False):
            if before["sha256"] is not None and not Path(name).is_file():
                raise DataError(
                    f"{shown(name, None)}, from which the training of {self.place} began, is not there any "
                    f"more. Give as DATA where it is now."
                )
        return tuple(self.data)

    def describe(self, fitting: Fitting, done: Sequence[Member]) -> str:
        """Return in a line where training goes on, with so many networks `done`."""
        if self.found is None:
            return f"beginning anew: {self.place} holds no checkpoint yet"
        summary = self.found.state.get("summary")
        known: Mapping[str, Any] = summary if isinstance(summary, Mapping) else {}
        epoch, epochs, members = known.get("epoch"), fitting.settings.epochs, fitting.settings.members
        place, number = shown(self.found.path, None), len(done) + 1
        is_done = known.get("finished") is True and (epoch == epochs or known.get("reason") is not None)
        if is_done and number == members:
            return f"nothing is left to train: {place} is of the end of training"
        if is_done:
            return f"going on after network {number} of {members}, from {place}"
        step = f", step {known['steps']:,}" if known.get("steps") else ""
        network = f"in network {number} of {members}, " if members > 1 else ""
        return f"going on {network}after epoch {epoch} of {epochs}{step}, from {place}"

    def _take_over(self, context: click.Context, found: Found) -> None:
        """Take over what the command has put into a checkpoint."""
        place, around = shown(found.path, None), found.state.get("around")
        own = around.get(PART) if isinstance(around, Mapping) else None
        if own is None:
            raise CheckpointError(
                f"{place} is the checkpoint of a training in Python, and holds no options of the command. "
                f"Go on from it there."
            )
        try:
            kinds = {"options": STATE, "settings": STATE, "data": SEQUENCE, "names": SEQUENCE, "every": TEXT}
            check_state("a command", own, norms=ANY, **kinds)
            for each in own["data"]:
                check_state("data", each, path=TEXT, bytes=ANY, sha256=ANY)
            options = {name: value for name, value in own["options"].items() if name != "data"}
            self.options = as_plain(context, options)
            self._chosen = as_plain(context, own["settings"])
        except ValueError as error:
            raise CheckpointError(f"{place} does not go on with this version of fuseprop: {error}") from error
        self._prints = list(own["data"])
        # A name as it was given, where it still means the same file: it stands in the results.
        pairs = zip(own["names"], self._prints, strict=True)
        self.data = [name if absolute(name) == each["path"] else each["path"] for name, each in pairs]
        self.every, self.norms = own["every"], bool(own["norms"])


def _given(context: click.Context) -> dict[str, Any]:
    """Return as plain data the options that are given now, at the command line or in a settings file."""
    settings = context.meta.get(GIVEN, {})
    line = {
        name: plain(name, context.params[name])
        for name in training_options(context.command)
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    return {name: value for name, value in {**settings, **line}.items() if name != "data"}


def _inner(state: Any, *names: str) -> Any:
    """Return a part of a part of a state; None where it lacks, which is refused when training goes on."""
    for name in names:
        state = state.get(name) if isinstance(state, Mapping) else None
    return state


def _each(name: str, value: Any, settings: Mapping[str, Any]) -> Any:
    """Return a value as it is compared: one activation for all layers as one for each."""
    if name == "activation" and isinstance(value, list) and len(value) == 1:
        return value * len(settings.get("hidden", ()))
    return value


def _in_words(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, list):
        return ",".join(map(shown, value)) or "none"
    return shown(value) if isinstance(value, str) else literal(value)


def _read(context: click.Context, option: click.Parameter, path: Path | None) -> Resumption | None:
    """Make the options recorded the defaults of the command, before any other option is looked at."""
    if path is None or context.resilient_parsing:
        return None
    if path.name == CHECKPOINT and RunFolder(path.parent).has_settings():
        raise click.BadParameter(
            f"{shown(path, None)} belongs to the run in {shown(path.parent, None)}. Name that folder, so "
            f"that all of it goes on."
        )
    try:
        resumption = Resumption(context, path)
    except SettingsFileError as error:
        raise click.BadParameter(str(error), context, option) from error
    context.meta[OPENED] = resumption
    context.default_map = {**(context.default_map or {}), **as_defaults(context, resumption.defaults)}
    return resumption


resume = click.option(
    "--resume",
    type=click.Path(path_type=Path),
    callback=_read,
    is_eager=True,
    metavar="FILE|DIR",
    help="Go on from a checkpoint, or with the run in a folder; its options need not be given again.",
)


def _data(context: click.Context, argument: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the data given, or those of the settings or of the training that goes on; raise for none."""
    texts = texts or tuple((context.default_map or {}).get("data", ()))
    resumption = context.meta.get(OPENED)
    if not texts and resumption is not None:
        texts = resumption.recorded_data()
        if not texts:
            resumption.require()
    if not texts and not context.resilient_parsing:
        raise click.MissingParameter(ctx=context, param=argument, param_hint="'DATA...'")
    return check_data(context, argument, texts)


data = click.argument("data", nargs=-1, metavar="[DATA...]", callback=_data)
