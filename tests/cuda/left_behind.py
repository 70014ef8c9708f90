"""JSON lines that a process leaves as it goes, so that whatever ends it has lost nothing."""

import json
from contextlib import suppress

DEAD = 77
"""The exit status of a process whose GPU takes no more work of it."""


def hung_in(path):
    """Return the file beside one of lines that says where a test was that took too long."""
    return path.with_suffix(".hung")


class Lines:
    """Appends lines to a file, each at once."""

    def __init__(self, path):
        self._file = path.open("a")

    def write(self, **line):
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self):
        self._file.close()


def lines_of(path):
    """Return the objects in a file that may not be there; what is none, or was cut off, is left out."""
    found = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        with suppress(ValueError):
            found.append(json.loads(line))
    return [line for line in found if isinstance(line, dict)]
