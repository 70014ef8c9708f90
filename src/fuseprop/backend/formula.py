"""The formulas that backends are handed: of an activation, of a loss, of an optimizer's update.

Each says what becomes of one number, as expressions of the variables named here; a backend does it to whole
arrays. Equal formulas are equal objects with equal hashes, by which a backend may keep what it has made of
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from .derivative import ONE
from .expression import Expression, substitute, variable, variables

Z, Y, T = variable("z"), variable("y"), variable("t")
"""A weighted sum, an output, a target."""

W, G = variable("w"), variable("g")
"""A parameter, and its gradient."""


class _Formula:
    """The base of formulas: equal are those of the same expressions."""

    @property
    def _key(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True, eq=False)
class ActivationFormula(_Formula):
    """y = f(z).

    Attributes
    ----------
    value : Expression
        f(z), of the variable z.
    slope : Expression
        f', of the output y or of z, not of both; see `slope_of`.

    Examples
    --------
    >>> from fuseprop.formulas import as_activation
    >>> formula = as_activation("tanh").formula
    >>> formula.slope_of
    'y'
    """

    value: Expression
    slope: Expression

    def __post_init__(self) -> None:
        for what, expression, allowed in (
            ("value", self.value, [{"z"}]),
            ("slope", self.slope, [{"y"}, {"z"}]),
        ):
            if not any(variables(expression) <= names for names in allowed):
                raise ValueError(
                    f"the {what} of an activation is an expression of "
                    f"{' or of '.join(sorted(map(''.join, allowed)))}, got {expression}."
                )

    @property
    def _key(self) -> tuple[Any, ...]:
        return id(self.value), id(self.slope)

    @cached_property
    def slope_of(self) -> Literal["y", "z"] | None:
        """What the slope is of: the output "y", the weighted sum "z", or None where it is constant."""
        names = variables(self.slope)
        return "y" if "y" in names else "z" if "z" in names else None

    @property
    def is_identity(self) -> bool:
        """Whether f(z) = z."""
        return self.value is Z and self.slope is ONE


IDENTITY = ActivationFormula(Z, ONE)
"""f(z) = z."""


@dataclass(frozen=True, eq=False)
class LossFormula(_Formula):
    """A row's loss is the sum over its outputs of l(y, t).

    Attributes
    ----------
    term : Expression
        l, of the output y and the target t.
    slope : Expression
        dl/dy, of the same.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.backend import evaluate
    >>> from fuseprop.formulas import as_loss
    >>> formula = as_loss("half_squared_error").formula
    >>> float(evaluate(formula.term, {"y": np.float64(3), "t": np.float64(1)}))
    2.0
    """

    term: Expression
    slope: Expression

    @property
    def _key(self) -> tuple[Any, ...]:
        return id(self.term), id(self.slope)

    def __post_init__(self) -> None:
        for what, expression in (("term", self.term), ("slope", self.slope)):
            if not variables(expression) <= {"y", "t"}:
                raise ValueError(f"the {what} of a loss is an expression of y and t, got {expression}.")


@dataclass(frozen=True, eq=False)
class UpdateFormula(_Formula):
    """What a step makes of a parameter w with gradient g, and of what the optimizer keeps for it.

    Attributes
    ----------
    parameter : Expression
        The new w, of w, g, the moments and the settings.
    moments : tuple of (str, Expression)
        What the optimizer keeps for each parameter, and what becomes of it; in the order in which they are
        stored. The names mean the old moments in every expression.
    settings : tuple of str
        The numbers that are the same for all parameters, in the order in which they are stored.

    Examples
    --------
    >>> from fuseprop import Adam
    >>> formula = Adam().formula
    >>> [name for name, _ in formula.moments]
    ['m', 'v']
    """

    parameter: Expression
    moments: tuple[tuple[str, Expression], ...]
    settings: tuple[str, ...]

    @property
    def _key(self) -> tuple[Any, ...]:
        moments = tuple((name, id(new)) for name, new in self.moments)
        return id(self.parameter), moments, self.settings

    def __post_init__(self) -> None:
        names = [*self.settings, *(name for name, _ in self.moments)]
        if len({"w", "g", *names}) < len(names) + 2:
            raise ValueError(
                f"the settings and moments of an update need names of their own beside w and g, got "
                f"{', '.join(map(repr, names))}."
            )
        known = {"w", "g", *names}
        unknown = variables(self.parameter, *(new for _, new in self.moments)) - known
        if unknown:
            raise ValueError(
                f"an update is made of {', '.join(sorted(known))}, got {', '.join(sorted(unknown))} as well."
            )

    @property
    def results(self) -> dict[str, Expression]:
        """The new moments and the new w, by their names."""
        return {**dict(self.moments), "w": self.parameter}

    def with_gradient(self, gradient: Expression) -> UpdateFormula:
        """Return the formula with an expression in place of g, such as g + c w for weight decay.

        It may have further variables, such as c: they join the settings.
        """
        parameter = substitute(self.parameter, {G: gradient})
        moments = tuple((name, substitute(new, {G: gradient})) for name, new in self.moments)
        known = {"w", "g", *self.settings, *(name for name, _ in moments)}
        more = variables(parameter, *(new for _, new in moments)) - known
        return UpdateFormula(parameter, moments, (*self.settings, *sorted(more)))
