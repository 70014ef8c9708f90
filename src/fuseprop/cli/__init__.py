"""The command ``fuseprop``: train a network on a table, ask it, and score it; learn how networks learn.

Results go to standard output, everything else to standard error. Exit codes: 0 success, 1 failure, also of
what was to be shown or drawn beside the results, 2 wrong use of the command, 3 a device that is not
available, 4 training that diverged, 130 interruption.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from .. import __version__
from ..backend import BackendUnavailable
from ..checks.quoting import printable
from ..model.settings import SettingsError
from ..training.divergence import DivergenceError
from .doctor import doctor
from .evaluate import evaluate
from .exit_codes import DIVERGED, FAILED, INTERRUPTED, UNAVAILABLE
from .interruption import Interruption
from .learn import learn
from .output import Run, flush, reason, whole_streams
from .predict import predict
from .train import train


class Commands(click.Group):
    """A group whose commands end with a message and an exit code, whatever ends them."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command; end the process with its exit code, as click does, unless told otherwise."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        with Interruption() as interruption, whole_streams():
            run = Run(interruption)
            try:
                made = super().main(args, prog_name, complete_var, False, obj=run, **extra)
                code = made if isinstance(made, int) else 0
            except click.ClickException as error:
                vars(error)["message"] = printable(error.message)  # it quotes arguments as they are
                if sys.stderr is not None:  # click would take standard output
                    with run.beside("the error could not be shown"):
                        error.show()
                code = error.exit_code
            except (KeyboardInterrupt, click.Abort):  # click makes the one from the other
                interruption.received, code = True, INTERRUPTED
            except SystemExit as error:  # click ends so where nobody reads what it writes
                code = error.code if isinstance(error.code, int) else FAILED
            except OSError as error:  # of help and version
                run.failed("Error", reason(error))
                code = FAILED
            except BaseException:
                if not interruption.received:
                    raise
                code = INTERRUPTED
            return sys.exit(_end(run, code))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn the errors that it may raise into exit codes."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            Run.current().interruption.received = True
            raise click.exceptions.Exit(INTERRUPTED) from error
        except SettingsError as error:
            raise click.UsageError(str(error)) from error
        except BackendUnavailable as error:
            raise _told(error, UNAVAILABLE) from error
        except DivergenceError as error:
            raise _told(error, DIVERGED) from error
        except BrokenPipeError as error:  # nobody reads any more
            raise click.exceptions.Exit(FAILED) from error
        except (ValueError, OSError, MemoryError) as error:
            raise _told(error, FAILED) from error


def _told(error: Exception, exit_code: int) -> click.exceptions.Exit:
    """Print an error, unless Ctrl-C is what is behind it; return what ends the command."""
    run = Run.current()
    if not run.interruption.received:
        run.say(f"Error: {printable(reason(error))}")
    return click.exceptions.Exit(exit_code)


def _end(run: Run, code: int) -> int:
    """Say what failed beside the results, and that the command was interrupted; return the exit code."""
    for failure in run.failures:
        _last_words(failure if failure.startswith("Error: ") else f"Error: {failure}")
    if run.interruption.received:
        if not run.interruption.told:
            _last_words("\ninterrupted.")
        code = INTERRUPTED
    flushed = [flush(stream) for stream in (sys.stdout, sys.stderr)]
    return code or (FAILED if run.failures or not all(flushed) else 0)


def _last_words(text: str) -> None:
    if sys.stderr is None:
        return
    with Run().beside("the end"):  # there is nowhere left to say that this failed
        click.echo(text, err=True)


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
