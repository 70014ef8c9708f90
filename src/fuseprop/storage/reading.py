"""Files from anywhere: what is opened at all, and the border at which a bad file becomes one error.

Parsers raise more kinds of errors than anybody lists, and warn besides. So whoever reads a format does it
within one `border`, which lets nothing through but results, its own error, and what ends the process.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL
from pathlib import Path
from typing import BinaryIO

from ..checks.quoting import shown
from .endings import let_through

REASON = 200
"""As many characters are shown of what a library said."""


@contextmanager
def border(path: Path, refusal: type[ValueError], what: str, hint: str) -> Iterator[None]:
    """Raise `refusal`, with a text that names the file, for whatever goes wrong while a file is read.

    Parameters
    ----------
    path : Path
    refusal : type of ValueError
        The one error of the format.
    what : str
        What was expected and how to get it, "an NPZ file. numpy.savez(path, X=X, y=y) writes one".

    The cause is kept. KeyboardInterrupt, SystemExit and the like pass, warnings of libraries are dropped.
    """
    place = shown(path, None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except refusal:
        raise
    except FileNotFoundError:
        raise refusal(f"{place}: there is no such file.") from None
    except IsADirectoryError as error:
        raise refusal(f"{place} is a directory; expected {what}. {hint}") from error
    except OSError as error:
        raise refusal(f"{place} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise refusal(f"{place} cannot be read: there is not enough memory for what it holds.") from error
    except Exception as error:
        let_through(error)
        raise refusal(f"{place} is not {what} ({_reason(error)}). {hint}") from error


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, perhaps behind symbolic links, to be read.

    Raises OSError for anything else: a device may never end, and a pipe cannot be read twice.
    """
    # A pipe that nobody writes to would be waited for.
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
