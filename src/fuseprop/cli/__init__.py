"""The command ``fuseprop``: train, predict and evaluate on tables; learn topics of a course; doctor, verify.

Results go to standard output, everything else to standard error. Exit codes: 0 success; 1 failure, even if
only of a picture or of text on standard error; 2 wrong use of the command; 3 a device that is not available;
4 training that diverged; 128 + n a signal: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP.

One file per subcommand: train, inspect, predict, evaluate, explain, convert, learn, bench, verify, doctor
(whose checks are in `examination`). `parameters` converts arguments, `output` writes results and errors,
`training_report` puts a training into words, `folds` and `tuning` many of them, `interruption` handles
signals.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from .. import __version__
from ..checks.quoting import printable
from ..model.settings import SettingsError
from .bench import bench
from .convert import convert
from .doctor import doctor
from .evaluate import evaluate
from .exit_codes import FAILED, OF_ERRORS, code_of
from .explain import explain
from .inspect import inspect
from .interruption import Interruption
from .last_resort import LastResort
from .learn import learn
from .output import Run, flush, reason, whole_streams
from .predict import predict
from .processes import ends_with_words, only_first_speaks, show_own, together
from .train import train
from .verify import verify


class Commands(click.Group):
    """A group of commands in which every exception becomes a message and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command; as click does, end the process with its exit code if `standalone_mode`."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        args = sys.argv[1:] if args is None else [*args]
        with (
            LastResort() as last_resort,
            Interruption() as interruption,
            whole_streams(),
            only_first_speaks(),
        ):
            run = Run(interruption, args)
            last_resort.last_words = lambda: run.last_words()
            last_resort.ending = lambda: ends_with_words(run)
            try:
                returned = super().main(args, prog_name, complete_var, False, obj=run, **extra)
                code = returned if isinstance(returned, int) else 0
            except click.ClickException as error:
                vars(error)["message"] = printable(error.message)  # it quotes arguments unescaped
                if sys.stderr is not None:  # click would write to standard output instead
                    with run.noting_failure("the error could not be shown"):
                        error.show()
                code = error.exit_code
            except (KeyboardInterrupt, click.Abort):  # click raises Abort for KeyboardInterrupt
                interruption.received, code = True, interruption.exit_code
            except SystemExit as error:  # click's reaction to a closed pipe; a second Ctrl-C
                code = error.code if isinstance(error.code, int) else FAILED
            except OSError as error:  # from writing click's help or version
                run.note_failure("Error", reason(error))
                code = FAILED
            except BaseException:
                if not interruption.received:
                    raise
                code = interruption.exit_code
            return sys.exit(_finish(run, code))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; print the errors that it may raise, and turn them into exit codes."""
        run = Run.current()
        try:
            with together(run.words):
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            run.interruption.received = True
            raise click.exceptions.Exit(run.interruption.exit_code) from error
        except SettingsError as error:
            raise click.UsageError(str(error)) from error
        except BrokenPipeError as error:  # the reader of the output has ended
            raise click.exceptions.Exit(FAILED) from error
        except tuple(kind for kind, _ in OF_ERRORS) as error:
            raise _printed(error) from error


def _printed(error: BaseException) -> click.exceptions.Exit:
    """Print an error, unless a signal may have caused it; return the exception that ends the command."""
    run = Run.current()
    if not run.interruption.received:
        run.say(f"Error: {printable(reason(error))}")
    return click.exceptions.Exit(code_of(error) or FAILED)


def _finish(run: Run, code: int) -> int:
    """Print the failures noted during the run, and which signal ended it; return the exit code."""
    for failure in run.failures:
        text = failure if failure.startswith("Error: ") else f"Error: {failure}"
        _print_at_end(text)
        show_own(text)
    interruption = run.interruption
    if interruption.received:
        if interruption.again:
            _print_at_end(f"\ninterrupted again: nothing more was written.\n{run.last_words()}".rstrip("\n"))
        elif not interruption.announced:
            _print_at_end(f"\n{interruption.name}.")
        code = interruption.exit_code
    flushed = [flush(stream) for stream in (sys.stdout, sys.stderr)]
    return code or (FAILED if run.failures or not all(flushed) else 0)


def _print_at_end(text: str) -> None:
    if sys.stderr is None:
        return
    with Run().noting_failure("the end"):  # in a `Run` of its own: a failure here cannot be printed any more
        click.echo(text, err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fuseprop")
def main() -> None:
    """Train dense neural networks on tables.

    \b
    fuseprop train digits
    fuseprop inspect houses.csv
    fuseprop train houses.csv --target price --out houses.safetensors
    fuseprop predict houses.safetensors new.csv
    fuseprop explain houses.safetensors sold.csv
    fuseprop convert houses.safetensors houses.onnx
    fuseprop learn xor
    fuseprop bench
    """  # noqa: D301 (click keeps the line breaks of a paragraph that begins with \b)


main.add_command(train)
main.add_command(inspect)
main.add_command(predict)
main.add_command(evaluate)
main.add_command(explain)
main.add_command(convert)
main.add_command(learn)
main.add_command(bench)
main.add_command(doctor)
main.add_command(verify)
