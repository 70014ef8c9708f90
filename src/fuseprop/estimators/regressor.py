"""MLPRegressor: numbers by a multilayer perceptron."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import assert_all_finite
from sklearn.utils.metaestimators import available_if

from ..backend import HostArray
from ..checks.arrays import check_range
from ..formulas.activation import activate
from ..formulas.loss import AnyLoss
from ..layers.targets import Targets
from ..training.continuing import From, Kept
from ..training.rows import Rows
from .arrays import as_kind_of, to_numpy
from .base import BaseMLP
from .checking import Checked, check_numeric
from .continuing import continued
from .monitoring import with_callbacks
from .parameters import CONSTRAINTS, LOSS, chosen_loss
from .plain import plain
from .reported import r_squared

OUT_ACTIVATIONS = {"identity": "identity", "exponential": "exp", "sigmoid": "logistic"}
"""The output activation, by scikit-learn's names, of each link of a loss."""


class MLPRegressor(RegressorMixin, BaseMLP):
    """A multilayer perceptron for numbers, as scikit-learn's of this name, on any device.

    Parameters, attributes and random draws are those of `sklearn.neural_network.MLPRegressor`, whose
    documentation they share; what follows is what is new. `MLPClassifier` describes the others that are:
    `activation`, `learning_rate`, `device`, `dtype`, `dropout`, `clip_norm`, `callbacks`, and the attributes
    `history_`, `best_epoch_`, `stop_reason_` and `device_`.

    Parameters
    ----------
    loss : str or Loss
        "squared_error" and "poisson", which are half the squared error and half the Poisson deviance, as in
        scikit-learn; "absolute_error"; a loss of fuseprop by its own name, such as "log_cosh", "huber(1.35)"
        or "quantile(0.9)"; or a `fuseprop.Loss` of one's own.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import MLPRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = MLPRegressor(max_iter=300, random_state=0, device="cpu").fit(X, X.ravel() ** 2)
    >>> model.score(X, X.ravel() ** 2) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [LOSS],
    }
    _y_is_numeric = True
    _metric_name = "r2"

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        device: str | None = None,
        dtype: str | None = None,
        dropout: float = 0.0,
        clip_norm: float | None = None,
        callbacks: Any = None,
    ) -> None:
        self._store(locals())

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        checkpoint: Kept = None,
        resume: From = None,
    ) -> MLPRegressor:
        """Learn the numbers y of rows X; return self.

        Parameters
        ----------
        X : array of any library, or sparse matrix, (n, d)
        y : array, (n,) or (n, k)
        sample_weight : array, (n,), optional
        X_val, y_val : arrays, optional
            Rows to validate with after each epoch, instead of a part of X where `early_stopping` is on.
        checkpoint : Checkpoint or path, optional
            Where training keeps all that it would go on from, and how often: see `Checkpoint`.
        resume : path or bool, optional
            Go on from such a checkpoint, in the same bits on the same backend; True stands for that of
            `checkpoint`, where there is one, and the start where there is none. Everything else is to be
            given as it was, but `max_iter`, which may be more. With ``random_state=None`` it draws from a
            generator of its own.

        Raises ValueError and TypeError, in scikit-learn's words, for what does not fit. Raises
        CheckpointError for a checkpoint that cannot be read, that another process writes, or that is of
        another training, and names what differs; FileExistsError for one that would be lost. The estimator
        stays as it was.
        """
        validation = None if X_val is None and y_val is None else (X_val, y_val)
        continuation = continued(self, checkpoint, resume)
        self._fit(X, y, sample_weight, validation, continuation, incremental=False)
        return self

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Learn from the rows once, in one epoch that goes on from the last; return self."""
        self._fit(X, y, sample_weight, None, continued(self), incremental=True)
        return self

    def predict(self, X: Any) -> Any:
        """Return the numbers for each row, (n,) or (n, k)."""
        predictions = self._predictions(X)
        return as_kind_of(X, predictions[:, 0] if predictions.shape[1] == 1 else predictions)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2, the mean over outputs."""
        return float(super().score(to_numpy(X), plain("y", y), plain("sample_weight", sample_weight)))

    def _encode(self, data: Checked, *, incremental: bool) -> Targets:
        check_numeric("y", data.y)
        y = data.y.reshape(len(data.y), -1)
        assert_all_finite(y, input_name="y")
        check_range("y", y, data.dtype)
        loss = self._loss()
        if (y < loss.low).any() or (y > loss.high).any():
            needed = f"of at least {loss.low:g}" if loss.high == np.inf else f"of at most {loss.high:g}"
            if -np.inf < loss.low and loss.high < np.inf:
                needed = f"from {loss.low:g} to {loss.high:g}"
            such = ", such as counts" if (loss.low, loss.high) == (0, np.inf) else ""
            given = self.loss if isinstance(self.loss, str) else loss.name
            got = y.min() if (y < loss.low).any() else y.max()
            raise ValueError(f"loss={given!r} needs y {needed}{such}, got {got:g}.")
        return Targets(y, None)

    def _loss(self) -> AnyLoss:
        return chosen_loss(self.loss)

    def _out_activation(self) -> str:
        return OUT_ACTIVATIONS[self._loss().link]

    def _score_outputs(self, outputs: HostArray, rows: Rows) -> float:
        with np.errstate(over="ignore"):
            predictions = np.exp(outputs) if self.out_activation_ == "exp" else outputs
            if self.out_activation_ == "logistic":
                predictions = activate("sigmoid", outputs)
        return r_squared(predictions, rows.own_targets, rows.own_weights)
