"""The reference of all public names, from their docstrings, as pages that need no network: by pdoc.

    pip install -e ".[docs]"
    python tests/reference.py FOLDER

writes FOLDER/index.html and a page for each module that users import from: those of `public_names.MODULES`.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "core"))

from public_names import MODULES

SECTION = re.compile(r"^(?:Parameters|Attributes|Returns|Raises)\n-+\n", re.MULTILINE)
PROSE = re.compile(r"\n\n(?=[^\s`-][^\n]*\n(?!-{3}|[ \t]))(?![^\n]* : )")
"""Where a paragraph begins in a section of entries: what follows its first line is not indented."""


def with_notes(docstring):
    """Return a docstring in which what is said behind the entries of a section is a section of its own."""
    pieces = re.split(r"(?m)^(?=\w[\w ]*\n-{3,}$)", docstring)
    return "".join(
        PROSE.sub("\n\nNotes\n-----\n", f"{piece}\n", count=1) if SECTION.match(piece) else piece
        for piece in pieces
    )


def write(folder):
    """Write the pages."""
    import pdoc

    read = pdoc.docstrings.numpy
    pdoc.docstrings.numpy = lambda docstring: read(with_notes(docstring))
    pdoc.render.configure(docformat="numpy", footer_text="fuseprop", search=True)
    pdoc.pdoc(*MODULES, output_directory=Path(folder))


if __name__ == "__main__":
    write(sys.argv[1])
