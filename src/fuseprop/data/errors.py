"""DataError, and the checks and lists of column names in its messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from shlex import quote
from typing import Any

from ..checks.choices import suggestion
from ..checks.quoting import LIMIT, literal, printable, shown


class DataError(ValueError):
    """Data that cannot be read or used; the text names the place and says what to do."""


def as_names(what: str, names: Any) -> tuple[str, ...] | None:
    """Return one name or several as a tuple, None as None; raise TypeError for anything else.

    `what` is the parameter's name, for the message.
    """
    if names is None or isinstance(names, str):
        return None if names is None else (names,)
    if not isinstance(names, Iterable):
        raise TypeError(f"{what} must be the names of columns, such as ('a', 'b'), got {literal(names)}.")
    return tuple(str(name) for name in names)


def check_columns(wanted: Sequence[str], present: Sequence[str], source: str, what: str) -> None:
    """Raise DataError if a wanted column is not present, or is wanted twice.

    The error lists the missing columns and the present ones, and suggests the closest name. `what` is a
    plural, such as "features".
    """
    check_different(wanted, source, what)
    known = set(present)
    missing = [name for name in wanted if name not in known]
    if missing:
        kind = what.removesuffix("s") if len(missing) == 1 else what
        raise DataError(
            f"{source} lacks the {kind} {listed(missing)}. Columns there: {listed(present)}."
            f"{_with_commas(missing, present) or suggestion(missing[0], present)}"
        )


def check_different(names: Sequence[str], source: str, what: str) -> None:
    """Raise DataError if a name occurs twice in `names`."""
    twice = repeated(names)
    if twice:
        raise DataError(f"{source}: {listed(twice)} stands more than once among the {what}. Name it once.")


def repeated(names: Sequence[str]) -> list[str]:
    """Return the names that occur more than once, each of them once."""
    if len(set(names)) == len(names):  # much faster than counting them
        return []
    return [name for name, count in Counter(names).items() if count > 1]


def _with_commas(missing: Sequence[str], present: Sequence[str]) -> str:
    """Return how to type a name with commas, if the missing names are the parts of one; else ""."""
    for name in present:
        if "," in name and {part.strip() for part in name.split(",")} <= set(missing):
            return f" In the command a name with a comma stands in double quotes: {argument(name)}."
    return ""


def argument(name: str) -> str:
    """Return a name as it is typed in the command: quoted, where needed, as a cell and for the shell.

    What cannot be printed is escaped, and a long name cut, as by `shown`.
    """
    if len(name) > LIMIT:
        name = f"{name[:LIMIT]}..."
    return printable(
        quote(quoted_cell(name) if "," in name or '"' in name or name != name.strip() else name)
    ).replace("\n", "\\n")


def quoted_cell(name: str) -> str:
    """Return a name in double quotes, escaped as in a CSV file."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def listed(names: Sequence[str], limit: int = 12) -> str:
    """Return names with commas between them, at most `limit`; unprintable characters are escaped."""
    more = len(names) - limit
    return ", ".join(shown(name) for name in names[:limit]) + (f" and {more} more" if more > 0 else "")
