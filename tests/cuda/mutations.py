"""The small changes that mutants.py makes to a kernel file."""

import re
from typing import NamedTuple

SWAPS = {
    "<": ("<=", ">="),
    "<=": ("<",),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "!": ("",),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "%": ("/",),
    ">>": ("<<",),
    "<<": (">>",),
    "++": ("--",),
    "+=": ("-=", "="),
    "-=": ("+=",),
    "*=": ("/=",),
    "/=": ("*=", "="),
    "|=": ("&=", "="),
    "0": ("1",),
    "1": ("0", "2"),
    "2": ("1", "3"),
    "32": ("33",),
    "true": ("false",),
    "false": ("true",),
}

TOKEN = re.compile(
    r"//.*|/\*.*?\*/|^#.*|^ *template <.*?>|__launch_bounds__\(BLOCK\)"  # nothing in these is changed
    r"|in_flight<[^(]*\("  # how many loads are in flight changes no result; test_compiled.py counts them
    r"|\b(?:T|float|double|int|long long)\*"  # a type, not a product
    r"|\w+|[-+*/%<>=!&|]=|&&|\|\||<<|>>|\+\+|--|.",
    re.MULTILINE,
)
STATEMENT = re.compile(r"^ +[^ /#][^\n]*;(?= *(?://.*)?$)", re.MULTILINE)
CONDITION = re.compile(r"\bif \([^;{]*?\) (?=\S)|\b\w+(?= \?)")


class Mutant(NamedTuple):
    """A file with one change; `key` says which, and does not move when other lines do."""

    file: str
    key: str
    text: str


def mutants(file, text):
    """Return all mutants of a file; some do not compile."""
    made, seen = [], {}
    for start, stop, new in sorted(changes(text)):
        first, last = text.rfind("\n", 0, start) + 1, text.find("\n", stop)
        key = f"{text[first:start].lstrip()}[{text[start:stop].strip()} -> {new}]{text[stop:last].rstrip()}"
        seen[key] = seen.get(key, 0) + 1
        made.append(
            Mutant(file, f"{key} #{seen[key]}" if seen[key] > 1 else key, text[:start] + new + text[stop:])
        )
    return made


def changes(text):
    """Return (start, stop, new): operators and constants flipped, statements and conditions dropped."""
    found = {(t.start(), t.end(), new) for t in TOKEN.finditer(text) for new in SWAPS.get(t[0], ())}
    found |= {(s.start(), s.end(), "") for s in STATEMENT.finditer(text)}
    found |= {
        (c.start(), c.end(), "" if c[0].startswith("if") else f"!{c[0]}") for c in CONDITION.finditer(text)
    }
    return found
