"""Arguments and options that commands share, and the conversion of their texts to values.

A conversion raises click.BadParameter for a text that it does not accept: exit code 2, with the usage. Those
of options that a settings file holds in another form than a text take that form too.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from ..backend.registry import VARIABLE
from ..checks.choices import choose
from ..checks.quoting import shown
from ..checks.settings import network_sizes, positive_integer
from ..data import DataError, is_file_name
from ..data.choices import HOW_MISSING, Choices
from ..data.errors import listed
from ..formulas.activation import as_trainable_activation
from ..formulas.families import Family
from ..formulas.loss import as_loss
from ..model.class_weights import BALANCED
from ..model.files import SUFFIX
from ..plots import PlotsUnavailable, check_plot
from ..plots.drawing.library import matplotlib
from ..storage.atomic import check_place, hidden_stem, is_same_place

TO_BE_MADE = "fuseprop.folder"
"""The key of the context's `meta` under which the path of a folder stands that the command will make."""

Command = TypeVar("Command", bound=Callable[..., Any])

device = click.option(
    "--device",
    help=f"auto, cpu, cuda, cuda:1 or a backend's name [what {VARIABLE} names, or auto].",
)

any_size = click.option(
    "--any-size", is_flag=True, help="Let an NPZ file unpack to more than 100 times its size, and 1 GiB."
)


class FiniteRange(click.FloatRange):
    """A range of numbers without nan, which every comparison lets through, and without infinity."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        """Return the number; fail for one that is not finite, or is out of the range."""
        number = float(super().convert(value, param, context))
        if not isfinite(number):
            self.fail(f"expected a finite number, got {value}.", param, context)
        return number


def check_data(
    _context: click.Context, _argument: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the paths of files, or the name of a built-in data set; raise for an unknown name."""
    for text in texts:
        try:
            if not is_file_name(text) and len(texts) > 1:
                others = listed([other for other in texts if other != text])
                raise click.BadParameter(f"the built-in data set {text} does not go with {others}.")
        except DataError as error:
            raise click.BadParameter(str(error)) from error
    return texts


data = click.argument("data", nargs=-1, required=True, callback=check_data)


def target(about: str) -> Callable[[Command], Command]:
    """Return the option --target: names separated by commas, or the option repeated for each."""
    return _names_option("--target", about)


def columns(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what the columns of a table are; the command gets them as `choices`."""

    @wraps(command)
    def with_choices(*, ignore_index: bool, missing: str, **given: Any) -> Any:
        features = given.pop("features")
        drop, numeric, categorical, date = (
            given.pop(name) or () for name in ("drop", "numeric", "categorical", "date")
        )
        choices = Choices(features, drop, numeric, categorical, date, ignore_index, missing)
        return command(choices=choices, **given)

    decorated: Callable[..., Any] = with_choices
    for option in reversed(
        [
            _names_option("--features", "The features, in this order [all other columns that may be one]."),
            _names_option("--drop", "Columns that are no features: a,b."),
            _names_option("--numeric", "Columns that are numbers."),
            _names_option("--categorical", "Columns whose cells are names, such as 1, 2, 3 for regions."),
            _names_option("--date", 'Columns that are dates; a format may follow: "when=%d/%m/%Y".'),
            click.option("--ignore-index", is_flag=True, help="The first column names rows: no feature."),
            click.option(
                "--missing",
                type=one_of("way with missing values", HOW_MISSING),
                default="encode",
                help="encode: fill empty cells and tell the network where; or refuse [encode].",
            ),
        ]
    ):
        decorated = option(decorated)
    return decorated


def _names_option(name: str, about: str) -> Callable[[Command], Command]:
    return click.option(name, multiple=True, callback=names, help=about)


def names(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return all names in these texts, or None without any; a name with a comma stands in double quotes."""
    parts = [name.strip() for text in texts or () for name in _cells(text)]
    if "" in parts or len(set(parts)) < len(parts):
        given = " ".join(map(repr, texts))
        raise click.BadParameter(f"expected different names with commas between them, got {given}.")
    return tuple(parts) or None


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text], skipinitialspace=True)) or [""]
    except csv.Error:  # a line break, or more text than any header holds
        return [""]


def sizes(given: str | Sequence[int]) -> tuple[int, ...]:
    """Return layer sizes, listed or written as 64,32; none for an empty text or "none"."""
    if isinstance(given, str) and given.strip().lower() in ("", "none"):
        return ()
    try:
        listed_sizes = given.split(",") if isinstance(given, str) else given
        return tuple(positive_integer("a hidden layer's size", int(size)) for size in listed_sizes)
    except ValueError as error:
        raise click.BadParameter(
            f'expected whole numbers of at least 1 such as 64,32, or "none"; got {given!r}.'
        ) from error


