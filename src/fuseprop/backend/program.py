"""What a backend replays: the calls of a training step, written down, and what runs them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .access import OPERATIONS, Access, argument


@dataclass(frozen=True)
class Call:
    """One recorded call of a backend's method.

    Attributes
    ----------
    operation : str
        The method's name.
    operands : tuple
        Its arguments by position.
    options : mapping
        Its arguments by name.
    access : Access, optional
        What the operation reads and writes, where it is one that a backend has beyond the protocol, which
        declares its own.
    """

    operation: str
    operands: tuple[Any, ...]
    options: Mapping[str, Any]
    access: Access | None = None

    @property
    def reads(self) -> list[Any]:
        """The arrays that the result depends on. Raises LookupError if they are declared nowhere."""
        return self._touched("reads")

    @property
    def writes(self) -> list[Any]:
        """The arrays that the call may change. Raises LookupError if they are declared nowhere."""
        return self._touched("writes")

    def _touched(self, kind: Literal["reads", "writes"]) -> list[Any]:
        """Return the arrays of the parameters of that kind, found once."""
        found: list[Any] | None = self.__dict__.get(kind)
        if found is not None:
            return found
        access = self.access or OPERATIONS.get(self.operation)
        if access is None:
            raise LookupError(
                f"the protocol has no operation {self.operation!r}. A Call of an operation beyond it needs "
                f"access=Access.of(...), which declares what that reads and writes."
            )
        operands, options = self.operands, self.options
        parameters = access.writes if kind == "writes" else access.read_by(operands, options)
        found = _arrays([argument(each, operands, options) for each in parameters], kind)
        self.__dict__[kind] = found
        return found


def _arrays(arguments: Iterable[Any], kind: Literal["reads", "writes"]) -> list[Any]:
    """Return the arrays among arguments: also those in sequences, and what a `Call` reads or writes."""
    found: list[Any] = []
    for given in arguments:
        if isinstance(given, _HOLDERS):
            found += getattr(given, kind) if isinstance(given, Call) else _arrays(given, kind)
        elif given is not None:
            found.append(given)
    return found


_HOLDERS = (Call, tuple, list)


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
