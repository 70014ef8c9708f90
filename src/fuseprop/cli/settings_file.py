"""`fuseprop train --settings FILE`: the options of a training in a TOML file, written and read.

Options that are given beside the file win. A relative path of data counts from the folder of the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..checks.quoting import shown
from ..storage.reading import file_errors_as, open_file
from .options import absolute, as_defaults, as_plain

LONGEST = 1 << 20
"""Settings files of more bytes are refused."""

WHAT = "a settings file in TOML"
HINT = "`fuseprop train DATA --run DIR` writes one, DIR/settings.toml."


GIVEN = "fuseprop.settings"
"""The key of the context's `meta` under which the options in the file stand, as plain data."""


PLACE = "fuseprop.settings.place"
"""The key under which the path of the file stands there."""


class SettingsFileError(ValueError):
    """A settings file that cannot be read."""


def _read(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    """Make the options in a file the defaults of the command, before any other option is looked at."""
    if path is None or context.resilient_parsing:
        return
    try:
        settings = read_settings(path)
        # What goes on has options of its own, which those given must not change: see `resuming`.
        context.default_map = {**as_defaults(context, settings), **(context.default_map or {})}
        context.meta[GIVEN], context.meta[PLACE] = as_plain(context, settings), path
    except SettingsFileError as error:
        raise click.BadParameter(str(error), context, option) from error
    except ValueError as error:
        raise click.BadParameter(f"{shown(path, None)}: {error}", context, option) from error


settings = click.option(
    "--settings",
    type=click.Path(path_type=Path),
    callback=_read,
    is_eager=True,
    expose_value=False,
    help="Options in a TOML file, as --run keeps them; those that are given beside it win.",
)


def settings_read() -> list[Path]:
    """Return the path of the settings file that the command has read, if there is one."""
    place = click.get_current_context().meta.get(PLACE)
    return [] if place is None else [place]


def read_settings(path: Path) -> dict[str, Any]:
    """Return what a settings file holds, with absolute paths of data.

    Raises SettingsFileError for what is no TOML file of at most 1 MiB; DataError for an unknown data set.
    """
    with file_errors_as(SettingsFileError, path, WHAT, HINT):
        with open_file(path) as file:
            content = file.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise ValueError("it holds more than 1 MiB")
        settings = tomllib.loads(content.decode())
    data = settings.get("data")
    texts = [data] if isinstance(data, str) else data
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        settings["data"] = [absolute(text, path.parent) for text in texts]
    return settings


def settings_text(options: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    """Return a settings file of these options; below them, as comments, what the rules chose.

    Raises ValueError for a path or a name that is no Unicode text.
    """
    import tomli_w  # which no other command needs

    tables = {name: value for name, value in options.items() if isinstance(value, dict)}
    plain = {name: value for name, value in options.items() if name not in tables}
    comments = tomli_w.dumps(dict(chosen)).splitlines()
    parts = [
        "# Options of fuseprop train; --settings with this file's name trains with them again.\n",
        tomli_w.dumps(plain),
        f"\n# Chosen by the rules of fuseprop {__version__}, as they were not given:\n",
        *(f"# {line}\n" for line in comments),
        *(["\n", tomli_w.dumps(tables)] if tables else []),
    ]
    text = "".join(parts)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the settings cannot be written in TOML, which holds Unicode alone: "
            f"{error.object[max(0, error.start - 30) : error.end]!a} has bytes that are no text. Rename it."
        ) from error
    return text
