"""A self-contained HTML page: a title, a line below it, and sections with anchors, of the pieces in `html`.

A page has no scripts and loads nothing, which its policy tells the browser too: it may be mailed, kept and
opened anywhere. It is light or dark as the reader's screen is, prints in black on white, and says nothing by
colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from re import sub

from ..checks.quoting import six_digits
from . import html
from .html import escaped

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for a page: its own style, and pictures that stand in it."""

STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--faint:#595959;--line:#bbb;--shade:#f3f3f3}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#161616;--faint:#ababab;--line:#555;
--shade:#242424}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:68rem;color:var(--ink);background:var(--paper);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.2;margin:0}
h2{font-size:1.25rem;margin:2.5rem 0 .6rem;padding-top:.6rem;border-top:2px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .4rem}
p{margin:.5rem 0;max-width:48rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:1rem 0 0;padding:0;list-style:none}
a{color:inherit}
pre{padding:.6rem .8rem;background:var(--shade);overflow-x:auto;font-size:.85rem;overflow-wrap:normal}
.wide{overflow-x:auto;margin:.6rem 0 1rem}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;overflow-wrap:normal}
caption{text-align:left;color:var(--faint);padding:.2rem .7rem .2rem 0}
th,td{padding:.25rem .8rem .25rem 0;vertical-align:top;max-width:28rem;min-width:2rem;
overflow-wrap:break-word}
th{font-weight:600}
tbody th{font-weight:400}
thead th{border-bottom:1px solid var(--ink);vertical-align:bottom}
tbody td,tbody th{border-bottom:1px solid var(--line)}
dl{margin:.5rem 0}
dl div{display:flex;flex-wrap:wrap;gap:0 1rem;border-bottom:1px solid var(--line);padding:.2rem 0}
dt{flex:0 0 13rem;color:var(--faint)}
dd{flex:1 1 16rem;margin:0;white-space:pre-line}
figure{margin:1rem 0;min-width:0}
.beside{display:flex;flex-wrap:wrap;gap:0 1.5rem;align-items:flex-start}
img{max-width:100%;height:auto;background:#fff}
svg{max-width:100%;height:auto}
figcaption{color:var(--faint);font-size:.9rem}
details{margin:.6rem 0}
summary{cursor:pointer}
@media print{:root{color-scheme:light;--ink:#000;--paper:#fff;--faint:#333;--line:#999;--shade:#fff}
body{max-width:none;padding:0;font-size:10pt}nav{display:none}.wide{overflow:visible}
h2,h3,summary,caption,thead,h2+p{break-after:avoid}figure,tr,dl div{break-inside:avoid}
.beside{display:block}.beside figure{display:inline-block;width:48%;margin:.5rem 1% .5rem 0;
vertical-align:top}
details::details-content{content-visibility:visible;height:auto}pre{white-space:pre-wrap}}
"""
"""The looks of every page. A folded part is printed open, by browsers that can."""


def page(title: str, head: str, sections: Mapping[str, Iterable[str]]) -> str:
    """Return a page as the text of a file in UTF-8, which `write_atomically` writes.

    Parameters
    ----------
    title : str
    head : str
        The line below the title: what the page is about, in short.
    sections : mapping of str to iterables of str
        From the title of each section to its parts, as `table`, `facts`, `paragraph`, `picture` and their
        like return them. A section without any is left out; each other one has an anchor, by its title.

    Examples
    --------
    >>> text = page("Times", "of one machine", {"Steps": [table("Microseconds", ("", "mean"), [("a", 1.5)])]})
    >>> '<h2 id="steps">Steps</h2>' in text
    True
    """
    bodies = {name: "".join(parts) for name, parts in sections.items()}
    bodies = {name: body for name, body in bodies.items() if body}
    anchors = _anchors(bodies)
    links = "".join(f'<li><a href="#{anchors[name]}">{escaped(name)}</a></li>' for name in bodies)
    contents = "".join(
        f'<section aria-labelledby="{anchors[name]}"><h2 id="{anchors[name]}">{escaped(name)}</h2>{body}'
        f"</section>\n"
        for name, body in bodies.items()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style></head>\n"
        f"<body><header><h1>{escaped(title)}</h1>{html.paragraph(head)}"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav></header>\n'
        f"<main>\n{contents}</main></body></html>\n"
    )


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return `html.table` under a caption; one that is wider than the page is scrolled, by keys too."""
    inner = html.table(columns, rows, caption)
    return f'<div class="wide" role="region" aria-label="{escaped(caption)}" tabindex="0">{inner}</div>'


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Return names with their values, one below the other, numbers in six digits; none of no pairs."""
    items = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(six_digits(value))}</dd></div>" for name, value in pairs
    )
    return f"<dl>{items}</dl>" if items else ""


def heading(title: str) -> str:
    """Return a title within a section."""
    return f"<h3>{escaped(title)}</h3>"


def beside(pictures: Iterable[tuple[str, str]]) -> str:
    """Return pictures with a line below each, beside each other where there is room; none of none.

    A picture is a piece of HTML, as `picture` returns it, and the line may be empty.
    """
    figures = "".join(
        f"<figure>{made}{f'<figcaption>{escaped(line)}</figcaption>' if line else ''}</figure>"
        for made, line in pictures
    )
    return f'<div class="beside">{figures}</div>' if figures else ""


def folded(title: str, *parts: str) -> str:
    """Return parts that are seen once their title is clicked on; none of empty parts."""
    body = "".join(parts)
    return f"<details><summary>{escaped(title)}</summary>{body}</details>" if body else ""


def _anchors(titles: Iterable[str]) -> dict[str, str]:
    """Return for each title a name of letters, digits and dashes that no other one has."""
    names: dict[str, str] = {}
    for title in titles:
        plain = sub("[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        taken, name = set(names.values()), plain
        while name in taken:
            name = f"{plain}-{len(names) + 1}"
        names[title] = name
    return names
