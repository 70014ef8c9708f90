"""What tests of other libraries share."""

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported, here or in processes of tests


@pytest.fixture
def rows():
    """Rows (40, 3), each column of another size."""
    return np.random.default_rng(7).normal(size=(40, 3)) * [1.0, 2.0, 0.5]
