"""A loss: how wrong an output is, and in which direction it should move.

Every loss is a sum over outputs and a weighted mean over rows. A loss owns its *link*, the function between
the last layer's output and a prediction: the cross-entropies take logits, because loss and link together are
finite where each alone overflows, and the Poisson deviance takes the logarithm of the mean. Errors take the
activated output as it is. Those that are built in are in `losses`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from math import inf, isinf, nan
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from ..backend import AnyBackend, Array
from ..backend.derivative import derivative
from ..backend.expression import (
    Expression,
    Operand,
    as_expression,
    substitute,
    variable,
)
from ..backend.formula import LossFormula, T, Y, Z
from ..checks.choices import choose
from ..checks.quoting import quoted
from ..checks.settings import is_finite_number
from .activation import as_activation
from .families import Family, Parameter, member_given
from .named import NamedFormula
from .tracing import (
    check_is_squared,
    check_loss_formula,
    check_name,
    check_text,
    collecting_slopes,
    free_name,
    letting_nan_through,
    remember_slopes,
    traced,
)

Link: TypeAlias = Literal["identity", "sigmoid", "softmax", "exponential"]

P = variable("p")
"""A prediction: what the link makes of an output."""

OPTIONS = ("link", "low", "high", "coding", "mean", "metric", "constant")
"""What a loss has beside its name and its formula."""


class Loss(NamedFormula):
    """A loss that is a sum over outputs: a formula of one's own.

    ``Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y))`` is a loss for `Network` and the
    estimators, computed with its gradient in one pass like those that are built in; `fuseprop.formulas` has
    the functions that formulas are made of.

    Parameters
    ----------
    name : str
        What files, tables and messages call it: letters, digits, spaces and ``_-.,()=``, at most 60.
    term : callable
        l(y, t) of an output and its target: called once, with two expressions; returns an expression.
    slope : callable, optional
        dl/dy, of the same; by default derived.
    link : "identity" | "sigmoid" | "exponential"
        The function from the last layer's output to a prediction. Where it is not "identity", y is the output
        before it, and the last layer's activation must be "identity".
    low, high : float
        The least and the largest target that the formula takes; others are refused.
    coding : (float, float), optional
        The targets that stand for "no" and "yes" where targets are classes, such as (-1, 1) for hinge; by
        default as the last layer's activation codes them.
    mean : bool
        Whether a row's loss is the mean over its outputs, or their sum.
    metric : "loss" | "accuracy" | "r2" | "d2"
        What is reported beside it, where targets are values rather than classes: "loss" is the loss alone.
    constant : "mean" or float
        Which constant prediction has the least loss, for "d2": the mean of the targets, or a quantile of them
        such as 0.5, the median.
    text : str, optional
        The formula as a person writes it; by default as the expression is written.

    Raises TypeError for functions that do not return a formula; ValueError for the name of a built-in loss,
    for unknown choices, for formulas of more than 200 operations, and for a slope that central differences
    contradict.

    Equal losses have equal names, formulas and options. Pickles and model files hold the formula itself, not
    the function that it was made by.

    Attributes
    ----------
    formula : LossFormula
        What backends are handed.
    is_built_in : bool
        Whether it is a member of a family in `LOSSES`.

    Examples
    --------
    >>> from fuseprop import Loss, Network, mlp
    >>> from fuseprop.formulas import where
    >>> asymmetric = Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y))
    >>> network = Network(mlp([4, 8, 1]), asymmetric, seed=0, device="cpu")
    """

    KIND = "loss"
    takes_labels: ClassVar[bool] = False

    # Where nothing else is said; `OPTIONS` has their names.
    link: Link = "identity"
    low: float = -inf
    high: float = inf
    coding: tuple[float, float] | None = None
    mean: bool = True
    metric: str = "loss"
    constant: Literal["mean"] | float = "mean"

    def __init__(
        self,
        name: str,
        term: Callable[[Expression, Expression], Operand],
        slope: Callable[[Expression, Expression], Operand] | None = None,
        *,
        link: Link = "identity",
        low: float = -inf,
        high: float = inf,
        coding: tuple[float, float] | None = None,
        mean: bool = True,
        metric: str = "loss",
        constant: Literal["mean"] | float = "mean",
        text: str | None = None,
    ) -> None:
        check_name("loss", name, LOSSES)
        options = {
            "link": link,
            "low": low,
            "high": high,
            "coding": coding,
            "mean": mean,
            "metric": metric,
            "constant": constant,
        }
        self._init(name, term, slope, text=text, **options)
        self._check()

    def _init(self, name: str, term: Any, slope: Any, *, text: str | None = None, **options: Any) -> None:
        self.name, self._term, self._slope, self.given_text = name, term, slope, text
        for option in OPTIONS:
            if option in options:
                setattr(self, option, options[option])

    @classmethod
    def built_in(cls, name: str, term: Any, slope: Any = None, **options: Any) -> Loss:
        """Return a loss whose formula is made when it is first used, and checked by the tests."""
        made = cls.__new__(cls)
        made._init(name, term, slope, **options)
        made.is_built_in = True
        return made

    @classmethod
    def of_formula(cls, name: str, formula: LossFormula, **options: Any) -> Loss:
        """Return a loss with a formula that is there, such as one from a file; checked as any.

        The name of a built-in one gets "own" before it.
        """
        check_name("loss", name, ())
        made = cls.__new__(cls)
        made._init(free_name(name, LOSSES), lambda y, t: y - t, None, **options)
        term, slope = (letting_nan_through(each, ["y", "t"]) for each in (formula.term, formula.slope))
        made.__dict__["formula"] = LossFormula(term, slope)
        made._check()
        return made

    def _check(self) -> None:
        check_text("loss", self.name, self.given_text)
        choices: dict[str, Any] = dict.fromkeys(get_args(Link))
        choose("link", self.link, {name: None for name in choices if name != "softmax"})
        choose("metric", self.metric, dict.fromkeys(("loss", "accuracy", "r2", "d2")))
        ends = [
            float(end) if is_finite_number(end) or (isinstance(end, float) and isinf(end)) else nan
            for end in (self.low, self.high)
        ]
        if not ends[0] < ends[1]:
            raise ValueError(
                f"low and high of the loss {quoted(self.name)} must be numbers, low below high, got "
                f"{quoted(self.low)} and {quoted(self.high)}."
            )
        self.low, self.high = ends
        if self.coding is not None:
            if not isinstance(self.coding, tuple | list) or len(self.coding) != 2:
                raise ValueError(
                    f"coding of the loss {quoted(self.name)} must be two numbers, such as (-1, 1), got "
                    f"{quoted(self.coding)}."
                )
            no, yes = self.coding
            if not (is_finite_number(no) and is_finite_number(yes) and no < yes):
                raise ValueError(
                    f"coding of the loss {quoted(self.name)} must be two numbers, the first below the "
                    f"second, such as (-1, 1), got {quoted(self.coding)}."
                )
            self.coding = (float(no), float(yes))
            if not self.low <= self.coding[0] < self.coding[1] <= self.high:
                raise ValueError(
                    f"coding of the loss {quoted(self.name)} must be two targets that it takes, from "
                    f"{self.low:g} to {self.high:g}, got {quoted(self.coding)}."
                )
        if not isinstance(self.mean, bool):
            raise TypeError(f"mean must be True or False, got {quoted(self.mean)}.")
        quantile = self.constant
        is_mean = isinstance(quantile, str) and quantile == "mean"
        if not is_mean and not (isinstance(quantile, float) and 0 < quantile < 1):
            raise ValueError(
                f'constant must be "mean" or a quantile between 0 and 1, got {quoted(quantile)}.'
            )
        check_loss_formula(self.name, self.formula, self.low, self.high)
        if self.metric == "r2":
            check_is_squared(self.name, self.formula)

    @cached_property
    def formula(self) -> LossFormula:
        """What backends are handed."""
        with collecting_slopes() as known:
            term = traced("loss", self.name, self._term, Y, T)
        if self._slope is None:
            slope = letting_nan_through(derivative(term, "y", known), ["y", "t"])
        else:
            slope = traced("slope of the loss", self.name, self._slope, Y, T)
        return LossFormula(term, slope)

    @property
    def _expression(self) -> Expression:
        return self.formula.term

    def error_signal(self, outputs: int) -> Expression:
        """Return what a row's loss over k outputs sends back to one of them, dl/dy, of p and t: p - t.

        p is the prediction. Where a slope is not of p alone, z stands for the output before the link.
        """
        link = {Y: P} if self.link == "identity" else {as_activation(self.link).of(Y): P, Y: Z}
        slope = substitute(self.formula.slope, link)
        return slope / outputs if self.mean and outputs > 1 else slope

    def factor(self, outputs: int) -> float:
        """Return what the sum over k outputs is multiplied by: 1, or 1/k for a mean."""
        return 1.0 / outputs if self.mean else 1.0

    def of(self, y: Operand, t: Operand) -> Expression:
        """Return l(y, t) as a part of another formula."""
        y, t = as_expression(y), as_expression(t)
        places, formula = {Y: y, T: t}, self.formula
        term = substitute(formula.term, places)
        by_target = derivative(formula.term, "t")
        remember_slopes(term, (y, substitute(formula.slope, places)), (t, substitute(by_target, places)))
        return term

    __call__ = of

    def apply(
        self,
        backend: AnyBackend,
        output: Array,
        target: Array,
        row_weights: Array,
        *,
        losses: Array,
        gradient: Array,
    ) -> None:
        """Write each row's loss (n,) and dL/d output (n, k), where L = sum_i row_weights_i losses_i."""
        factor = self.factor(output.shape[1])
        backend.loss_of_rows(
            output, target, row_weights, self.formula, factor, losses=losses, gradient=gradient
        )

    @property
    def options(self) -> dict[str, Any]:
        """All that a loss has beside its name and formula, by the names of its parameters."""
        return {name: getattr(self, name) for name in OPTIONS}

    @property
    def _key(self) -> tuple[Any, ...]:
        return self.name, self.formula, *self.options.values()

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_built_in:
            return as_loss, (self.name,)
        return _loss_of_formula, (self.name, self.formula, self.options | {"text": self.given_text})


