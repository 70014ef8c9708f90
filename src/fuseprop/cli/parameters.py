"""What the commands' arguments and options accept, and how it is told when they do not.

Each function turns the text of one into its value, or raises click.BadParameter: exit code 2, with the usage.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..backend.registry import VARIABLE
from ..checks.choices import choose
from ..checks.quoting import shown
from ..checks.settings import positive_integer
from ..data import DataError, is_file_name
from ..formulas.activations import check_activation
from ..model.files import SUFFIX
from ..plots import PlotsUnavailable, check_plot
from ..storage.atomic import check_place

Command = TypeVar("Command", bound=Callable[..., Any])

device = click.option(
    "--device",
    help=f"auto, cpu, cuda, cuda:1 or a backend's name [what {VARIABLE} names, or auto].",
)

any_size = click.option(
    "--any-size", is_flag=True, help="Let an NPZ file unpack to more than 100 times its size, and 1 GiB."
)


def data(text: str) -> str:
    """A file, or the name of a built-in data set; what looks like such a name and is none is refused."""
    try:
        is_file_name(text)
    except DataError as error:
        raise click.BadParameter(str(error)) from error
    return text


def target(about: str) -> Callable[[Command], Command]:
    """The option --target: names with commas between them, or the option again for each."""
    return click.option("--target", multiple=True, callback=_names, help=about)


def _names(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return all names in these texts; one with a comma stands in double quotes. None where there is none."""
    parts = [name.strip() for text in texts for name in _cells(text)]
    if "" in parts or len(set(parts)) < len(parts):
        told = " ".join(map(repr, texts))
        raise click.BadParameter(f"expected different names with commas between them, got {told}.")
    return tuple(parts) or None


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text], skipinitialspace=True)) or [""]
    except csv.Error:  # a line break, or more text than any header holds
        return [""]


def sizes(text: str) -> tuple[int, ...]:
    """Layer sizes such as 64,32; nothing or "none" for no layer."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(positive_integer("a hidden layer's size", int(size)) for size in text.split(","))
    except ValueError as error:
        raise click.BadParameter(
            f'expected whole numbers of at least 1 such as 64,32, or "none"; got {text!r}.'
        ) from error


def one_of(kind: str, choices: Mapping[str, object]) -> Callable[[str], str]:
    """Return what accepts one name among choices and suggests the closest for any other."""

    def name(text: str) -> str:
        try:
            choose(kind, text, choices)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        return text

    return name


def activations(text: str) -> tuple[str, ...]:
    """Names of activations with commas between them, repeated or not."""
    names = tuple(name.strip() for name in text.split(","))
    try:
        for name in names:
            check_activation(name)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return names


def model_path(text: str) -> Path:
    """A model file that can be written: found out before hours of training, not after."""
    path = Path(text)
    if path.suffix != SUFFIX:
        raise click.BadParameter(f"expected a name that ends in {SUFFIX}, got {text!r}.")
    _writable(interrupted_path(path))
    return _writable(path)


def interrupted_path(path: Path) -> Path:
    """Return where a model goes whose training was interrupted: beside the one that may be there."""
    return path.with_suffix(f".interrupted{path.suffix}")


def plot_path(text: str) -> Path:
    """A picture that can be drawn and written: found out before training, not after."""
    try:
        path = check_plot(text)
    except (ValueError, PlotsUnavailable) as error:
        raise click.BadParameter(str(error)) from error
    return _writable(path)


def _writable(path: Path) -> Path:
    try:
        check_place(path)
    except OSError as error:
        why = error.strerror or error
        raise click.BadParameter(f"{shown(path, None)} cannot be written: {why}.") from error
    return path
