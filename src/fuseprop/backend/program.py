"""What a backend replays: the calls of a training step, written down, and what runs them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Call:
    """One recorded call of a backend's method."""

    operation: str
    operands: tuple[Any, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """A fixed sequence of calls on fixed arrays, such as a training step.

    What the arrays hold may change between two replays (the order, the settings of the optimizer, the
    cursor), and a replay sees it; which arrays they are may not.

    Attributes
    ----------
    calls : tuple of Call
    scratch : tuple of Array
        Arrays that the program writes before it reads them, and nobody reads after it: a replay may leave
        anything in them, and may lay out or scale what they would hold as it likes. Any other array ends as
        the calls leave it.
    """

    calls: tuple[Call, ...]
    scratch: tuple[Any, ...] = ()


Runner: TypeAlias = Callable[[int], None]
"""What runs a compiled program: ``replay(times)``, from first call to last and again from the first."""


def replay_by_calling(backend: object, program: Program) -> Runner:
    """Return what replays a program one call after the other: the simplest `Backend.compile`."""
    calls = [(getattr(backend, call.operation), call.operands, call.options) for call in program.calls]

    def replay(times: int) -> None:
        for _ in range(times):
            for method, operands, options in calls:
                method(*operands, **options)

    return replay
