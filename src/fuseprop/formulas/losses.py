"""Losses: how wrong an output is, and in which direction it should move.

Every loss is a sum over outputs and a weighted mean over rows. A loss owns its *link*, the function between
the last layer's output and a prediction: the cross-entropies take logits, because loss and link together are
finite where each alone overflows, and the Poisson deviance takes the logarithm of the mean. Squared and
absolute errors take the activated output as it is.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol, TypeAlias

from ..backend import AnyBackend, Array

Link: TypeAlias = Literal["identity", "sigmoid", "softmax", "exponential"]


class Loss(Protocol):
    """One loss.

    Attributes
    ----------
    name : str
        Its name in `LOSSES`.
    link : "identity" | "sigmoid" | "softmax" | "exponential"
        The function from the last layer's output to a prediction. Where it is not "identity", the last
        layer's activation must be "identity".
    takes_labels : bool
        Whether targets are class numbers (n,) rather than values (n, k).
    """

    name: ClassVar[str]
    link: ClassVar[Link]
    takes_labels: ClassVar[bool]

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


class SquaredError:
    """The base of squared errors: a row's loss is `factor(k)` times the sum of squares."""

    link: ClassVar[Link] = "identity"
    takes_labels: ClassVar[bool] = False

    def factor(self, outputs: int) -> float:
        """Return c in c sum_j (y - t)^2 for k outputs."""
        raise NotImplementedError

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
        factor = self.factor(output.shape[1])
        backend.squared_error(output, target, row_weights, factor, losses=losses, gradient=gradient)


class HalfSquaredError(SquaredError):
    """E = 1/(2n) sum_i sum_j (t_ij - y_ij)^2: the half cancels the 2 of the derivative."""

    name: ClassVar[str] = "half_squared_error"

    def factor(self, outputs: int) -> float:
        """Return 1/2."""
        return 0.5


class MeanSquaredError(SquaredError):
    """E = 1/(n k) sum_i sum_j (t_ij - y_ij)^2, the mean over rows and outputs."""

    name: ClassVar[str] = "mean_squared_error"

    def factor(self, outputs: int) -> float:
        """Return 1/k."""
        return 1.0 / outputs


class MeanAbsoluteError:
    """E = 1/(n k) sum_i sum_j |t_ij - y_ij|: far rows pull no harder than near ones.

    Its gradient is sign(y - t) / (n k), 0 where a target is met.
    """

    name: ClassVar[str] = "mean_absolute_error"
    link: ClassVar[Link] = "identity"
    takes_labels: ClassVar[bool] = False

    def factor(self, outputs: int) -> float:
        """Return 1/k."""
        return 1.0 / outputs

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
        factor = self.factor(output.shape[1])
        backend.absolute_error(output, target, row_weights, factor, losses=losses, gradient=gradient)


class SigmoidCrossEntropy:
    """E = -1/n sum_i sum_j t log p + (1 - t) log(1 - p), p = sigmoid(z): one or many non-exclusive labels."""

    name: ClassVar[str] = "sigmoid_cross_entropy"
    link: ClassVar[Link] = "sigmoid"
    takes_labels: ClassVar[bool] = False

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
        backend.sigmoid_cross_entropy(output, target, row_weights, losses=losses, gradient=gradient)


class SoftmaxCrossEntropy:
    """E = -1/n sum_i log p_i,label, p = softmax(z): exactly one of k exclusive classes."""

    name: ClassVar[str] = "softmax_cross_entropy"
    link: ClassVar[Link] = "softmax"
    takes_labels: ClassVar[bool] = True

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


class HalfPoissonDeviance:
    """E = 1/n sum_i sum_j t log(t / y) - t + y, y = e^z: counts, or amounts that are never below 0.

    Half the deviance of a Poisson distribution with mean y: 0 where y = t, and its gradient by z is y - t.
    """

    name: ClassVar[str] = "half_poisson_deviance"
    link: ClassVar[Link] = "exponential"
    takes_labels: ClassVar[bool] = False

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
        backend.half_poisson_deviance(output, target, row_weights, losses=losses, gradient=gradient)


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        HalfSquaredError(),
        MeanSquaredError(),
        MeanAbsoluteError(),
        SigmoidCrossEntropy(),
        SoftmaxCrossEntropy(),
        HalfPoissonDeviance(),
    )
}
