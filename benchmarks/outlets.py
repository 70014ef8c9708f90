"""Where a benchmark's words and files go: words may fail without its results, a folder before it measures."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click


def say(text: str, *, err: bool = True) -> None:
    """Write a line to standard error, or output; once that cannot be written, it goes nowhere."""
    try:
        click.echo(text, err=err)
    except (OSError, ValueError):
        from fuseprop.cli.output import flush

        flush(sys.stderr if err else sys.stdout)


def ready(folder: Path, option: str) -> None:
    """Make a folder where it is not there; raises click.UsageError where no file can be written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise click.UsageError(
            f"{option}: no file can be written in {folder}: {error.strerror}. Name another folder."
        ) from error


class Positive(click.ParamType):
    """A number above 0, infinity too."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return it as a float; what is no such number is a usage error."""
        found = float(click.FLOAT.convert(value, param, ctx))
        if not found > 0:  # nor is nan
            self.fail(f"expected a number above 0, got {value}.", param, ctx)
        return found
