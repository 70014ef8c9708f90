"""What both estimators share: checked data becomes a network, is trained, and becomes host arrays again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..backend import INTEGER, AnyBackend, HostArray
from ..backend.registry import backend_on
from ..callbacks.history import History
from ..checkpoints import CheckpointError
from ..checks.arrays import warn_of_overflow
from ..checks.quoting import counted
from ..checks.settings import check_flag
from ..checks.warning import warn_user
from ..layers.dropout import Dropout
from ..layers.stack import Stack
from ..layers.targets import Targets
from ..training.continuing import Continuation
from ..training.epoch import Epoch
from ..training.features import Features
from ..training.loop import Training
from ..training.orders import Orders, unchanged
from ..training.out_of_memory import freeing_on_failure
from ..training.rows import Rows
from . import files
from .checking import Checked, check_rows, seen
from .continuing import begins_anew, settings_of
from .lbfgs import fit_lbfgs
from .monitoring import CallbackSupportMixin, Monitor
from .networks import OUTPUT, lent_network, network_of
from .observers import HeldOut
from .optimizer_state import OptimizerState
from .parameters import CONSTRAINTS, STOCHASTIC, chosen_activations, hidden_activations, hidden_sizes
from .rules import StochasticRules
from .splitting import hold_out
from .starting import starting_weights
from .training_state import warn_of_what_lacks

GROWING = ("loss_curve_", "validation_scores_", "_optimizer")
"""Attributes that a later call continues in place; a copy is kept, for a call that fails."""


class BaseMLP(CallbackSupportMixin, BaseEstimator):
    """A multilayer perceptron as a scikit-learn estimator.

    A subclass defines `_encode`, `_loss`, `_out_activation` and `_score_outputs`, by what y means.
    """

    coefs_: list[HostArray]
    intercepts_: list[HostArray]
    history_: History
    _random_state: Any
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def _store(self, parameters: dict[str, Any]) -> None:
        """Set attributes to the parameters as given: scikit-learn's `clone` compares their identities."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any] | None,
        continuation: Continuation,
        *,
        incremental: bool,
    ) -> Any:
        first = begins_anew(self, continuation, incremental=incremental)
        with ExitStack() as opened:
            checked = partial(
                self._prepare, X, y, sample_weight, validation, continuation, opened, first, incremental
            )
            return self._fit_checked(checked, continuation, first=first, incremental=incremental)

    def _fit_checked(
        self,
        checked: Callable[[], tuple[Checked, AnyBackend, Rows, Rows | None]],
        continuation: Continuation,
        *,
        first: bool,
        incremental: bool,
    ) -> Any:
        before = {name: copy(value) if name in GROWING else value for name, value in vars(self).items()}
        try:
            data, backend, rows, held_out = checked()
            stack = network_of(self, backend, self._dropout(backend))
            monitor = Monitor(self, data.described(), lambda: self._exported(stack), is_fit=not incremental)
        except BaseException:  # bad input, and Ctrl-C
            self._restore(before)
            raise
        done = refused = False
        try:
            if self.solver in STOCHASTIC:
                train = partial(
                    self._train,
                    backend,
                    stack,
                    rows,
                    held_out,
                    monitor,
                    continuation,
                    first=first,
                    incremental=incremental,
                )
                freeing_on_failure(train)
            else:
                fit_lbfgs(self, backend, stack, rows, self.history_, monitor)
            done = True
        except CheckpointError:
            refused = True
            raise
        finally:  # an error, such as one in a callback, keeps what complete epochs have learned
            learned = self._exported(stack)
            finite = all(np.isfinite(array).all() for arrays in learned.values() for array in arrays)
            if finite and (done or self.history_.epochs) and not refused:
                self.__dict__.update(learned)
                self.best_epoch_ = self.history_.best_epoch
                self.stop_reason_ = self.history_.stop_reason
            else:
                self._restore(before)
        if not finite:
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
        continuation: Continuation,
        opened: ExitStack,
        first: bool,
        incremental: bool,
    ) -> tuple[Checked, AnyBackend, Rows, Rows | None]:
        """Check everything, draw starting weights and the split, in scikit-learn's order.

        Once all is checked, the continuation is open until `opened` ends.
        """
        hidden = hidden_sizes(self.hidden_layer_sizes)
        hidden_activations(self.activation, hidden)
        self._check_combinations(validation)
        data = check_rows(self, X, y, sample_weight, reset=first)
        if not first:
            self._check_hidden(hidden)
        targets = self._encode(data, incremental=incremental)
        outputs = self._outputs(targets)
        if not first and outputs != self.coefs_[-1].shape[1]:
            raise ValueError(
                f"y has {counted(outputs, 'output')} here, but had {self.coefs_[-1].shape[1]} when this "
                f"estimator was fitted. Give as many, or fit anew, without warm_start."
            )
        weights = self._weights(data, incremental=incremental)
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        backend = backend_on(self.device, str(data.dtype), otherwise="cpu")
        self.device_ = backend.device
        rows = Rows(data.on(backend), targets, weights, shares=True)
        held_out = None if validation is None else self._validation_rows(*validation, targets, backend)

        self.n_outputs_ = outputs
        opened.enter_context(continuation.open())
        self._random_state = continuation.rng
        if first:
            self._initialize([data.features, *hidden, self.n_outputs_], data.dtype)
        if self.solver in STOCHASTIC:
            self._begin_curves(first=first)
            if not (incremental and hasattr(self, "_optimizer")):
                self._optimizer = OptimizerState(self.solver, float(self.learning_rate_init))
            if self.early_stopping and held_out is None:
                fraction, stratify = self.validation_fraction, self._stratifies()
                rows, held_out = hold_out(rows, fraction, self._random_state, stratify=stratify)
        if not first and continuation.settings is None:
            warn_of_what_lacks(self)
        self.__dict__.pop("_lacking", None)
        self._seen = seen(data, getattr(self, "_seen", None), first=first)
        self.history_ = History(metric=self._metric_name, validates=held_out is not None)
        return data, backend, rows, held_out

    def _check_combinations(self, validation: tuple[Any, Any] | None) -> None:
        """Raise ValueError for arguments that "lbfgs" lacks, and for one of X_val and y_val alone."""
        if self.solver not in STOCHASTIC:
            for name, given in (
                ("dropout", self.dropout),
                ("clip_norm", self.clip_norm),
                ("X_val", 0 if validation is None else "..."),
            ):
                if given:
                    raise ValueError(f"{name}={given} needs solver 'sgd' or 'adam', got {self.solver!r}.")
        if validation is not None and any(part is None for part in validation):
            given, missing = ("y_val", "X_val") if validation[0] is None else ("X_val", "y_val")
            raise ValueError(f"{given} came without {missing}: give both, or neither.")

    def _validation_rows(self, X_val: Any, y_val: Any, targets: Targets, backend: AnyBackend) -> Rows:
        """Return X_val and y_val as rows; raise ValueError where y_val does not fit y's `targets`."""
        data = check_rows(self, X_val, y_val, reset=False, names=("X_val", "y_val"))
        own = self._encode_known(data)
        if own.values.shape[1:] != targets.values.shape[1:]:
            raise ValueError(
                f"y_val has {counted(own.values.shape[1], 'column')}, but y has "
                f"{targets.values.shape[1]}. Give the same for both."
            )
        return Rows(data.on(backend), own, None, shares=True)

    def _initialize(self, sizes: list[int], dtype: np.dtype[Any]) -> None:
        """Draw starting weights, and reset the counts."""
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._out_activation()
        # Without a hidden layer the output layer is drawn for `activation` itself.
        drawn_for = hidden_activations(self.activation, sizes[1:-1]) or chosen_activations(self.activation)
        names = [activation.name for activation in drawn_for] or [OUTPUT]
        self.coefs_, self.intercepts_ = starting_weights(self._random_state, sizes, names, dtype)

    def _begin_curves(self, *, first: bool) -> None:
        """Begin curves and counts, or continue them; anew where `early_stopping` has changed since."""
        scored = getattr(self, "validation_scores_", None) is not None
        if first or not hasattr(self, "loss_curve_"):
            self.loss_curve_: list[float] = []
        if first or not hasattr(self, "best_loss_") or scored != bool(self.early_stopping):
            self._no_improvement_count = 0
            self.validation_scores_: list[float] | None = [] if self.early_stopping else None
            self.best_validation_score_ = -np.inf if self.early_stopping else None
            self.best_loss_ = None if self.early_stopping else np.inf

    def _check_hidden(self, hidden: list[int]) -> None:
        """Raise ValueError where training would go on with hidden layers of other sizes."""
        learned = [coef.shape[1] for coef in self.coefs_[:-1]]
        if learned != hidden:
            raise ValueError(
                f"hidden_layer_sizes={tuple(hidden)}, but training would go on from a network with "
                f"{tuple(learned)}. Set hidden_layer_sizes to that, or fit anew, without warm_start."
            )

    def _dropout(self, backend: AnyBackend) -> Dropout | None:
        """Return the masks of the hidden layers; a later call continues them after the steps taken."""
        hidden = len(self.coefs_) - 1
        if not (self.dropout and hidden):
            return None
        seed = self._random_state.randint(2**31)
        masks = Dropout(backend, [self.dropout] * hidden + [0.0], np.random.default_rng(seed))
        backend.from_host(np.array([self._optimizer.steps], INTEGER), out=masks.step)
        return masks

    def _train(
        self,
        backend: AnyBackend,
        stack: Stack,
        rows: Rows,
        held_out: Rows | None,
        monitor: Monitor,
        continuation: Continuation,
        *,
        first: bool,
        incremental: bool,
    ) -> None:
        """Train by "sgd" or "adam". The locals hold the device memory, which `freeing_on_failure` frees."""
        history, epochs = self.history_, 1 if incremental else self.max_iter
        batch_size = self._batch_size(len(rows))
        examples = rows.upload(backend)
        validation = None
        if held_out is not None:
            same = held_out.X is rows.X
            features = examples.features if same else Features(backend, held_out.X, shares=True)
            validation = HeldOut(backend, stack, features, held_out)
        rules = StochasticRules(
            self, stack, rows, batch_size, validation, first=first, incremental=incremental
        )
        epoch = Epoch(
            backend,
            stack,
            None,
            rules.optimizer,
            rows,
            batch_size=batch_size,
            examples=examples,
            observers=rules.observers,
        )
        history.metric, history.batch_size = epoch.metric.name, batch_size
        orders = Orders(
            self._random_state,
            rows.order,
            epochs - continuation.done,
            draw=_shuffled if self.shuffle else unchanged,
            send=epoch.send,
            ahead=backend.device != "cpu",
        )
        continuation.run(
            Training(epoch, rules, orders),
            epochs,
            monitor,
            history,
            settings_of(self, backend, epoch, first=first) if continuation.does_anything else {},
            {"training rows": rows, "validation rows": held_out},
        )

    def _batch_size(self, rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, rows)
        if int(self.batch_size) > rows:
            warn_user("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return min(int(self.batch_size), rows)

    def _exported(self, stack: Stack) -> dict[str, list[HostArray]]:
        """Return the network's parameters as `coefs_` and `intercepts_`: writable host arrays of its own."""
        layers = stack.parameters.unpack(stack.parameters.values)
        return {
            "coefs_": [np.array(weights) for weights, _ in layers],
            "intercepts_": [np.array(bias) for _, bias in layers],
        }

    def _restore(self, before: dict[str, Any]) -> None:
        """Undo a call that has failed before it learned weights worth keeping."""
        self.__dict__.clear()
        self.__dict__.update(before)

    def _predictions(self, X: Any) -> HostArray:
        """Return outputs (n, k), through the loss's link, on the host; warn where they are not finite."""
        check_is_fitted(self, "coefs_")
        data = check_rows(self, X, reset=False)
        with np.errstate(all="ignore"), lent_network(self) as network:
            predictions = network.predict(data.on(network.backend))
        warn_of_overflow(predictions)
        return predictions

    def save(self, path: str | Path, *, training: bool = True) -> None:
        """Write the fitted network to a model file, for `load` and `fuseprop.load`.

        Parameters
        ----------
        path : path
        training : bool
            Whether the file also has what training goes on from, so that `partial_fit`, and `fit` with
            `warm_start`, continue after `load` as if there had been no file: the parameters, except
            `device` and `callbacks`, the optimizer's moments, curves and counters. Without it the file has
            a third or half of the bytes, earlier versions read it, and training that goes on from it warns
            that it goes on from the weights alone.

        A function as `learning_rate`, unless it is of `fuseprop.schedules`, cannot be kept, and training that
        goes on warns of that. Raises NotFittedError, OSError where the file cannot be written, ValueError for
        a classifier of one class.
        """
        check_flag("training", training)
        files.save(self, path, training=training)

    @classmethod
    def load(cls, path: str | Path, device: str | None = None) -> Self:
        """Return the estimator in a model file, with `device` as its parameter. Raises ModelFileError.

        What training goes on from is there where `save` of an estimator has written it; else the parameters
        have their defaults, and training that goes on warns of that.
        """
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


def _shuffled(rng: np.random.RandomState, order: HostArray) -> HostArray:
    """Shuffle as sklearn.utils.shuffle does, without its checks: 0.3 ms an epoch."""
    places = np.arange(len(order))
    rng.shuffle(places)
    shuffled: HostArray = order[places]
    return shuffled
