"""What a backend replays: the calls of a training step, what each reads and writes, what runs them again.

What an operation reads and writes is declared by the names of its parameters (`accesses`, `Access`); a call
has the arrays themselves, and a program has where they all are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, Self, TypeAlias, TypeVar, runtime_checkable

from .aliasing import Memory, Span, span

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
        {parameter: (other, test)}: the parameter is not read where `test` holds of the argument for `other`.

    Examples
    --------
    >>> from fuseprop.backend import Access
    >>> def add(a, b, *, out): ...
    >>> access = Access.of(add, reads="a b", writes="out")
    """

    reads: tuple[Parameter, ...]
    writes: tuple[Parameter, ...]
    unless: Mapping[str, tuple[Parameter, Callable[[Any], bool]]]

    @classmethod
    def of(
        cls,
        method: Callable[..., Any],
        *,
        reads: str = "",
        writes: str = "",
        unless: Mapping[str, tuple[str, Callable[[Any], bool]]] | None = None,
    ) -> Self:
        """Declare what a method reads and writes, as names of its parameters divided by spaces.

        Raises ValueError for a name that is none of its parameters.
        """
        names = [name for name in inspect.signature(method).parameters if name != "self"]
        places = {name: place for place, name in enumerate(names)}

        def parameter(name: str) -> Parameter:
            if name not in places:
                raise ValueError(
                    f"{method.__name__} has no parameter {name}; its parameters are {', '.join(places)}."
                )
            return name, places[name]

        return cls(
            tuple(map(parameter, reads.split())),
            tuple(map(parameter, writes.split())),
            {parameter(name)[0]: (parameter(other), test) for name, (other, test) in (unless or {}).items()},
        )

    def read_by(self, operands: Sequence[Any], options: Mapping[str, Any]) -> Sequence[Parameter]:
        """Return the parameters that a call with these operands and options reads."""
        if not self.unless:
            return self.reads
        unread = [
            name for name, (other, test) in self.unless.items() if test(argument(other, operands, options))
        ]
        return [parameter for parameter in self.reads if parameter[0] not in unread]


def argument(parameter: Parameter, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Return the argument for a parameter; None for one that has its default."""
    name, place = parameter
    return operands[place] if place < len(operands) else options.get(name)


def accesses(
    *,
    reads: str = "",
    writes: str = "",
    unless: Mapping[str, tuple[str, Callable[[Any], bool]]] | None = None,
) -> Callable[[Method], Method]:
    """Return a decorator that declares what a method of the protocol reads and writes; see `Access.of`."""

    def declare(method: Method) -> Method:
        OPERATIONS[method.__name__] = Access.of(method, reads=reads, writes=writes, unless=unless)
        return method

    return declare


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

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import Call
    >>> a, b, out = (np.ones((2, 2)) for _ in range(3))
    >>> call = Call("matmul", (a, b), {"out": out})
    >>> call.reads[0] is a, call.writes[0] is out
    (True, True)
    """

    operation: str
    operands: tuple[Any, ...]
    options: Mapping[str, Any]
    access: Access | None = None

    @cached_property
    def reads(self) -> list[Any]:
        """The arrays that the result depends on. Raises LookupError if they are declared nowhere."""
        return self._touched("reads")

    @cached_property
    def writes(self) -> list[Any]:
        """The arrays that the call may change. Raises LookupError if they are declared nowhere."""
        return self._touched("writes")

    def _touched(self, kind: Literal["reads", "writes"]) -> list[Any]:
        access = self.access or OPERATIONS.get(self.operation)
        if access is None:
            raise LookupError(
                f"the protocol has no operation {self.operation!r}. A Call of an operation beyond it needs "
                f"access=Access.of(...), which declares what that reads and writes."
            )
        operands, options = self.operands, self.options
        parameters = access.writes if kind == "writes" else access.read_by(operands, options)
        found: list[Any] = []
        for name, place in parameters:
            given = operands[place] if place < len(operands) else options.get(name)
            if isinstance(given, _HOLDERS):
                found += _arrays_in(given, kind)
            elif given is not None:
                found.append(given)
        return found


_HOLDERS = (Call, tuple, list)
"""The arguments that stand for more than one array."""


def _arrays_in(given: Any, kind: Literal["reads", "writes"]) -> list[Any]:
    """Return the arrays of an argument: what a `Call` reads or writes, those of a sequence, or the array."""
    if isinstance(given, Call):
        return given.reads if kind == "reads" else given.writes
    if isinstance(given, tuple | list):
        return [array for each in given for array in _arrays_in(each, kind)]
    return [] if given is None else [given]


def touches(call: Call, spans: Sequence[Span]) -> bool:
    """Whether a call reads or writes any of this memory.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import Call, span, touches
    >>> a, b, out = (np.ones((2, 2)) for _ in range(3))
    >>> touches(Call("matmul", (a, b), {"out": out}), [span(a)])
    True
    """
    return any(span(array).meets(spans) for array in (*call.reads, *call.writes))


@dataclass(frozen=True)
class Program:
    """A fixed sequence of calls on fixed arrays, such as a training step.

    What the arrays hold may change between two replays (the order, the settings of the optimizer, the
    cursor), and a replay sees it; which arrays they are may not.

    Attributes
    ----------
    calls : tuple of Call
    scratch : tuple of Array
        Arrays that the program writes before it reads them, and that are not read after the program: a replay
        may leave anything in them, and may lay out or scale what they would hold as it likes. Any other array
        ends as the calls leave it.

    Examples
    --------
    >>> from fuseprop import load_backend
    >>> from fuseprop.backend import Call, Program
    >>> backend = load_backend("cpu", "float64")
    >>> x, product = backend.from_host([[2.0]]), backend.zeros((1, 1))
    >>> program = Program((Call("matmul", (x, x), {"out": product}),))
    >>> backend.compile(program)(1)
    >>> backend.to_host(product)
    array([[4.]])
    """

    calls: tuple[Call, ...]
    scratch: tuple[Any, ...] = ()

    @cached_property
    def memory(self) -> Memory:
        """Where all arrays are that the calls read and write, and those of `scratch`."""
        touched = [array for call in self.calls for array in (*call.reads, *call.writes)]
        return Memory([*touched, *self.scratch])


Runner: TypeAlias = Callable[[int], None]
"""What runs a compiled program: ``replay(times)``, from first call to last and again from the first."""


@runtime_checkable
class StoppableRunner(Protocol):
    """A runner that can end behind any of its steps, and is faster in one run than in many short ones."""

    def __call__(self, times: int) -> None:
        """Run the program so many times."""

    def until(self, times: int, ends: Callable[[], bool]) -> None:
        """Run it so many times, or until ``ends()`` is true, which is asked at least each 0.05 s."""


def replay_by_calling(backend: object, program: Program) -> Runner:
    """Return what replays a program one call after the other: the simplest `Backend.compile`.

    Examples
    --------
    >>> from fuseprop import load_backend
    >>> from fuseprop.backend import Call, Program, replay_by_calling
    >>> backend = load_backend("cpu", "float64")
    >>> x, product = backend.from_host([[2.0]]), backend.zeros((1, 1))
    >>> replay = replay_by_calling(backend, Program((Call("matmul", (x, x), {"out": product}),)))
    >>> replay(1)
    >>> backend.to_host(product)
    array([[4.]])
    """
    calls = [(getattr(backend, call.operation), call.operands, call.options) for call in program.calls]

    def replay(times: int) -> None:
        for _ in range(times):
            for method, operands, options in calls:
                method(*operands, **options)

    return replay