def _loss_of_formula(name: str, formula: LossFormula, options: dict[str, Any]) -> Loss:
    return Loss.of_formula(name, formula, **options)


class SoftmaxCrossEntropy(NamedFormula):
    """E = -1/n sum_i log p_i,label, p = softmax(z): exactly one of k exclusive classes."""

    KIND = "loss"
    name = "softmax_cross_entropy"
    link: ClassVar[Link] = "softmax"
    takes_labels: ClassVar[bool] = True
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = inf
    coding: ClassVar[None] = None
    metric: ClassVar[str] = "accuracy"
    given_text = "-log p_label, p = softmax(z)"
    is_built_in = True

    def of(self, y: Operand, t: Operand) -> Expression:
        """Raise TypeError: it is a loss of a whole row, whose outputs depend on each other."""
        raise TypeError(
            f"{self.name} is a loss of all outputs of a row together, and cannot be a part of a formula of "
            f"one output. sigmoid_cross_entropy can."
        )

    def error_signal(self, outputs: int) -> Expression:
        """Return dl/dz of one output, p - t: t is 1 for the class of the row and 0 for all others."""
        return P - T

    def apply(
        self,
        backend: AnyBackend,
        output: Array,
        target: Array,
        row_weights: Array,
        *,
        losses: Array,
        gradient: Array,
    ) -> None:
        """See `Loss.apply`."""
        backend.softmax_cross_entropy(output, target, row_weights, losses=losses, gradient=gradient)

    @property
    def _key(self) -> tuple[Any, ...]:
        return (self.name,)


