"""The entry point of ``fuseprop`` and ``python -m fuseprop``.

Importing the command takes half a second, during which Ctrl-C must end the process as it ends the command. So
this module imports only what Python has already loaded, and `fuseprop/__init__.py` imports lazily.
"""

import os
import signal

INTERRUPTED = 130
"""The exit code after Ctrl-C, as in `cli/exit_codes.py`."""


def main() -> None:
    """Run the command and end the process."""
    _open_standard_streams()
    handles_ctrl_c = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if handles_ctrl_c:
        signal.signal(signal.SIGINT, _leave)
    from .cli import main as command

    try:
        command(prog_name="fuseprop")
    finally:
        if handles_ctrl_c:  # everything is done: Ctrl-C would only change the exit code
            signal.signal(signal.SIGINT, signal.SIG_IGN)


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


def _leave(*_: object) -> None:
    """End the process at once: the command has not begun."""
    try:
        os.write(2, b"\ninterrupted.\n")
    finally:
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
