"""The blocks of code on the pages of this repository, and how each is run.

A block runs as it stands, behind the blocks before it in its section (between two headings of the second
order) and in the same folder. A comment in the line above it says otherwise, and why:

    <!-- long: it installs PyTorch -->

    long     takes minutes, or the network: `.ci/long left_cases` runs it, in a fresh clone
    gpu      needs an NVIDIA GPU
    docker   needs Docker
    tested   another test runs it, which the reason names by its path
    part     is no whole program: the reason says of what it is a part
    typed    is typed by contributors, who put a name in its place or wait for the suite

A block without a language, or of text, is no code.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

KINDS = ("long", "gpu", "docker", "tested", "part", "typed")

FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<kind>[\w./]+):? (?P<reason>[^\n]*?) -->\n(?P=indent))?```"
    r"(?P<language>(?!text$)\w+)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Some lines of code.

    Attributes
    ----------
    page, section : str
        Where it stands: a path from the top, and the heading above.
    line : int
        The first line of its code, counted from 1.
    language, text : str
        What it is written in, and the lines as they stand, without the indentation of a list.
    kind, reason : str
        Why it is not simply run; empty where it is.
    """

    page: str
    section: str
    line: int
    language: str
    text: str
    kind: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """Such as "README.md:13"."""
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return the Markdown files that are committed, as paths from the top."""
    listed = ["git", "ls-files", "-z", "*.md"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(filter(None, found.split("\0")))


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    headings = [(found.start(), found[1]) for found in HEADING.finditer(text)]
    found = []
    for fence in FENCE.finditer(text):
        above = [name for start, name in headings if start < fence.start()]
        indent = len(fence["indent"])
        lines = (line[indent:] for line in fence["text"].splitlines())
        found.append(
            Block(
                page,
                above[-1] if above else "",
                text[: fence.start("text")].count("\n") + 1,
                fence["language"],
                "".join(f"{line}\n" for line in lines),
                fence["kind"] or "",
                fence["reason"] or "",
            )
        )
    return found


def everything() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in pages() for block in blocks(page)]
