"""fuseprop: dense neural networks, written once against one array-backend interface."""

from typing import TYPE_CHECKING, Any

from .backend import Array, Backend, BackendUnavailable
from .callbacks import EarlyStopping
from .data import Table, UnlikeTrainingWarning, load_table
from .divergence import DivergenceError
from .fitting import train
from .history import History
from .inspection import Trace, gradcheck
from .layers import Dense, mlp
from .model import Model, load
from .modelfile import ModelFileError
from .network import Network
from .optimizers import Adam, MomentumSGD
from .perceptron import NotSeparable, Perceptron
from .registry import available_backends, load_backend

if TYPE_CHECKING:
    from .estimators import MLPClassifier, MLPRegressor, from_sklearn, to_sklearn  # noqa: F401

__version__ = "0.1.0"

__all__ = [
    "Adam",
    "Array",
    "Backend",
    "BackendUnavailable",
    "Dense",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "Model",
    "ModelFileError",
    "MomentumSGD",
    "Network",
    "NotSeparable",
    "Perceptron",
    "Table",
    "Trace",
    "UnlikeTrainingWarning",
    "available_backends",
    "gradcheck",
    "load",
    "load_backend",
    "load_table",
    "mlp",
    "train",
]

ESTIMATORS = ("MLPClassifier", "MLPRegressor", "from_sklearn", "to_sklearn")
"""What needs scikit-learn, and is imported when it is asked for: `import fuseprop` needs NumPy alone."""


def __getattr__(name: str) -> Any:
    """Import an estimator."""
    if name not in ESTIMATORS:
        raise AttributeError(f"module 'fuseprop' has no attribute {name!r}")
    from . import estimators

    return getattr(estimators, name)