def layer_sizes(text: str) -> tuple[int, ...]:
    """Return layer sizes, inputs first, written as 64-32-10."""
    try:
        return tuple(network_sizes(text))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def one_of(kind: str, choices: Mapping[str, object]) -> Callable[[str], str]:
    """Return a conversion that accepts the names of `choices`, and suggests the closest for any other."""

    def name(text: str) -> str:
        try:
            choose(kind, text, choices)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        return text

    return name


def activations(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return names of activations, listed or with commas outside of parentheses between them.

    A name may be repeated.
    """
    parts = _outside_of_parentheses(given) if isinstance(given, str) else given
    functions = [part.strip() for part in parts]
    try:
        for function in functions:
            as_trainable_activation(function)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return tuple(functions)


def _outside_of_parentheses(text: str) -> Iterator[str]:
    """Yield the parts of a text between the commas that do not stand in parentheses."""
    parts, inside = [], 0
    for part in text.split(","):
        parts.append(part)
        inside += part.count("(") - part.count(")")
        if inside <= 0:
            yield ",".join(parts)
            parts, inside = [], 0
    if parts:
        yield ",".join(parts)


def loss(text: str) -> str:
    """Return the name of a loss, perhaps with parameters."""
    try:
        as_loss(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return text.strip()


def class_weight(given: str | Mapping[str, float]) -> str | dict[str, float]:
    """Return "balanced", or weights by class, written as no=1,yes=5; quotes as for names of columns."""
    if not isinstance(given, str):
        return {name: float(weight) for name, weight in given.items()}
    if given.strip() == BALANCED:
        return BALANCED
    weights: dict[str, float] = {}
    try:
        for cell in _cells(given):
            name, _, weight = cell.rpartition("=")
            if not name.strip() or name.strip() in weights:
                raise ValueError("no name, or one that is there already")
            weights[name.strip()] = float(weight)
    except ValueError as error:
        raise click.BadParameter(
            f"expected {BALANCED}, or different classes with their weights such as no=1,yes=5; got {given!r}."
        ) from error
    return weights


def usages(families: Mapping[str, Family[Any]]) -> str:
    """Return the names of formulas for a help text, with their parameters and defaults."""
    return ", ".join(family.usage for family in families.values())


def model_path(text: str) -> Path:
    """Return the path of a model file; raise before training if it could not be written after it."""
    return writable_with(text, interrupted_path)


def writable_with(text: str, beside: Callable[[Path], Path]) -> Path:
    """Return the path of a .safetensors file; raise if it, or the one beside it, could not be written."""
    path = Path(text)
    if path.suffix != SUFFIX:
        raise click.BadParameter(f"expected a name that ends in {SUFFIX}, got {text!r}.")
    writable(path)
    writable(beside(path))
    return path


def interrupted_path(path: Path) -> Path:
    """Return the path for the model of an interrupted training, next to `path`, which is left unchanged."""
    return path.with_suffix(f".interrupted{path.suffix}")


def plot_path(text: str) -> Path:
    """Return the path of a picture; raise before training if it could not be drawn or written after it."""
    return _drawable(text, moving=False)


def film_path(text: str) -> Path:
    """Return the path of a picture or of one that moves; raise as `plot_path`."""
    return _drawable(text, moving=True)


def _drawable(text: str, *, moving: bool) -> Path:
    try:
        check_plot(Path(text).name, moving=moving)  # its folder may be one that the command makes
    except (ValueError, PlotsUnavailable) as error:
        raise click.BadParameter(str(error)) from error
    return writable(Path(text))


def page_path(text: str) -> Path:
    """Return the path of an HTML page; raise for one that could not be written in the end."""
    path = Path(text)
    if path.suffix != ".html":
        raise click.BadParameter(f"expected a name that ends in .html, got {text!r}.")
    return writable(path)


def report_path(text: str) -> Path:
    """Return the path of a page with pictures; raise before training as `page_path` and `plot_path`."""
    path = page_path(text)
    try:
        matplotlib()
    except PlotsUnavailable as error:
        raise click.BadParameter(str(error)) from error
    return path


def writable(path: Path) -> Path:
    """Return a path at which a file can be written; raise for any other.

    It may be in a folder that is not there yet, where the command makes that first.
    """
    context = click.get_current_context(silent=True)
    folder = None if context is None else context.meta.get(TO_BE_MADE)
    try:
        if folder is not None and is_same_place(path.parent, folder):
            hidden_stem(path)
        else:
            check_place(path)
    except OSError as error:
        why = error.strerror or error
        raise click.BadParameter(f"{shown(path, None)} cannot be written: {why}.") from error
    return path
