"""Fitted estimators from scikit-learn to fuseprop and back, with the same weights, names and counts."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from ..checks.arrays import check_finite
from .base import BaseMLP
from .classifier import MLPClassifier
from .labels import Labels
from .parameters import chosen_activations, chosen_loss
from .regressor import MLPRegressor

PRIVATE = ("_no_improvement_count", "_random_state")
"""Private attributes copied beside the fitted ones, so that `warm_start` and `partial_fit` can go on."""

THEIR_ACTIVATIONS = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
THEIR_LOSSES = {"half_squared_error": "squared_error", "half_poisson_deviance": "poisson"}
"""scikit-learn's names by ours."""


def from_sklearn(estimator: Any, **parameters: Any) -> BaseMLP:
    """Return a fitted MLP of scikit-learn as one of fuseprop, which predicts the same.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
        Fitted; it shares no memory with the result.
    **parameters
        Of the new estimator, such as ``device="cuda"``.

    The optimizer's moments stay behind: `partial_fit` goes on from the weights. Raises TypeError for other
    estimators, NotFittedError for one that is not fitted, ValueError for weights that are not finite and for
    an activation that no estimator trains.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.neural_network import MLPRegressor
    >>> import fuseprop
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> theirs = MLPRegressor(max_iter=300, random_state=0).fit(X, X.ravel())
    >>> ours = fuseprop.from_sklearn(theirs, device="cpu")
    >>> np.allclose(ours.predict(X), theirs.predict(X))
    True
    """
    if not isinstance(estimator, TheirClassifier | TheirRegressor):
        raise TypeError(
            f"from_sklearn takes an MLPClassifier or MLPRegressor of sklearn.neural_network, got "
            f"{type(estimator).__name__}."
        )
    check_is_fitted(estimator, "coefs_")
    _check_weights(estimator)
    chosen_activations(estimator.activation)
    made: BaseMLP
    if isinstance(estimator, TheirClassifier):
        made = MLPClassifier(**estimator.get_params(deep=False))
        binarizer = estimator._label_binarizer
        made._labels = Labels(estimator.classes_, binarizer.y_type_, binarizer.sparse_input_)
    else:
        made = MLPRegressor(**estimator.get_params(deep=False))
    _copy_fitted(estimator, made)
    return made.set_params(**parameters)


def to_sklearn(estimator: BaseMLP) -> Any:
    """Return a fitted estimator of fuseprop as one of scikit-learn, which predicts the same.

    Parameters that scikit-learn does not have (`device`, `dtype`, `class_weight`, `dropout`, `clip_norm`,
    `callbacks`) and the optimizer's moments stay behind, and a schedule becomes "constant". Raises ValueError
    where scikit-learn has no such network: other activations and losses, several hidden activations.

    Examples
    --------
    >>> import numpy as np
    >>> import fuseprop
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> ours = fuseprop.MLPRegressor(max_iter=300, random_state=0, device="cpu").fit(X, X.ravel())
    >>> theirs = fuseprop.to_sklearn(ours)
    >>> np.allclose(ours.predict(X), theirs.predict(X))
    True
    """
    check_is_fitted(estimator, "coefs_")
    _check_weights(estimator)
    is_classifier = isinstance(estimator, MLPClassifier)
    theirs = TheirClassifier() if is_classifier else TheirRegressor()
    shared = {name: value for name, value in estimator.get_params(False).items() if hasattr(theirs, name)}
    shared["activation"] = _their_activation(estimator.activation)
    if callable(shared["learning_rate"]):
        shared["learning_rate"] = "constant"
    if not is_classifier:
        shared["loss"] = THEIR_LOSSES.get(chosen_loss(estimator.loss).name)
        if shared["loss"] is None:
            raise ValueError(
                f"scikit-learn's MLPRegressor has no loss {estimator.loss!r}. Losses that can be converted: "
                f"{_listed(THEIR_LOSSES)}."
            )
    theirs.set_params(**shared)
    if is_classifier:
        theirs._label_binarizer = _binarizer(estimator._labels)
    _copy_fitted(estimator, theirs)
    # Estimators from a file or by "lbfgs" lack the curves, which scikit-learn's `partial_fit` goes on from.
    BaseMLP._begin_curves(theirs, first=False)
    theirs._best_coefs, theirs._best_intercepts = copy.deepcopy((theirs.coefs_, theirs.intercepts_))
    return theirs


def _check_weights(estimator: Any) -> None:
    for array in [*estimator.coefs_, *estimator.intercepts_]:
        check_finite(f"this {type(estimator).__name__}", np.asarray(array))


def _copy_fitted(source: Any, target: Any) -> None:
    for name, value in vars(source).items():
        ours_alone = name in ("history_", "best_epoch_", "stop_reason_", "device_")
        if name in PRIVATE or (name.endswith("_") and not name.startswith("_") and not ours_alone):
            setattr(target, name, copy.deepcopy(value))


def _their_activation(activation: Any) -> str:
    names = list(dict.fromkeys(each.name for each in chosen_activations(activation)))
    if len(names) > 1:
        raise ValueError(
            f"scikit-learn's MLP has one activation for all hidden layers, this one has {', '.join(names)}."
        )
    name = names[0] if names else "relu"
    if name not in THEIR_ACTIVATIONS:
        raise ValueError(
            f"scikit-learn's MLP has no activation {name}. Activations that can be converted: "
            f"{_listed(THEIR_ACTIVATIONS)}."
        )
    return THEIR_ACTIVATIONS[name]


def _listed(theirs: dict[str, str]) -> str:
    return ", ".join(dict.fromkeys([*theirs.values(), *theirs]))


def _binarizer(labels: Labels) -> LabelBinarizer:
    made = LabelBinarizer().fit([0, 1])  # sets all attributes; three of them depend on the classes
    made.classes_, made.y_type_, made.sparse_input_ = labels.classes, labels.kind, labels.sparse
    return made
