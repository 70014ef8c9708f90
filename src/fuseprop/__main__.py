"""The entry point of ``fuseprop`` and ``python -m fuseprop``.

Importing the command takes half a second, during which a signal must end the process as it ends the command.
So this module imports only what Python has already loaded, and `fuseprop/__init__.py` imports lazily.
"""

import os
import signal

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
"""The signals that end the command; Windows has no SIGHUP."""

SIGNALLED = 128
"""The exit code after a signal is that much more than its number, as in `cli/exit_codes.py`."""

RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
"""Where launchers write the number of a process among several, as in `world/launch.py`; process 0 speaks."""

_AS_PYTHON_STARTS = (signal.SIG_DFL, signal.default_int_handler)


def main() -> None:
    """Run the command and end the process."""
    _open_standard_streams()
    ending = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    handled = [number for number in ending if signal.getsignal(number) in _AS_PYTHON_STARTS]
    for number in handled:
        signal.signal(number, _leave)
    from .cli import main as command

    try:
        command(prog_name="fuseprop")
    finally:
        for number in handled:  # everything is done: a signal would only change the exit code
            signal.signal(number, signal.SIG_IGN)


def _open_standard_streams() -> None:
    """Open those of the three standard streams that are closed, on the null device.

    Otherwise the next file that is opened, such as a model file, gets the descriptor of a standard stream,
    and text for that stream is written into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _leave(number: int, _: object) -> None:
    """End the process at once: the command has not begun.

    One of several dies by the signal: launchers end the others then, which would wait for it where it exits.
    """
    ranks = [os.environ[name] for name in RANKS if name in os.environ]
    try:
        if all(rank == "0" for rank in ranks):
            os.write(2, b"\ninterrupted.\n" if number == signal.SIGINT else b"\nterminated.\n")
        if ranks:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
    finally:
        os._exit(SIGNALLED + number)


if __name__ == "__main__":
    main()
