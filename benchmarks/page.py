"""A page of which a part is generated: what stands between two lines is replaced, the rest is people's."""

from __future__ import annotations

from pathlib import Path

import click


def replaced(page: Path, begin: str, end: str, body: str) -> str:
    """Return the text of a page with another body between the lines `begin` and `end`.

    Raises click.UsageError where the page does not hold them.
    """
    return with_body(read(page), begin, end, body, page)


def with_body(text: str, begin: str, end: str, body: str, page: Path) -> str:
    """Return a text of `page` with another body between the lines `begin` and `end`; raises as `replaced`."""
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise click.UsageError(f"{page} must hold the lines {begin!r} and {end!r}.")
    return f"{before}{begin}\n\n{body}\n\n{end}{after}"


def renew(files: dict[Path, str], check: bool) -> bool:
    """Write the files whose text is another one, or only name them; return whether there were any."""
    changed = {path: text for path, text in files.items() if read(path) != text}
    for path, text in changed.items():
        click.echo(f"{'out of date' if check else 'written'}: {path}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return bool(changed)


def read(path: Path) -> str:
    """Return a file's text; nothing where there is none."""
    return path.read_text() if path.exists() else ""
