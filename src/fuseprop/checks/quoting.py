"""How messages show what came from outside: names, cells, paths and values, and how they count.

A name or a cell may hold anything: an escape sequence that recolours or rewrites a terminal, a line break
that fakes a line, a mark that turns the direction of writing, a megabyte. What is printable stays as it is;
anything else is written by its number, as git and ls write it.
"""

from __future__ import annotations

LIMIT = 60
"""As many characters of a name or a cell are shown."""

QUOTES = '\\"'
"""What is escaped between double quotes beside what is not printable."""


def shown(text: object, limit: int | None = LIMIT) -> str:
    r"""Return a name as it is where all of it is printable, else in double quotes with escapes: "a\x1b[2J".

    Longer ones than `limit` are cut, and end in three points; None cuts nothing, which is meant for paths.
    """
    whole = str(text)
    cut = _cut(whole, limit)
    return cut if cut.isprintable() else f'"{_escaped(cut, marks=QUOTES)}"'


def quoted(value: object, limit: int | None = LIMIT) -> str:
    """Return a string in double quotes with escapes, cut as by `shown`; anything else as `literal`."""
    if not isinstance(value, str):
        return literal(value, limit)
    return f'"{_escaped(_cut(value, limit), marks=QUOTES)}"'


def literal(value: object, limit: int | None = LIMIT) -> str:
    """Return a value as Python writes it, a string thus in single quotes with escapes; cut as by `shown`."""
    if isinstance(value, str):
        return repr(_cut(str(value), limit))
    return printable(_cut(repr(value), limit))


def printable(text: str) -> str:
    """Return a text of several lines with everything but its line breaks escaped that is not printable."""
    return "\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n"))


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 epoch", "1,200 epochs", "2 classes" (of "class", "classes")."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _cut(text: str, limit: int | None) -> str:
    return text if limit is None or len(text) <= limit else text[:limit] + "..."


def _escaped(text: str, marks: str = "") -> str:
    parts = []
    for character in text:
        if character in marks:
            parts.append(f"\\{character}")
        elif character.isprintable():
            parts.append(character)
        else:
            parts.append(repr(character)[1:-1])
    return "".join(parts)
