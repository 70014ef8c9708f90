"""What others have said in as many characters as fit, but the line to type that stands in it as a whole."""

from __future__ import annotations

import re

ADVICE = re.compile(r"[Tt]ype: ")
"""What stands before a line to type, in all that fuseprop says. Half of one may be a command of its own."""


def shortened(text: str, most: int) -> str:
    """Return a text cut to so many characters, and what is cut marked; from a line to type on, all of it."""
    if len(text) <= most:
        return text
    advice = ADVICE.search(text)
    at = len(text) if advice is None else advice.start()
    return text if at <= most else f"{text[:most]}... {text[at:]}".rstrip()
