"""How results are written: JSON that every parser takes, numbers that are not longer than they are true.

Nothing that steers a terminal is written to one: names and cells come from files.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

import click
import numpy as np

from ..data import UnlikeTrainingWarning
from ..quoting import printable


def echo_json(result: dict[str, Any]) -> None:
    """Write one JSON object to standard output; numbers that are not finite become null."""
    text = json.dumps(_plain(result), indent=2, allow_nan=False, ensure_ascii=False)
    click.echo("\n".join(line if line.isprintable() else _ascii(line) for line in text.split("\n")))


def cell(value: object, dtype: str) -> str:
    """Return a number in as many digits as tell it apart in `dtype`, anything else as text."""
    if isinstance(value, float | np.floating):
        return str(np.dtype(dtype).type(value))
    return str(value)


def spreadsheet_cell(text: str) -> str:
    """Return a text as a spreadsheet takes it for one: with an apostrophe where it would compute it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@contextmanager
def warnings_told() -> Iterator[None]:
    """Write warnings of fuseprop's own as a line each to standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UnlikeTrainingWarning)
        before = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, UnlikeTrainingWarning):
                click.echo(f"Warning: {printable(str(message))}", err=True)
            else:
                before(message, category, *place, **more)

        warnings.showwarning = tell
        yield


def _ascii(text: str) -> str:
    """Return a line of JSON with everything that is not printable as JSON's own escapes."""
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1] for character in text
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not isfinite(value) else value
