"""The options of `fuseprop train` that say what is trained, as plain data that can be written and read again.

Plain data are texts, numbers, flags, lists of them and, for weights of classes, a table. An option has the
name and the value that `fuseprop.train` takes as a keyword, so that ``--hidden 64,32`` is
``"hidden": [64, 32]``; one that was not given is left out, and chosen again by the same rules.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..checks.choices import choose
from ..checks.quoting import literal
from ..data import is_file_name
from ..data.files.opening import STANDARD_INPUT
from ..model.fitting import Fitting
from .parameters import names

RESULTS = ("out", "plot", "report", "json_", "quiet")
"""The options that say where results go, beside the folder of a run."""

ELSEWHERE = frozenset({"settings", "resume", "checkpoint", "every", "folder", "tried", *RESULTS})
"""The options that say where settings come from or results go, and nothing of the training."""


@dataclass(frozen=True)
class Form:
    """The plain data that an option may have, in words and as a check."""

    expected: str
    holds: Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return type(value) is int


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _list_of(holds: Callable[[Any], bool], least: int = 1) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) >= least and all(map(holds, value))


def _either(*forms: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: any(holds(value) for holds in forms)


def _is_weights(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_number, value.values()))


TEXT = Form("a text", _is_text)
TEXTS = Form("a text or a list of texts", _either(_is_text, _list_of(_is_text)))
WHOLE = Form("a whole number", _is_whole)
NUMBER = Form("a number", _is_number)
FLAG = Form("true or false", lambda value: isinstance(value, bool))

FORMS = {
    "hidden": Form("a list of sizes such as [64, 32], or [] for a linear model", _list_of(_is_whole, 0)),
    "activation": TEXTS,
    "class_weight": Form("a text, or weights such as {no = 1, yes = 5}", _either(_is_text, _is_weights)),
    "folds": Form('a whole number, or a text such as "5x3"', _either(_is_whole, _is_text)),
}
"""The forms of options whose own types do not tell them."""

FORM_OF_TYPE: dict[type[click.ParamType[Any]], Form] = {
    click.types.BoolParamType: FLAG,
    click.types.IntParamType: WHOLE,
    click.types.FloatParamType: NUMBER,
}


def training_options(command: click.Command) -> dict[str, click.Parameter]:
    """Return the options and the argument that say what is trained, by name."""
    return {option.name: option for option in command.params if option.name and option.name not in ELSEWHERE}


def given_options(context: click.Context) -> dict[str, Any]:
    """Return as plain data what was given, at the command line or as defaults of the context.

    Paths of data are absolute.
    """
    given = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
    return {
        name: plain(name, context.params[name])
        for name in training_options(context.command)
        if context.get_parameter_source(name) in given
    }


def chosen_settings(fitting: Fitting, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return as plain data the settings of a training that were not `given`, but for empty ones."""
    settings = {"task": fitting.model.task.name, **asdict(fitting.settings)}
    return {
        name: plain(name, value)
        for name, value in settings.items()
        if name not in given and value not in (None, ())
    }


def plain(name: str, value: Any) -> Any:
    """Return an option's value as plain data."""
    if name == "data":
        return [absolute(text) for text in value]
    if name == "folds":
        folds, times = value
        return folds if times == 1 else f"{folds}x{times}"
    return list(value) if isinstance(value, tuple) else value


def absolute(data: str, folder: Path | None = None) -> str:
    """Return the absolute path of a file in `folder`, or the current one; data sets and "-" as they are."""
    if data == STANDARD_INPUT or not is_file_name(data):
        return data
    return os.path.abspath(data if folder is None else folder / data)  # noqa: PTH100 (which keeps links)


def as_defaults(context: click.Context, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data as click takes it for `Context.default_map`, each value checked as its option is.

    Raises ValueError for a name that is no option of the training, which suggests the closest, and for a
    value that the option does not accept.
    """
    options = training_options(context.command)
    elsewhere = [
        flag for option in context.command.params if option.name in ELSEWHERE for flag in option.opts
    ]
    defaults = {}
    for name, value in stored.items():
        if f"--{name}" in elsewhere:
            raise ValueError(f"{name} says nothing of the training. Give it beside the file, as --{name}.")
        option = choose("option", name, options)
        form = _form(name, option)
        if not form.holds(value):
            raise ValueError(f"{name}: expected {form.expected}, got {literal(value)}.")
        defaults[name] = _for_click(option, value)
        try:
            option.process_value(context, defaults[name])
        except click.BadParameter as error:
            raise ValueError(f"{name}: {error.message}") from error
    return defaults


def as_plain(context: click.Context, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data that may be in several forms, such as a text or a list, in that of `given_options`.

    Raises ValueError as `as_defaults`.
    """
    options = training_options(context.command)
    return {
        name: plain(name, options[name].process_value(context, value))
        for name, value in as_defaults(context, stored).items()
    }


def _form(name: str, option: click.Parameter) -> Form:
    if name in FORMS:
        return FORMS[name]
    if option.nargs == -1 or option.multiple:
        return TEXTS
    by_type = {
        click.types.BoolParamType: FLAG,
        click.types.IntParamType: WHOLE,
        click.types.FloatParamType: NUMBER,
    }
    return next((form for kind, form in by_type.items() if isinstance(option.type, kind)), TEXT)


def _for_click(option: click.Parameter, value: Any) -> Any:
    """Return a value as the option's conversion takes it, whose lists are texts given one by one."""
    if not (option.nargs == -1 or option.multiple):
        return value
    texts = [value] if isinstance(value, str) else value
    if option.callback is not names:
        return texts
    return ['"{}"'.format(text.replace('"', '""')) for text in texts]  # a comma is a part of the name
