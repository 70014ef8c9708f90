"""Formulas by name: a family has parameters, with defaults, and ``name(0.2)`` is one member of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, Generic, TypeVar

import numpy as np

from ..backend.expression import Expression
from ..checks.choices import choose
from ..checks.quoting import quoted
from ..checks.settings import is_finite_number


@dataclass(frozen=True)
class Parameter:
    """A number in a formula.

    Attributes
    ----------
    default : float
    above, below : float
        It lies between them.
    least : float
        It is at least this.
    """

    default: float
    above: float = -inf
    below: float = inf
    least: float = -inf

    def check(self, what: str, value: object) -> float:
        """Return the value as a float; raise ValueError for what is no number in the range."""
        if is_finite_number(value):
            number = float(value)  # type: ignore[arg-type]
            if self.above < number < self.below and number >= self.least:
                check_float32(what, number)
                return number
        raise ValueError(f"{what} must be a number{self.range}, got {quoted(value)}.")

    @property
    def range(self) -> str:
        """The range in words; empty without one."""
        words = [
            f"above {self.above:g}" if self.above > -inf else "",
            f"of at least {self.least:g}" if self.least > -inf else "",
            f"below {self.below:g}" if self.below < inf else "",
        ]
        said = " and ".join(filter(None, words))
        return f" {said}" if said else ""


def check_float32(what: str, number: float) -> None:
    """Raise ValueError for a number that is infinite or loses its digits in float32."""
    limits = np.finfo(np.float32)
    if abs(number) > float(limits.max) or 0 < abs(number) < float(limits.tiny):
        raise ValueError(
            f"{what} is {number:g}, which float32 cannot hold: it has numbers from {limits.tiny:.2g} to "
            f"{limits.max:.2g}."
        )


Member = TypeVar("Member")

_FAMILIES: dict[str, Family[Any]] = {}
"""All families by name, for pickles of them."""


class Family(Generic[Member]):
    """All formulas of one name: ``huber`` is a family, ``huber(1.35)`` a member, and so is ``huber()``.

    Called with expressions first, it is the formula itself, as a part of another one: ``sigmoid(z)``.

    Parameters
    ----------
    name : str
    text : str
        The formula as a person writes it.
    make : callable
        ``make(label, parameters)`` returns the member with these values of the parameters.
    parameters : mapping
        A `Parameter` for each name, in order.
    operands : tuple of str
        What it is a formula of: ("z",) for an activation, ("y", "t") for a loss.

    Examples
    --------
    >>> from fuseprop.formulas import huber, leaky_relu
    >>> leaky_relu(0.2)
    <activation leaky_relu(0.2): z where z > 0, else 0.2 * z>
    >>> huber(1.35)
    <loss huber(1.35): (y - t)^2 / 2 where |y - t| <= 1.35, else 1.35 (|y - t| - 1.35 / 2)>
    """

    def __init__(
        self,
        name: str,
        text: str,
        make: Callable[[str, dict[str, float]], Member],
        parameters: Mapping[str, Parameter],
        operands: tuple[str, ...] = ("z",),
    ) -> None:
        self.name, self.text, self.parameters, self.operands = name, text, dict(parameters), operands
        self._make = make
        self._members: dict[str, Member] = {}
        _FAMILIES[name] = self

    def __call__(self, *values: Any, **named: Any) -> Any:
        """Return the member with these parameters, or a formula of expressions.

        Raises TypeError for other parameters than it has, ValueError for values out of their range.
        """
        no_parameters = values and not self.parameters and not named
        if no_parameters or any(isinstance(value, Expression) for value in values):
            return self._of(values, named)
        return self.member(*values, **named)

    def member(self, *values: Any, **named: Any) -> Member:
        """Return the member with these parameters. Raises as a call."""
        settings = self.settings(*values, **named)
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        shown = ", ".join(repr(value).removesuffix(".0") for value in settings.values())
        label = self.name if settings == defaults else f"{self.name}({shown})"
        if label not in self._members:
            if len(self._members) >= 1000:  # a search over a parameter must not keep all it has tried
                self._members.clear()
            self._members[label] = self._make(label, settings)
        return self._members[label]

    def settings(self, *values: Any, **named: Any) -> dict[str, float]:
        """Return the value of each parameter of a member by its name. Raises as a call."""
        names = list(self.parameters)
        unknown = [name for name in named if name not in names or name in names[: len(values)]]
        if len(values) > len(names) or unknown:
            raise TypeError(f"{self.name} {self._takes}, got {self._shown(values, named)}.")
        given = {**dict(zip(names, values, strict=False)), **named}
        return {
            name: parameter.check(f"{name} of {self.name}", given.get(name, parameter.default))
            for name, parameter in self.parameters.items()
        }

    def _of(self, values: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Return the formula of operands, which parameters may follow."""
        wanted = len(self.operands)
        if len(values) < wanted or any(isinstance(value, Expression) for value in values[wanted:]):
            shown = ", ".join([*self.operands, *self.parameters])
            raise TypeError(
                f"as a part of a formula write {self.name}({shown}), got {self._shown(values, named)}."
            )
        if len(values) - wanted > len(self.parameters):
            raise TypeError(f"{self.name} {self._takes}, got {self._shown(values[wanted:], named)}.")
        member: Any = self.member(*values[wanted:], **named)
        return member.of(*values[:wanted])

    @property
    def _takes(self) -> str:
        if not self.parameters:
            return "takes no parameters"
        shown = (f"{name}={parameter.default:g}" for name, parameter in self.parameters.items())
        return f"takes the parameters ({', '.join(shown)})"

    @staticmethod
    def _shown(values: tuple[Any, ...], named: Mapping[str, Any]) -> str:
        shown = [*map(repr, values), *(f"{name}={value!r}" for name, value in named.items())]
        return f"({', '.join(shown)})"[:100]

    @cached_property
    def usage(self) -> str:
        """The name with its parameters and their defaults, such as ``leaky_relu(negative_slope=0.01)``."""
        shown = ", ".join(f"{name}={parameter.default:g}" for name, parameter in self.parameters.items())
        return f"{self.name}({shown})" if shown else self.name

    def text_with(self, settings: Mapping[str, float]) -> str:
        """Return the formula as a person writes it, with numbers in place of its parameters."""
        return re.sub(
            r"\b[A-Za-z]\w*\b",
            lambda found: f"{settings[found[0]]:g}" if found[0] in settings else found[0],
            self.text,
        )

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{self.usage}: {self.text}>"

    def __copy__(self) -> Family[Member]:
        return self

    def __deepcopy__(self, memo: object) -> Family[Member]:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _family, (self.name,)


