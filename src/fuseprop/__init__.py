"""fuseprop: dense neural networks, written once against one array-backend interface."""

from importlib import import_module

TYPE_CHECKING = False
"""As in `typing`, whose import would lie before the command's first line, with half of what it takes."""

if TYPE_CHECKING:
    from .backend import Array, Backend, BackendUnavailable
    from .backend.registry import available_backends, load_backend
    from .callbacks import EarlyStopping
    from .callbacks.history import History
    from .checkpoints import Checkpoint, CheckpointError
    from .data import Table, UnlikeTrainingWarning, load_table
    from .estimators import MLPClassifier as MLPClassifier
    from .estimators import MLPRegressor as MLPRegressor
    from .estimators import from_sklearn as from_sklearn
    from .estimators import to_sklearn as to_sklearn
    from .exchange import (
        NotConvertible,
        from_keras,
        from_onnx,
        from_torch,
        save_torch,
        to_keras,
        to_onnx,
        to_torch,
    )
    from .formulas import Activation, Loss
    from .genetic import GeneticSearch
    from .inspection import Trace, gradcheck
    from .layers.dense import Dense, mlp
    from .model.files import ModelFileError
    from .model.folds import CrossValidation, cross_validate
    from .model.model import Model, load
    from .model.training import train
    from .model.tuning import Tuning, tune
    from .network import Network
    from .optimizers import Adam, MomentumSGD
    from .perceptron import NotSeparable, Perceptron
    from .training.divergence import DivergenceError
    from .verification import Certificate, verify
    from .world.mpi import World

__version__ = "0.2.0"

__all__ = [
    "Activation",
    "Adam",
    "Array",
    "Backend",
    "BackendUnavailable",
    "Certificate",
    "Checkpoint",
    "CheckpointError",
    "CrossValidation",
    "Dense",
    "DivergenceError",
    "EarlyStopping",
    "GeneticSearch",
    "History",
    "Loss",
    "Model",
    "ModelFileError",
    "MomentumSGD",
    "Network",
    "NotConvertible",
    "NotSeparable",
    "Perceptron",
    "Table",
    "Trace",
    "Tuning",
    "UnlikeTrainingWarning",
    "World",
    "available_backends",
    "cross_validate",
    "from_keras",
    "from_onnx",
    "from_torch",
    "gradcheck",
    "load",
    "load_backend",
    "load_table",
    "mlp",
    "save_torch",
    "to_keras",
    "to_onnx",
    "to_torch",
    "train",
    "tune",
    "verify",
]

ROOMS = {
    "backend": ["Array", "Backend", "BackendUnavailable"],
    "backend.registry": ["available_backends", "load_backend"],
    "callbacks": ["EarlyStopping", "History"],
    "checkpoints": ["Checkpoint", "CheckpointError"],
    "data": ["Table", "UnlikeTrainingWarning", "load_table"],
    "estimators": ["MLPClassifier", "MLPRegressor", "from_sklearn", "to_sklearn"],
    "exchange": [
        "NotConvertible",
        "from_keras",
        "from_onnx",
        "from_torch",
        "save_torch",
        "to_keras",
        "to_onnx",
        "to_torch",
    ],
    "formulas": ["Activation", "Loss"],
    "genetic": ["GeneticSearch"],
    "inspection": ["Trace", "gradcheck"],
    "layers": ["Dense", "mlp"],
    "model": [
        "CrossValidation",
        "Model",
        "ModelFileError",
        "Tuning",
        "cross_validate",
        "load",
        "train",
        "tune",
    ],
    "network": ["Network"],
    "optimizers": ["Adam", "MomentumSGD"],
    "perceptron": ["NotSeparable", "Perceptron"],
    "training": ["DivergenceError"],
    "verification": ["Certificate", "verify"],
    "world": ["World"],
}
"""Where each public name is; those of the estimators need scikit-learn, all others NumPy alone."""

ROOM_OF = {name: room for room, names in ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name, or a module, when it is asked for: the command begins before its imports do."""
    if name in ROOM_OF:
        value = getattr(import_module(f".{ROOM_OF[name]}", __name__), name)
        globals()[name] = value
        return value
    try:
        if not name.startswith("_"):
            return import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *ROOM_OF, *(room.partition(".")[0] for room in ROOMS)})
