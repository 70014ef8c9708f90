"""Sections, paragraphs, tables, lines of text and pictures as HTML."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from ..checks.quoting import printable, six_digits

PNG = b"\x89PNG"
"""How a picture of pixels begins."""


def section(title: str, *parts: str) -> str:
    """Return pieces under a title."""
    return f"<section><h4>{escaped(title)}</h4>{''.join(parts)}</section>"


def paragraph(text: str) -> str:
    """Return a paragraph; none for an empty text."""
    return f"<p>{escaped(text)}</p>" if text else ""


def lines(text: str) -> str:
    """Return lines of text as they stand, in letters of equal width; none for an empty text."""
    return f"<pre>{escaped(text)}</pre>" if text else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return a table: texts to the left, numbers in six digits to the right, nothing for None.

    A column of numbers has its name to the right too. A text that begins a row is its heading.
    """
    body = [list(row) for row in rows]
    sides = [_side(row[place] for row in body) for place in range(len(columns))]
    head = "".join(
        f'<th scope="col" style="text-align:{side}">{escaped(name)}</th>'
        for name, side in zip(columns, sides, strict=True)
    )
    lines = "".join(f"<tr>{''.join(_cell(value, not i) for i, value in enumerate(row))}</tr>" for row in body)
    above = f"<caption>{escaped(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def picture(data: bytes, about: str, width: float | None = None) -> str:
    """Return a picture as part of the page, with what it is about for those who do not see it.

    `data` is the content of a .png or .svg file; `width`, in pixels of the page, its own by default.
    """
    kind = "png" if data.startswith(PNG) else "svg+xml"
    wide = "" if width is None else f' width="{width:.0f}"'
    source = f"data:image/{kind};base64,{b64encode(data).decode('ascii')}"
    return f'<img alt="{escaped(about)}"{wide} style="max-width:100%" src="{source}">'


def escaped(text: str) -> str:
    """Return a text that HTML shows as it is, in attributes too; control characters become escapes."""
    return escape(printable(text))


def _cell(value: object, begins: bool) -> str:
    tag, scope = ("th", ' scope="row"') if begins and isinstance(value, str) else ("td", "")
    text = "" if value is None else escaped(six_digits(value))
    return f'<{tag}{scope} style="text-align:{_side([value])}">{text}</{tag}>'


def _side(values: Iterable[object]) -> str:
    """Return where cells stand: to the left where one of them is a text, or all are empty."""
    cells = [value for value in values if value is not None]
    return "right" if cells and not any(isinstance(value, str) for value in cells) else "left"
