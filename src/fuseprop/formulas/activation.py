"""An activation: a unit's output as a function of its weighted sum, and the slope of that function.

A backend makes of its formula what is fast on its device, fused with the bias and with the chain rule.
`activate` and `slope` compute it as it stands, in float64 on NumPy. Those that are built in are in
`activations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..backend import expression as of
from ..backend.expression import Expression, Operand, as_expression
from ..backend.formula import ActivationFormula, Y, Z
from ..checks.quoting import quoted
from .families import Family, Parameter, member_given, member_named
from .named import NamedFormula
from .tracing import (
    check_activation_formula,
    check_name,
    check_text,
    collecting_slopes,
    derived_slope,
    free_name,
    letting_nan_through,
    remember_slopes,
    traced,
)

Float = NDArray[np.float64]


class Activation(NamedFormula):
    """y = f(z), elementwise: a formula of one's own.

    ``Activation("swish", lambda z: z * sigmoid(z))`` is an activation for `Dense`, `mlp` and the estimators,
    fused like those that are built in; `fuseprop.formulas` has the functions that formulas are made of.

    Parameters
    ----------
    name : str
        What files, tables and messages call it: letters, digits, spaces and ``_-.,()=``, at most 60.
    value : callable
        f: called once, with an expression z; returns an expression.
    slope : callable, optional
        f' as an expression of the *output* y, so that nothing but y is kept for the backward pass. By
        default, the derivative of f, for which the backward pass keeps z unless it can be told from y.
    low, high : float
        The values that code "no" and "yes" for a unit with this activation, such as -1 and 1 for tanh.
        A unit says "yes" above the middle, `threshold`.
    text : str, optional
        The formula as a person writes it; by default as the expression is written.

    Raises TypeError for functions that do not return a formula, ValueError for the name of a built-in
    activation, for low not below high, for formulas of more than 200 operations, for a slope that central
    differences contradict, and for a function that is the same for every z.

    Equal activations have equal names, formulas and values of "no" and "yes". Pickles and model files hold
    the formula itself, not the function that it was made by.

    Attributes
    ----------
    formula : ActivationFormula
        What backends are handed.
    is_built_in : bool
        Whether it is a member of a family in `ACTIVATIONS`.
    has_slope : bool
        Whether f' is other than 0 anywhere. Gradient descent trains no network that has an activation
        without a slope, such as "step"; such a network predicts, and `fuseprop.GeneticSearch` searches it.

    Examples
    --------
    >>> from fuseprop import Activation, Network, mlp
    >>> from fuseprop.formulas import sigmoid
    >>> swish = Activation("swish", lambda z: z * sigmoid(z))
    >>> network = Network(mlp([4, 8, 1], swish), "half_squared_error", seed=0, device="cpu")
    """

    KIND = "activation"

    def __init__(
        self,
        name: str,
        value: Callable[[Expression], Operand],
        slope: Callable[[Expression], Operand] | None = None,
        *,
        low: float = 0.0,
        high: float = 1.0,
        text: str | None = None,
    ) -> None:
        check_name("activation", name, ACTIVATIONS)
        self._init(name, value, slope, low=low, high=high, text=text)
        self._check()

    def _init(
        self,
        name: str,
        value: Callable[[Expression], Operand],
        slope: Callable[[Expression], Operand] | None,
        *,
        low: float = 0.0,
        high: float = 1.0,
        text: str | None = None,
        has_slope: bool = True,
    ) -> None:
        self.name, self.low, self.high, self.has_slope = name, low, high, has_slope
        self._value, self._slope, self.given_text = value, slope, text

    def _check(self) -> None:
        check_text("activation", self.name, self.given_text)
        self.has_slope = check_activation_formula(self.name, self.formula, self.low, self.high)
        self.low, self.high = float(self.low), float(self.high)

    @classmethod
    def built_in(cls, name: str, value: Any, slope: Any = None, **options: Any) -> Activation:
        """Return an activation whose formula is made when it is first used, and checked by the tests."""
        made = cls.__new__(cls)
        made._init(name, value, slope, **options)
        made.is_built_in = True
        return made

    @classmethod
    def of_formula(
        cls, name: str, formula: ActivationFormula, low: float, high: float, text: str | None = None
    ) -> Activation:
        """Return an activation with a formula that is there, such as one from a file; checked as any.

        The name of a built-in one gets "own" before it.
        """
        check_name("activation", name, ())
        made = cls.__new__(cls)
        made._init(free_name(name, ACTIVATIONS), lambda z: z, None, low=low, high=high, text=text)
        slope = letting_nan_through(formula.slope, ["y", "z"])
        made.__dict__["formula"] = ActivationFormula(letting_nan_through(formula.value, ["z"]), slope)
        made._check()
        return made

    @cached_property
    def formula(self) -> ActivationFormula:
        """What backends are handed."""
        with collecting_slopes() as known:
            value = traced("activation", self.name, self._value, Z)
        slope = (
            derived_slope(value, known)
            if self._slope is None
            else traced("slope of the activation", self.name, self._slope, Y)
        )
        return ActivationFormula(value, slope)

    @property
    def _expression(self) -> Expression:
        return self.formula.value

    @property
    def threshold(self) -> float:
        """The output above which a unit says "yes"."""
        return (self.low + self.high) / 2

    def of(self, z: Operand) -> Expression:
        """Return f(z) as a part of another formula."""
        z = as_expression(z)
        value = of.substitute(self.formula.value, {Z: z})
        remember_slopes(value, (z, of.substitute(self.formula.slope, {Y: value, Z: z})))
        return value

    __call__ = of

    @property
    def _key(self) -> tuple[Any, ...]:
        return self.name, self.formula, self.low, self.high

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_built_in:
            return as_activation, (self.name,)
        return Activation.of_formula, (self.name, self.formula, self.low, self.high, self.given_text)


AnyActivation: TypeAlias = "str | Activation | Family[Activation]"
"""What an argument `activation` may be: a name, with parameters or without, or an object."""

ACTIVATIONS: dict[str, Family[Activation]] = {}
"""The built-in activations by name."""


def as_activation(activation: object) -> Activation:
    """Return an activation from its name or as an object. Raises ValueError for an unknown name.

    Examples
    --------
    >>> from fuseprop.formulas import as_activation
    >>> as_activation("leaky_relu(0.2)")
    <activation leaky_relu(0.2): z where z > 0, else 0.2 * z>
    """
    if isinstance(activation, Activation):
        return activation
    made = 'z: Activation("mine", lambda z: z * sigmoid(z))'
    return member_given("activation", activation, ACTIVATIONS, kind="an Activation", made=made)


def trainable_activations() -> dict[str, Family[Activation]]:
    """Return the built-in activations by name, without those that have no slope."""
    return {name: family for name, family in ACTIVATIONS.items() if family().has_slope}


def as_trainable_activation(
    activation: object, named: Mapping[str, Family[Activation]] | None = None
) -> Activation:
    """Return an activation that gradient descent can train, from its name or as an object.

    `named` are the choices by name; by default `trainable_activations`. Raises ValueError for an unknown
    name, and for an activation without a slope.
    """
    if isinstance(activation, str) and activation not in ACTIVATIONS:
        return member_named("activation", activation, trainable_activations() if named is None else named)
    made = as_activation(activation)
    if not made.has_slope:
        raise ValueError(
            f"activation {quoted(made.name)} cannot be trained by gradient descent: its slope is 0 "
            f"everywhere, so that no weight in front of it has a gradient. Use fuseprop.GeneticSearch, which "
            f"searches weights without slopes; fuseprop.Perceptron, which trains one unit with a step by the "
            f'perceptron rule; or "sigmoid".'
        )
    return made


def activate(activation: object, z: ArrayLike) -> Float:
    """Return f(z) in float64, any shape."""
    array = np.asarray(z, np.float64)
    return _values(as_activation(activation).formula.value, {"z": array}, array)


def slope(activation: object, point: ArrayLike) -> Float:
    """Return f' in float64, any shape, from the output y = f(z) or z, as the formula's `slope_of` says."""
    array = np.asarray(point, np.float64)
    return _values(as_activation(activation).formula.slope, {"y": array, "z": array}, array)


def _values(expression: Expression, values: Mapping[str, Float], like: Float) -> Float:
    with np.errstate(all="ignore"):
        result = of.evaluate(expression, values)
    return np.array(np.broadcast_to(result, like.shape), np.float64)


def activation_family(
    name: str,
    text: str,
    value: Callable[..., Operand],
    slope: Callable[..., Operand] | None = None,
    *,
    parameters: Mapping[str, Parameter] | None = None,
    **options: Any,
) -> Family[Activation]:
    """Add a built-in activation; its functions take the values of the parameters after z or y."""

    def make(label: str, settings: dict[str, float]) -> Activation:
        numbers = settings.values()
        return Activation.built_in(
            label,
            lambda z: value(z, *numbers),
            None if slope is None else lambda y: slope(y, *numbers),
            text=family.text_with(settings),
            **options,
        )

    family = Family(name, text, make, parameters or {})
    ACTIVATIONS[name] = family
    return family
