"""The command ``fuseprop``: train a network on a table, ask it, and score it; learn how networks learn.

Results go to standard output, everything else to standard error. Exit codes: 0 success, 1 failure, 2 wrong
use of the command, 3 a device that is not available, 4 training that diverged, 130 interruption.
"""

from __future__ import annotations

from typing import Any

import click

from .. import __version__
from ..backend import BackendUnavailable
from ..defaults import SettingsError
from ..divergence import DivergenceError
from ..quoting import printable
from .doctor import doctor
from .evaluate import evaluate
from .exit_codes import DIVERGED, FAILED, INTERRUPTED, UNAVAILABLE
from .learn import learn
from .predict import predict
from .train import train


class Commands(click.Group):
    """A group whose commands end with a message and an exit code where the input is to blame."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn the errors that it may raise into exit codes."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\ninterrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except SettingsError as error:
            raise click.UsageError(str(error)) from error
        except BackendUnavailable as error:
            raise _told(error, UNAVAILABLE) from error
        except DivergenceError as error:
            raise _told(error, DIVERGED) from error
        except BrokenPipeError:
            raise  # click ends quietly when nobody reads any more
        except (ValueError, OSError, MemoryError) as error:
            raise _told(error, FAILED) from error


def _told(error: Exception, exit_code: int) -> click.exceptions.Exit:
    """Print an error; return what ends the command."""
    click.echo(f"Error: {printable(str(error))}", err=True)
    return click.exceptions.Exit(exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fuseprop")
def main() -> None:
    """Train dense neural networks on tables.

    \b
    fuseprop train digits
    fuseprop train houses.csv --target price --out houses.safetensors
    fuseprop predict houses.safetensors new.csv
    fuseprop learn xor
    """  # noqa: D301 (click's mark for lines that are not to be wrapped)


main.add_command(train)
main.add_command(predict)
main.add_command(evaluate)
main.add_command(learn)
main.add_command(doctor)
