"""How often a checkpoint is due: by time, by steps or by epochs."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from re import fullmatch
from typing import Literal

SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
}
"""The units of time, in seconds."""

COUNTS: dict[str, Literal["steps", "epochs"]] = {
    **dict.fromkeys(("step", "steps"), "steps"),
    **dict.fromkeys(("epoch", "epochs"), "epochs"),
}
"""The units that are counted."""


@dataclass(frozen=True)
class Pace:
    """Once in `count` seconds, steps or epochs.

    Attributes
    ----------
    unit : "seconds" | "steps" | "epochs"
    count : float
        More than 0; a whole number of steps or epochs.
    """

    unit: Literal["seconds", "steps", "epochs"]
    count: float


def parse_pace(every: object) -> Pace:
    """Return the pace that a text such as "60 s", "5 min", "100 steps" or "1 epoch" asks for.

    Raises TypeError for what is no text, ValueError for any other text.
    """
    examples = 'such as "60 s", "5 min", "100 steps" or "1 epoch"'
    if not isinstance(every, str):
        raise TypeError(f"every must be a text {examples}, got {every!r:.60}.")
    parts = fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", every)
    if parts is None:
        raise ValueError(f"every must be a number and its unit, {examples}, got {every!r:.60}.")
    count, unit = float(parts[1]), parts[2]
    if not 0 < count < inf:
        raise ValueError(f"every must be more than 0 and finite, {examples}, got {every!r:.60}.")
    if unit in SECONDS:
        return Pace("seconds", count * SECONDS[unit])
    if unit not in COUNTS:
        raise ValueError(
            f"every has the unit {unit!r:.60}, expected s, min, h, steps or epochs, {examples}; got "
            f"{every!r:.60}."
        )
    if not count.is_integer():
        raise ValueError(f"every must be a whole number of {COUNTS[unit]}, got {every!r:.60}.")
    return Pace(COUNTS[unit], count)