def _family(name: str) -> Family[Any]:
    return _FAMILIES[name]


_CALL = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?\s*", re.ASCII | re.DOTALL)


def member_named(what: str, text: object, families: Mapping[str, Family[Member]]) -> Member:
    """Return the formula that a text names, such as "relu" or "leaky_relu(0.2)"; it is parsed, not evaluated.

    Raises ValueError for anything else; `what` says what it is in the message.
    """
    family, values, named = _parsed(what, text, families)
    try:
        return family.member(*values, **named)
    except TypeError as error:
        raise ValueError(f"{what} {quoted(text)}: {error}") from None


def settings_named(what: str, text: str, families: Mapping[str, Family[Any]]) -> tuple[str, dict[str, float]]:
    """Return the family that the name of a member names, and its parameters: ("elu", {"alpha": 0.2}).

    Raises ValueError as `member_named`.
    """
    family, values, named = _parsed(what, text, families)
    return family.name, family.settings(*values, **named)


def _parsed(
    what: str, text: object, families: Mapping[str, Family[Member]]
) -> tuple[Family[Member], list[float], dict[str, float]]:
    match = _CALL.fullmatch(text) if isinstance(text, str) and len(text) <= 200 else None
    name, inside = match.groups() if match else (text, None)
    family: Family[Member] = choose(what, name, families)
    values: list[float] = []
    named: dict[str, float] = {}
    for part in inside.split(",") if inside and inside.strip() else []:
        key, equals, value = part.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            raise ValueError(
                f"{what} {quoted(text)}: {quoted(value.strip())} is no number. Write {family.usage}."
            ) from None
        if equals:
            key = key.strip()
            if key in named:
                raise ValueError(f"{what} {quoted(text)}: {key} is given twice. Write {family.usage}.")
            named[key] = number
        elif named:
            raise ValueError(f"{what} {quoted(text)}: a number follows a name. Write {family.usage}.")
        else:
            values.append(number)
    return family, values, named


def member_given(
    what: str, given: object, families: Mapping[str, Family[Member]], *, kind: str, made: str
) -> Member:
    """Return the formula that is given as a family or by its name: see `member_named`.

    Raises TypeError for formulas of numbers and for functions; `kind` and `made` say what is expected, and
    how one is made of a function.
    """
    if isinstance(given, Family) and families.get(given.name) is given:
        return given.member()  # type: ignore[no-any-return]
    if isinstance(given, Expression):
        raise TypeError(
            f"{what} must be a name or {kind}, got the formula {given} of numbers: a built-in formula "
            f"without parameters takes none."
        )
    if callable(given):
        raise TypeError(
            f"{what} must be a name or {kind}, got {quoted(given)}. Make one of a function of {made}, "
            f"from fuseprop.formulas."
        )
    return member_named(what, given, families)
