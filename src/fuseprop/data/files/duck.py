"""DuckDB as a tokenizer of delimited text that detects nothing and opens nothing but what it is handed."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...installing import how_to_install
from ..errors import DataError
from .arrow import Doubles, StreamError, Strings, blocks
from .text import LONGEST_LINE

MEMORY = "2GB"
"""What DuckDB may take; it holds some blocks of the file."""

PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of Linux, which `fcntl` has from Python 3.10 on there


class Refused(Exception):
    """DuckDB's own words for what it could not read."""


def module() -> Any:
    """Return the module `duckdb`. Raises DataError with what to type where it is not installed."""
    try:
        import duckdb
    except ImportError as error:
        raise DataError(
            f"reading a table from a file needs DuckDB, which is not installed. Type: "
            f"{how_to_install('tables')}."
        ) from error
    return duckdb


def literal_of(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def delimited(path: str, columns: int, delimiter: str, quote: str) -> str:
    """Return the SQL of a file's rows as texts c0, c1, ..., of which DuckDB decides nothing."""
    types = ",".join(f"'c{i}':'VARCHAR'" for i in range(columns))
    settings = {
        "auto_detect": "false",
        "columns": f"{{{types}}}",
        "delim": literal_of(delimiter),
        "quote": literal_of(quote),
        "escape": literal_of(quote),
        "comment": "''",
        "header": "false",
        "new_line": "'\\n'",
        "strict_mode": "true",
        "null_padding": "false",
        "max_line_size": LONGEST_LINE + 1,
        "buffer_size": 2 * (LONGEST_LINE + 1),
    }
    return f"read_csv({literal_of(path)}, {', '.join(f'{name}={value}' for name, value in settings.items())})"


@contextmanager
def connected(path: str) -> Iterator[Any]:
    """Give a connection by which nothing but the file at `path` can be opened.

    Raises Refused with DuckDB's words; KeyboardInterrupt for Ctrl-C meanwhile.
    """
    duckdb = module()
    connection = duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": MEMORY,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "arrow_large_buffer_size": True,
        }
    )
    try:
        connection.execute("SET enable_progress_bar=false")
        connection.execute(f"SET allowed_paths=[{literal_of(path)}]")
        connection.execute("SET enable_external_access=false")
        connection.execute("SET lock_configuration=true")
        yield connection
    except (duckdb.Error, StreamError) as error:
        if isinstance(error, duckdb.InterruptException):
            raise KeyboardInterrupt from error
        raise Refused(str(error)) from error
    except RuntimeError as error:
        if "nterrupt" in str(error):
            raise KeyboardInterrupt from error
        raise
    finally:
        connection.close()


def stream(query: str, path: str) -> Iterator[list[Doubles | Strings]]:
    """Yield the blocks of a query's result; see `connected`."""
    with connected(path) as connection:
        yield from blocks(connection.sql(query))


@contextmanager
def fed(parts: Iterable[bytes]) -> Iterator[str]:
    """Give a path from which `parts` can be read once, in order; whoever reads it sees no other file's name.

    Raises at the end what `parts` raised, whatever became of the reader.
    """
    if not Path("/dev/fd").exists():  # Windows
        with _copied(parts) as path:
            yield path
        return
    reading, writing = os.pipe()
    _widen(writing)
    feeder = _Feeder(parts, writing)
    feeder.start()
    try:
        yield f"/dev/fd/{reading}"
    except Refused:
        if feeder.error is None:
            raise
    finally:
        os.close(reading)
        feeder.join()
    if feeder.error is not None:
        raise feeder.error


class _Feeder(threading.Thread):
    def __init__(self, parts: Iterable[bytes], writing: int) -> None:
        super().__init__(daemon=True)
        self._parts = parts
        self._writing = writing
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with suppress(BrokenPipeError):  # the reader has had enough
                for part in self._parts:
                    rest = memoryview(part)
                    while rest:
                        rest = rest[os.write(self._writing, rest) :]
        except BaseException as error:
            self.error = error
        finally:
            os.close(self._writing)


def _widen(pipe: int) -> None:
    """Let a pipe hold a block, where the system allows that."""
    try:
        import fcntl
    except ImportError:
        return
    with suppress(OSError):
        fcntl.fcntl(pipe, getattr(fcntl, "F_SETPIPE_SZ", _SET_PIPE_SIZE), PIPE_BYTES)


@contextmanager
def _copied(parts: Iterable[bytes]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="fuseprop-") as folder:
        path = Path(folder) / "table.csv"
        with path.open("wb") as file:
            file.writelines(parts)
        yield str(path)
