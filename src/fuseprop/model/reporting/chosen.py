"""The settings of a training, and who chose them, as parts of a page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields

from ...data import suggestions_for
from ...showing.page import facts, table
from ..settings import Settings


def settings_parts(
    plan: Iterable[tuple[str, Sequence[str]]],
    settings: Settings,
    given: Collection[str],
    tuned: Collection[str],
    source: str,
) -> list[str]:
    """Return a plan, as `planned` returns it, but for its columns, and all settings with who chose each.

    `given` and `tuned` are names of settings; a built-in data set, named by `source`, has some of its own.
    """
    suggested, lines = suggestions_for(source), []
    for each in fields(settings):
        name, by = each.name, "the rules"
        if name in tuned:
            by = "tuning"
        elif name in given:
            by = "you"
        elif name in suggested:
            by = "the data set"
        lines.append((name, _text(getattr(settings, name)), by))
    return [
        facts((name, "\n".join(words)) for name, words in plan if name != "columns"),
        table("All settings", ("setting", "value", "chosen by"), lines),
    ]


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
