"""Which arrays an operation reads and which it writes, declared by the names of its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

Parameter: TypeAlias = tuple[str, int]
"""The name of a parameter, and its place among all of the operation."""

OPERATIONS: dict[str, Access] = {}
"""By name, what each operation of the protocol reads and writes; `accesses` fills it."""


@dataclass(frozen=True)
class Access:
    """The parameters of an operation whose arrays it reads, and those whose arrays it writes.

    An array is read if the result depends on what it holds, and written if the operation may change any of
    its elements. A parameter may be both. Its argument is an array, None, a sequence of these, or a `Call`,
    which stands for all that this call reads or writes.

    Attributes
    ----------
    reads, writes : tuple of Parameter
    unless : mapping
        {parameter: (other, value)}: the parameter is not read where the argument for `other` is that value.
    """

    reads: tuple[Parameter, ...]
    writes: tuple[Parameter, ...]
    unless: Mapping[str, tuple[Parameter, object]]

    @classmethod
    def of(
        cls,
        method: Callable[..., Any],
        *,
        reads: str = "",
        writes: str = "",
        unless: Mapping[str, tuple[str, object]] | None = None,
    ) -> Self:
        """Declare what a method reads and writes, as names of its parameters divided by spaces.

        Raises ValueError for a name that is none of its parameters.
        """
        places = {name: place for place, name in enumerate(list(inspect.signature(method).parameters)[1:])}

        def parameter(name: str) -> Parameter:
            if name not in places:
                raise ValueError(
                    f"{method.__name__} has no parameter {name}; its parameters are {', '.join(places)}."
                )
            return name, places[name]

        return cls(
            tuple(map(parameter, reads.split())),
            tuple(map(parameter, writes.split())),
            {
                parameter(name)[0]: (parameter(other), value)
                for name, (other, value) in (unless or {}).items()
            },
        )

    def read_by(self, operands: Sequence[Any], options: Mapping[str, Any]) -> Sequence[Parameter]:
        """Return the parameters that a call with these operands and options reads."""
        if not self.unless:
            return self.reads
        unread = [
            name
            for name, (other, value) in self.unless.items()
            if argument(other, operands, options) == value
        ]
        return [parameter for parameter in self.reads if parameter[0] not in unread]


def argument(parameter: Parameter, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Return the argument for a parameter; None for one that has its default."""
    name, place = parameter
    return operands[place] if place < len(operands) else options.get(name)


def accesses(
    *, reads: str = "", writes: str = "", unless: Mapping[str, tuple[str, object]] | None = None
) -> Callable[[Method], Method]:
    """Return a decorator that declares what a method of the protocol reads and writes; see `Access.of`."""

    def declare(method: Method) -> Method:
        OPERATIONS[method.__name__] = Access.of(method, reads=reads, writes=writes, unless=unless)
        return method

    return declare
