"""Sections, paragraphs, tables, lines of text and pictures as HTML."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from ..checks.quoting import printable, six_digits


def section(title: str, *parts: str) -> str:
    """Return pieces under a title."""
    return f"<section><h4>{escaped(title)}</h4>{''.join(parts)}</section>"


def paragraph(text: str) -> str:
    """Return a paragraph; none for an empty text."""
    return f"<p>{escaped(text)}</p>" if text else ""


def lines(text: str) -> str:
    """Return lines of text as they stand, in letters of equal width; none for an empty text."""
    return f"<pre>{escaped(text)}</pre>" if text else ""


def table(columns: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table: texts to the left, numbers in six digits to the right."""
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture(png: bytes, about: str) -> str:
    """Return a picture as part of the page, with what it is about for those who do not see it."""
    data = b64encode(png).decode("ascii")
    return f'<img alt="{escaped(about)}" style="max-width:100%" src="data:image/png;base64,{data}">'


def escaped(text: str) -> str:
    """Return a text that HTML shows as it is, in attributes too; control characters become escapes."""
    return escape(printable(text))


def _cell(value: object) -> str:
    side = "left" if isinstance(value, str) else "right"
    return f'<td style="text-align:{side}">{escaped(six_digits(value))}</td>'
