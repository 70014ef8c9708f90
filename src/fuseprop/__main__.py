"""The process of the command: ``fuseprop`` and ``python -m fuseprop`` begin here.

Between this and the command lies half a second of imports, which Ctrl-C ends as it ends the command. So what
is imported here, Python has loaded itself, and `fuseprop/__init__.py` imports the library when asked for it.
"""

import os
import signal

INTERRUPTED = 130


def main() -> None:
    """Run the command and end the process."""
    _open_standard_streams()
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:
        signal.signal(signal.SIGINT, _leave)
    from .cli import main as command

    try:
        command(prog_name="fuseprop")
    finally:
        if listens:  # all is said and done, and Ctrl-C would change the exit code alone
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _open_standard_streams() -> None:
    """Open those of the three standard streams that are closed, on nothing.

    Otherwise the next file that is opened, a model perhaps, is one of them, and holds what is written there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _leave(*_: object) -> None:
    """End the process at once: nothing has begun yet."""
    try:
        os.write(2, b"\ninterrupted.\n")
    finally:
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
