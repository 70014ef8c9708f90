"""DataError, and how columns are named in it."""

from __future__ import annotations

from collections.abc import Sequence

from ..choices import suggestion
from ..quoting import shown


class DataError(ValueError):
    """Data that cannot be read or used; the text names the place and says what to do."""


def check_columns(wanted: Sequence[str], present: Sequence[str], source: str, what: str) -> None:
    """Raise DataError that lists what is missing, what there is, and the closest name."""
    there = set(present)
    missing = [name for name in wanted if name not in there]
    if missing:
        raise DataError(
            f"{source} lacks the {what} {listed(missing)}. Columns there: {listed(present)}."
            f"{suggestion(missing[0], present)}"
        )


def listed(names: Sequence[str], limit: int = 12) -> str:
    """Return names with commas between them, cut off after `limit`; what is not printable is escaped."""
    more = len(names) - limit
    return ", ".join(shown(name) for name in names[:limit]) + (f" and {more} more" if more > 0 else "")
