"""Opening and reading files of unknown content: a bad file raises one error type, which names the file.

Parsers raise many kinds of errors on bad data, and some warn. Each reader of a format therefore works within
`file_errors_as`, which turns all of them into the format's own error.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL, EISDIR
from pathlib import Path
from typing import BinaryIO

from ..checks.quoting import shown
from .fatal import raise_fatal_cause

REASON = 200
"""Messages of libraries are cut after this many characters."""


@contextmanager
def file_errors_as(error_type: type[ValueError], path: Path, what: str, hint: str) -> Iterator[None]:
    """Raise `error_type`, with a text that names the file, for any exception while a file is read.

    Parameters
    ----------
    error_type : type of ValueError
        The error of the format; raised inside, it passes unchanged.
    path : Path
        The file that is read.
    what : str
        The kind of file that is expected, such as "an NPZ file".
    hint : str
        A sentence that says how to get one, such as "numpy.savez(path, X=X, y=y) writes one."

    The exception is kept as the cause. KeyboardInterrupt and SystemExit pass; warnings are ignored.
    """
    place = shown(path, None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except error_type:
        raise
    except FileNotFoundError:
        raise error_type(f"{place}: there is no such file.") from None
    except IsADirectoryError as error:
        raise error_type(f"{place} is a directory; expected {what}. {hint}") from error
    except OSError as error:
        raise error_type(f"{place} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise error_type(f"{place} cannot be read: there is not enough memory for what it holds.") from error
    except Exception as error:
        raise_fatal_cause(error)
        raise error_type(f"{place} is not {what} ({_reason(error)}). {hint}") from error


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, or a symbolic link to one, to be read.

    Raises OSError for anything else: a device may never end, and a pipe cannot be read twice.
    """
    if path.is_dir():  # Windows would say "Permission denied"
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    # O_NONBLOCK: opening a pipe without a writer would block.
    file = os.fdopen(
        os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb"
    )
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(EINVAL, "it is a pipe or a device. Save what it gives to a file first", str(path))


def _reason(error: Exception) -> str:
    kind, text = type(error).__name__, str(error)
    return f"{kind}: {shown(text, REASON)}" if text else kind
