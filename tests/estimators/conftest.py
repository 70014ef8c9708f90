"""Small tables for the estimators."""

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression

from fuseprop.backend.registry import VARIABLE


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    """What names no device is on the CPU, whatever the environment says."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def classes():
    """Rows of three classes, by name."""
    X, y = make_classification(150, 6, n_informative=4, n_classes=3, random_state=1)
    return X, np.array(["a", "b", "c"])[y]


@pytest.fixture
def numbers():
    """Rows and two numbers for each."""
    X, y = make_regression(150, 6, n_targets=2, noise=1.0, random_state=1)
    return X, y / 50
