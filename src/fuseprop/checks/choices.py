"""Names that must be among given choices: the error lists the choices and suggests the closest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from .quoting import LIMIT, quoted

T = TypeVar("T")


def choose(kind: str, name: object, choices: Mapping[str, T]) -> T:
    """Return ``choices[name]``.

    Raises ValueError that lists the choices and suggests the closest, such as
    ``activation "sigmod" is not known. Choose from: identity, sigmoid, tanh, relu. Did you mean "sigmoid"?``
    """
    if isinstance(name, str) and name in choices:
        return choices[name]
    raise ValueError(
        f"{kind} {quoted(name)} is not known. Choose from: {', '.join(choices)}.{suggestion(name, choices)}"
    )


def suggestion(name: object, choices: Iterable[str]) -> str:
    """Return `` Did you mean "..."?`` with the closest choice, or "" if none is close."""
    from difflib import get_close_matches  # for an error alone: no import is to take its time

    close = get_close_matches(str(name)[:LIMIT], list(choices), n=1)
    return f" Did you mean {quoted(close[0])}?" if close else ""
