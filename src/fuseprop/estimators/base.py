"""What both estimators share: from checked data to a network and back to host arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..backend import INTEGER, Activation, AnyBackend, HostArray
from ..dropout import Dropout
from ..history import History
from ..layers import Dense
from ..losses import LOSSES
from ..memory import giving_back
from ..parameters import Parameters
from ..registry import load_backend, named_device
from ..stack import Stack
from ..targets import Targets
from . import files
from .checking import Checked, check_rows
from .lbfgs import fit_lbfgs
from .monitoring import CallbackSupportMixin, Monitor
from .parameters import CONSTRAINTS, NAMES, STOCHASTIC, hidden_activations, hidden_sizes
from .predicting import predict_outputs
from .rates import OptimizerState
from .starting import starting_weights
from .stochastic import Stochastic
from .task import Sample

OUTPUT: Activation = "identity"
"""The last layer's activation: the loss applies the link."""


class BaseMLP(CallbackSupportMixin, BaseEstimator):
    """A multilayer perceptron as a scikit-learn estimator.

    A subclass says what y means: `_encode`, `_loss_name`, `_out_activation`, `_score_outputs`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def _store(self, parameters: dict[str, Any]) -> None:
        """Keep what `__init__` was given, unchecked: scikit-learn's `clone` compares identities."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any] | None, *, incremental: bool
    ) -> Any:
        before = dict(vars(self))
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        try:
            data, backend, sample, held_out = self._prepare(
                X, y, sample_weight, validation, first, incremental
            )
            stack = self._stack(backend, self._dropout(backend))
        except Exception:
            # Bad input leaves a fitted estimator as it was.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        monitor = Monitor(self, data.described(), lambda: self._exported(stack), is_fit=not incremental)
        try:
            if self.solver in STOCHASTIC:
                giving_back(
                    lambda: Stochastic(self, backend, stack, sample, held_out).run(
                        self.history_, monitor, first=first, incremental=incremental
                    )
                )
            else:
                fit_lbfgs(self, backend, stack, sample, self.history_, monitor)
        finally:
            self.__dict__.update(self._exported(stack))
            self.best_epoch_ = self.history_.best_epoch
            self.stop_reason_ = self.history_.stop_reason
        if not all(np.isfinite(array).all() for array in [*self.coefs_, *self.intercepts_]):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and "
                "need to be preprocessed."
            )
        monitor.complete()
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any] | None,
        first: bool,
        incremental: bool,
    ) -> tuple[Checked, AnyBackend, Sample, Sample | None]:
        """Check everything, draw starting weights and the split, in scikit-learn's order."""
        hidden = hidden_sizes(self.hidden_layer_sizes)
        hidden_activations(self.activation, hidden)
        if self.dropout and self.solver not in STOCHASTIC:
            raise ValueError(f"dropout={self.dropout!r} needs solver 'sgd' or 'adam', got {self.solver!r}.")
        data = check_rows(self, X, y, sample_weight, reset=first)
        targets = self._encode(data, incremental=incremental)
        weights = self._weights(data, incremental=incremental)
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        backend = load_backend(named_device(self.device, "cpu"), str(data.dtype))
        self.device_ = backend.device
        sample = Sample.whole(data.on(backend), targets, weights)
        held_out = None
        if validation is not None:
            own = check_rows(self, *validation, reset=False)
            held_out = Sample.whole(own.on(backend), self._encode_known(own))

        self.n_outputs_ = self._outputs(targets)
        self._random_state = check_random_state(self.random_state)
        if first:
            self._initialize([data.features, *hidden, self.n_outputs_], data.dtype)
        if self.solver in STOCHASTIC:
            if not (incremental and hasattr(self, "_optimizer")):
                self._optimizer = OptimizerState(self.solver, float(self.learning_rate_init))
            if self.early_stopping and held_out is None:
                fraction, stratify = self.validation_fraction, self._stratifies()
                sample, held_out = sample.split(fraction, self._random_state, stratify=stratify)
        self.history_ = History(metric=self._metric_name)
        return data, backend, sample, held_out

    def _initialize(self, sizes: list[int], dtype: np.dtype[Any]) -> None:
        """Draw starting weights and forget what was learned."""
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._out_activation()
        hidden = hidden_activations(self.activation, sizes[1:-1])
        names: list[str] = [*hidden]
        if not hidden:  # what its only layer is drawn for, as there is none to follow
            names = [NAMES[self.activation] if isinstance(self.activation, str) else OUTPUT]
        self.coefs_, self.intercepts_ = starting_weights(self._random_state, sizes, names, dtype)
        if self.solver in STOCHASTIC:
            self.loss_curve_: list[float] = []
            self._no_improvement_count = 0
            self.validation_scores_: list[float] | None = [] if self.early_stopping else None
            self.best_validation_score_ = -np.inf if self.early_stopping else None
            self.best_loss_ = None if self.early_stopping else np.inf

    def _dropout(self, backend: AnyBackend) -> Dropout | None:
        """Return the masks of the hidden layers; they go on, from call to call, by the steps taken."""
        hidden = len(self.coefs_) - 1
        if not (self.dropout and hidden):
            return None
        seed = self._random_state.randint(2**31)
        masks = Dropout(backend, [self.dropout] * hidden + [0.0], np.random.default_rng(seed))
        backend.from_host(np.array([self._optimizer.steps], INTEGER), out=masks.step)
        return masks

    def _stack(self, backend: AnyBackend, dropout: Dropout | None = None) -> Stack:
        """Return the network with `coefs_` and `intercepts_` as its parameters."""
        shapes = [coef.shape for coef in self.coefs_]
        hidden = hidden_activations(self.activation, [m for _, m in shapes[:-1]])
        rates = [0.0] * len(shapes) if dropout is None else dropout.rates
        layers = [
            Dense(d, m, name, dropout=rate)
            for (d, m), name, rate in zip(shapes, [*hidden, OUTPUT], rates, strict=True)
        ]
        parameters = Parameters(backend, shapes)
        parameters.load(list(zip(self.coefs_, self.intercepts_, strict=True)))
        return Stack(layers, LOSSES[self._loss_name()], parameters, dropout)

    def _exported(self, stack: Stack) -> dict[str, list[HostArray]]:
        """Return the network's parameters as `coefs_` and `intercepts_`: writable host arrays of its own."""
        layers = stack.parameters.unpack(stack.parameters.values)
        return {
            "coefs_": [np.array(weights) for weights, _ in layers],
            "intercepts_": [np.array(bias) for _, bias in layers],
        }

    def _predictions(self, X: Any) -> HostArray:
        """Return outputs (n, k), through the loss's link, on the host."""
        check_is_fitted(self)
        data = check_rows(self, X, reset=False)
        backend = load_backend(named_device(self.device, "cpu"), str(self.coefs_[0].dtype))
        stack = self._stack(backend)
        return predict_outputs(backend, stack, data.on(backend), on_device=data.is_on_device)

    def save(self, path: str | Path) -> None:
        """Write what predicts to a model file, which `load` and `fuseprop.load` read: see `files.save`."""
        files.save(self, path)

    @classmethod
    def load(cls, path: str | Path, device: str | None = None) -> Self:
        """Return the estimator in a model file, with `device` as its parameter. Raises ModelFileError."""
        return files.load(cls(device=device), path)

    def _outputs(self, targets: Targets) -> int:
        return int(targets.values.shape[1])

    def _stratifies(self) -> bool:
        return False

    def _weights(self, data: Checked, *, incremental: bool) -> HostArray | None:
        return data.weights

    def _encode_known(self, data: Checked) -> Targets:
        return self._encode(data, incremental=True)

    def _check_solver(self) -> bool:
        if self.solver not in STOCHASTIC:
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
