"""Who learns from a table, each by its defaults."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .datasets import Data

Answer = NDArray[Any]
"""Classes or numbers (n,); for `auc` how much speaks for the second class, in ascending order."""


class Fitted(NamedTuple):
    """What answers rows of features, and what is to be kept of its fit, such as its epochs."""

    answer: Callable[[pd.DataFrame], Answer]
    kept: Mapping[str, int]


Learner = Callable[[Data, pd.DataFrame, int], Fitted]
"""Fits on rows with a target, by a seed."""


def fuseprop(**settings: Any) -> Learner:
    """Return the learner that trains by `fuseprop.train` with these settings, and no test rows.

    Where a number is to be predicted the task is "regression", which the few whole numbers of some targets do
    not say; what is a class is found by fuseprop, or fails.
    """

    def fit(data: Data, rows: pd.DataFrame, seed: int) -> Fitted:
        import fuseprop

        task = {} if data.of_classes else {"task": "regression"}
        given = {"test": 0.0, "seed": seed, "device": "cpu", **task, **settings}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, report = fuseprop.train(rows, data.target, **given)
        if data.of_classes and not model.task.classes:
            raise ValueError(f"{data.name}: fuseprop takes the classes of {data.target} for numbers.")

        def answer(features: pd.DataFrame) -> Answer:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", fuseprop.UnlikeTrainingWarning)
                if data.score == "auc":
                    return model.predict_proba(features).to_numpy()[:, 1]
                return model.predict(features).values.to_numpy()

        return Fitted(answer, {"epochs": sum(history.epochs for history in report.histories)})

    return fit


def _of_sklearn(make: Callable[[Data, pd.DataFrame, int], Any]) -> Learner:
    """Return the learner of an estimator that takes frames, made for the features of a table."""

    def fit(data: Data, rows: pd.DataFrame, seed: int) -> Fitted:
        features = rows.drop(columns=data.target)
        estimator = make(data, features, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of 200 epochs that were not enough
            estimator.fit(features, rows[data.target])

        def answer(features: pd.DataFrame) -> Answer:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of categories that no row learned from had
                if data.score == "auc":
                    return estimator.predict_proba(features)[:, 1]
                return estimator.predict(features)

        return Fitted(answer, {})

    return fit


def _perceptron(data: Data, features: pd.DataFrame, seed: int) -> Any:
    """Return scikit-learn's imputer with indicators, one-hot codes, scaler and multilayer perceptron."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = list(features.select_dtypes("number").columns)
    categories = [name for name in features.columns if name not in numbers]
    columns = make_column_transformer(
        (SimpleImputer(add_indicator=True), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
    )
    network = MLPClassifier if data.of_classes else MLPRegressor
    return make_pipeline(columns, StandardScaler(), network(random_state=seed))


def _perceptron_of_scaled_target(data: Data, features: pd.DataFrame, seed: int) -> Any:
    """Return the same with the target scaled, where it is a number."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    pipeline = _perceptron(data, features, seed)
    return pipeline if data.of_classes else TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def _boosting(data: Data, features: pd.DataFrame, seed: int) -> Any:
    """Return histogram gradient boosting with its own treatment of categories and missing values."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    levels = {
        name: pd.CategoricalDtype(features[name].dropna().unique())
        for name in features.columns
        if not pd.api.types.is_numeric_dtype(features[name])
    }
    boosting = HistGradientBoostingClassifier if data.of_classes else HistGradientBoostingRegressor
    return make_pipeline(
        FunctionTransformer(lambda frame: frame.astype(levels)),
        boosting(categorical_features="from_dtype", random_state=seed),
    )


def _constant(data: Data, _features: pd.DataFrame, _seed: int) -> Any:
    """Return the most frequent class, or the mean."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyClassifier() if data.of_classes else DummyRegressor()


FUSEPROP, PERCEPTRON, BOOSTING, CONSTANT = "fuseprop", "MLP", "boosting", "constant"
SCALED = "MLP, target scaled"

LEARNERS: dict[str, Learner] = {
    FUSEPROP: fuseprop(),
    PERCEPTRON: _of_sklearn(_perceptron),
    SCALED: _of_sklearn(_perceptron_of_scaled_target),
    BOOSTING: _of_sklearn(_boosting),
    CONSTANT: _of_sklearn(_constant),
}


def goes_with(name: str, data: Data) -> bool:
    """Return whether a learner says something of a table that no other does."""
    return name != SCALED or not data.of_classes


def score(data: Data, target: pd.Series, answer: Answer) -> float:
    """Return the score of a table's answers, as scikit-learn counts it."""
    from sklearn.metrics import r2_score, roc_auc_score

    known = target.to_numpy()
    if data.score == "accuracy":
        return float(np.mean(known == answer))
    if data.score == "auc":
        return float(roc_auc_score(known, answer))
    return float(r2_score(known, answer))
