"""MLPClassifier: classes by a multilayer perceptron."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from ..backend import HostArray
from ..checks.settings import is_finite_number
from ..formulas.loss import AnyLoss, as_loss
from ..layers.targets import Targets
from ..training.continuing import From, Kept
from ..training.rows import Rows
from .arrays import as_kind_of, to_numpy
from .base import BaseMLP
from .checking import Checked, check_sum
from .continuing import continued
from .labels import Labels
from .monitoring import with_callbacks
from .parameters import CONSTRAINTS
from .plain import plain, plain_classes
from .reported import accuracy


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multilayer perceptron for classes, as scikit-learn's of this name, on any device.

    It minimises the log loss: over exclusive classes by softmax, over two classes or labels that do not
    exclude each other by the sigmoid. Parameters, attributes and random draws are those of
    `sklearn.neural_network.MLPClassifier`, whose documentation they share; what follows is what is new.

    Parameters
    ----------
    activation : str or Activation, or one a hidden layer
        "identity", "logistic" (or "sigmoid"), "tanh", "relu"; any other of fuseprop by name, such as "gelu"
        or "leaky_relu(0.2)"; or a `fuseprop.Activation` of one's own.
    learning_rate : "constant" | "invscaling" | "adaptive" | callable
        Also a schedule of `fuseprop.schedules`, or any function of the epoch, counted from 0; then for
        "adam" too, and `learning_rate_init` is not used.
    device : str, optional
        "cpu", "cuda", "cuda:1", "auto" or a backend's name; by default what FUSEPROP_DEVICE names, or else
        "cpu". It is looked up by each fit and each prediction: see `fuseprop.load_backend`.
    dtype : "float32" | "float64", optional
        By default that of X, if it is one of them, else "float64".
    class_weight : dict, "balanced", list of dict or None
        Multiplies the sample weights, as in other estimators of scikit-learn.
    dropout : float in [0, 1)
        The share of hidden units that each step leaves out.
    clip_norm : float, optional
        Gradients whose norm is above this are scaled down to it.
    callbacks : callback or list of them, optional
        Of `fuseprop.callbacks`. Those of `sklearn.callback` are set by `set_callbacks`.

    Attributes
    ----------
    history_ : fuseprop.History
        Of the last call: training and validation loss and metric, learning rate, norms and seconds an epoch.
    best_epoch_ : int
        The epoch, counted from 1, with the best validation score, or else the lowest loss.
    stop_reason_ : str
        "converged", "early stopping", "finished" (at `max_iter`), "interrupted", "diverged", "callback".
    device_ : str
        The device that it was trained on.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fuseprop import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(learning_rate_init=0.01, max_iter=500, random_state=0, device="cpu").fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }
    _y_is_numeric = False
    _metric_name = "accuracy"

    def __init__(
        self,
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
        class_weight: Any = None,
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
    ) -> MLPClassifier:
        """Learn the classes y of rows X; return self.

        Parameters
        ----------
        X : array of any library, or sparse matrix, (n, d)
        y : array, (n,) classes or (n, labels) of 0 and 1
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
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> MLPClassifier:
        """Learn from the rows once, in one epoch that goes on from the last; return self.

        `classes` are all classes of this and later calls; the first call needs them.
        """
        y, classes = plain_classes("y", y), plain_classes("classes", classes)
        try:
            if _check_partial_fit_first_call(self, classes):
                of = y if type_of_target(y).startswith("multilabel") else classes
                self._labels = Labels.of(np.asarray(of) if of is classes else of)
            self._fit(X, y, sample_weight, None, continued(self), incremental=True)
        except Exception:
            if not hasattr(self, "coefs_"):  # the first call failed: the next one may name other classes
                for name in ("_labels", "classes_"):
                    self.__dict__.pop(name, None)
            raise
        return self

    def predict(self, X: Any) -> Any:
        """Return the class of each row, (n,), or 0 and 1 for each label, (n, labels)."""
        return as_kind_of(X, self._labels_of(self._predictions(X)))

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, (n, classes), in the order of `classes_`."""
        return as_kind_of(X, self._probabilities(X))

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of `predict_proba`."""
        probabilities = self._probabilities(X)
        with np.errstate(divide="ignore"):
            return as_kind_of(X, np.log(probabilities, out=probabilities))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows whose class, or whose labels all, are predicted."""
        y, sample_weight = plain_classes("y", y), plain("sample_weight", sample_weight)
        return float(super().score(to_numpy(X), y, sample_weight))

    def _probabilities(self, X: Any) -> HostArray:
        predictions = self._predictions(X)
        if self._labels.outputs > 1 or self._labels.kind != "binary":
            return predictions
        return np.column_stack([1 - predictions[:, 0], predictions[:, 0]])

    def _labels_of(self, predictions: HostArray) -> Any:
        return self._labels.decide(predictions)

    def _encode(self, data: Checked, *, incremental: bool) -> Targets:
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._labels = Labels.of(data.y)
            self.classes_ = self._labels.classes
            return self._labels.encode(data.y)
        classes = unique_labels(data.y)
        if self.warm_start and not incremental and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {classes}."
            )
        return self._labels.encode(data.y)

    def _weights(self, data: Checked, *, incremental: bool) -> HostArray | None:
        if self.class_weight is None:
            return data.weights
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} is not supported by partial_fit, which sees a part of "
                f"the rows. Give a dict, such as sklearn.utils.compute_class_weight makes from all of them."
            )
        _check_class_weight(self.class_weight)
        weights: HostArray = compute_sample_weight(self.class_weight, data.y)
        with np.errstate(over="ignore"):
            weights = weights if data.weights is None else weights * data.weights
        check_sum(weights)
        if not weights.any():
            raise ValueError(
                f"class_weight={self.class_weight!r:.100} leaves every row of y the weight 0, so that "
                f"there is nothing to learn. Give a class that y holds a weight above 0."
            )
        return weights

    def _outputs(self, targets: Targets) -> int:
        return self._labels.outputs

    def _stratifies(self) -> bool:
        return self._labels.outputs == 1

    def _loss(self) -> AnyLoss:
        return as_loss(self._labels.loss)

    def _out_activation(self) -> str:
        return self._labels.out_activation

    def _score_outputs(self, outputs: HostArray, rows: Rows) -> float:
        return accuracy(outputs, rows.own_targets, rows.own_weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _check_class_weight(given: Any) -> None:
    """Raise ValueError for class weights that are no numbers of at least 0, and for lists of no dicts."""
    if isinstance(given, list) and not (given and all(isinstance(weights, dict) for weights in given)):
        raise ValueError(
            f'class_weight must be a dict from class to weight, "balanced", or a list of dicts, one a label, '
            f"got {given!r:.60}."
        )
    for weights in [given] if isinstance(given, dict) else given if isinstance(given, list) else []:
        for name, weight in weights.items():
            if not (is_finite_number(weight) and weight >= 0):
                raise ValueError(
                    f"class_weight gives the class {name!r:.60} the weight {weight!r:.60}; expected a number "
                    f"of at least 0."
                )
