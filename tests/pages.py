"""A self-contained page of HTML, read by a parser: its titles, tables, facts and pictures.

Reading it checks what holds of every page: it is a tree, loads nothing, runs nothing, and is no larger than
1 MB; its headings descend one by one, and its links lead somewhere.
"""

from base64 import b64decode
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

LARGEST = 1_000_000

VOID = {"meta", "img", "br", "path", "polyline", "circle", "rect", "line", "use"}
ALLOWED = VOID | {
    *("html", "head", "title", "style", "body", "header", "nav", "main", "section", "div", "p", "pre", "h1"),
    *("h2", "h3", "ul", "li", "a", "table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd"),
    *("details", "summary", "figure", "figcaption", "svg", "g", "text"),
}
PICTURES = ("data:image/png;base64,", "data:image/svg+xml;base64,")
REFERENCES = ("src", "href", "xlink:href", "srcset", "action", "poster", "data", "background")


class Page(HTMLParser):
    """What is on a page.

    Attributes
    ----------
    title : str
    head : str
        The line below it.
    headings : list of (level, text)
    sections : dict
        From the title of each section to the text that is in it.
    tables : dict
        From the caption of each table to its rows, the names of its columns first, all as texts.
    facts : dict
        From each name to its value, as texts; a section has a name once, and the last one counts.
    pictures : dict
        From what each picture is about to its bytes.
    """

    def __init__(self, text):
        super().__init__()
        assert len(text.encode()) < LARGEST
        self.title, self.head, self.headings, self.sections = "", "", [], {}
        self.tables, self.facts, self.pictures, self.folded = {}, {}, {}, []
        self._open, self._links, self._ids, self._policy = [], [], [], ""
        self._said = set()
        self._texts, self._rows, self._name, self._section = [], None, None, None
        self.feed(text)
        self.close()
        assert not self._open, self._open
        assert text.startswith("<!DOCTYPE html>")
        assert "default-src 'none'" in self._policy
        assert len(set(self._ids)) == len(self._ids)
        assert set(self._links) <= set(self._ids)
        levels = [level for level, _ in self.headings]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in pairwise(levels)), self.headings

    @property
    def text(self):
        """All that a reader reads, its white space as single blanks."""
        return " ".join(self.sections.values())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs)
        assert tag in ALLOWED, tag
        assert not [name for name in attributes if name.startswith("on")]
        for name in REFERENCES:
            value = attributes.get(name)
            assert value is None or value.startswith(
                ("#", "data:image/png;base64,", "data:image/svg+xml;base64,")
            )
        if "id" in attributes:
            self._ids.append(attributes["id"])
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self._policy = attributes["content"]
        if tag == "a":
            self._links.append(attributes["href"][1:])
        if tag == "img":
            self._read_picture(attributes)
        if tag not in VOID:
            self._open.append(tag)
            self._texts.append([])
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        text = "".join(self._texts.pop())
        if self._texts and tag not in ("style", "title"):
            self._texts[-1].append(f"{text} ")
        text = text.strip()
        if tag == "title":
            self.title = text
        elif tag == "p" and self._section is None:
            self.head = text
        elif tag in ("h1", "h2", "h3"):
            self.headings.append((int(tag[1]), text))
            self._section = text if tag == "h2" else self._section
        elif tag in ("th", "td"):
            self._rows[-1].append(text)
        elif tag == "caption":
            self._name = text
        elif tag == "table":
            assert self._name not in self.tables
            assert len({len(row) for row in self._rows}) == 1
            self.tables[self._name] = self._rows
        elif tag == "dt":
            self._name = text
        elif tag == "dd":
            assert (self._section, self._name) not in self._said
            self._said.add((self._section, self._name))
            self.facts[self._name] = text
        elif tag == "summary":
            self.folded.append(text)
        elif tag == "section":
            self.sections[self._section] = " ".join(text.split())

    def handle_data(self, data):
        if self._texts:
            self._texts[-1].append(data)
        else:
            assert not data.strip()

    def _read_picture(self, attributes):
        kind, data = attributes["src"].split(";base64,")
        content = b64decode(data, validate=True)
        assert attributes["alt"]
        assert attributes["alt"] not in self.pictures
        self.pictures[attributes["alt"]] = content
        if kind == "data:image/png":
            assert content.startswith(b"\x89PNG")
            return
        for element in ElementTree.fromstring(content).iter():
            name = element.tag.rpartition("}")[2]
            assert name not in ("script", "foreignObject", "animate", "set"), name
            for attribute, value in element.attrib.items():
                if attribute.rpartition("}")[2] in REFERENCES:
                    assert value.startswith(("#", "data:image/png;base64,"))