AnyLoss: TypeAlias = Loss | SoftmaxCrossEntropy

LOSSES: dict[str, Family[AnyLoss]] = {}
"""The built-in losses by name."""


def as_loss(loss: object) -> AnyLoss:
    """Return a loss from its name or as an object. Raises ValueError for an unknown name.

    Examples
    --------
    >>> from fuseprop.formulas import as_loss
    >>> as_loss("huber(1.35)")
    <loss huber(1.35): (y - t)^2 / 2 where |y - t| <= 1.35, else 1.35 (|y - t| - 1.35 / 2)>
    """
    if isinstance(loss, Loss | SoftmaxCrossEntropy):
        return loss
    made = 'the output and the target: Loss("mine", lambda y, t: (y - t) ** 2)'
    return member_given("loss", loss, LOSSES, kind="a Loss", made=made)


def loss_family(
    name: str,
    text: str,
    term: Callable[..., Operand],
    slope: Callable[..., Operand] | None = None,
    *,
    parameters: Mapping[str, Parameter] | None = None,
    constant: Callable[..., float] | Literal["mean"] | float = "mean",
    **options: Any,
) -> Family[AnyLoss]:
    """Add a built-in loss; its functions take the values of the parameters after y and t."""

    def make(label: str, settings: dict[str, float]) -> AnyLoss:
        numbers = settings.values()
        return Loss.built_in(
            label,
            lambda y, t: term(y, t, *numbers),
            None if slope is None else lambda y, t: slope(y, t, *numbers),
            constant=constant(*numbers) if callable(constant) else constant,
            text=family.text_with(settings),
            **options,
        )

    family = Family(name, text, make, parameters or {}, ("y", "t"))
    LOSSES[name] = family
    return family


def softmax_family() -> Family[AnyLoss]:
    """Add softmax cross-entropy, whose family has no parameters."""
    loss = SoftmaxCrossEntropy()
    family: Family[AnyLoss] = Family(loss.name, loss.text, lambda *_: loss, {}, ("y", "t"))
    LOSSES[family.name] = family
    return family
