"""Callbacks: what happens beside training, when it starts, after each epoch or batch, and when it ends.

The history that they read is here too, and the patience that counts epochs without an improvement.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .history import History
from .protocol import (
    BatchCallback,
    Callback,
    ResumableCallback,
    StoppingCallback,
    check_callbacks,
)
from .together import Together

if TYPE_CHECKING:
    from .early_stopping import EarlyStopping
    from .history_csv import HistoryCSV
    from .learning_rate import LearningRate
    from .on_epoch_end import OnEpochEnd
    from .save_best import SaveBest

__all__ = [
    "BatchCallback",
    "Callback",
    "EarlyStopping",
    "History",
    "HistoryCSV",
    "LearningRate",
    "OnEpochEnd",
    "ResumableCallback",
    "SaveBest",
    "StoppingCallback",
    "Together",
    "check_callbacks",
]

FILES = {
    "EarlyStopping": "early_stopping",
    "HistoryCSV": "history_csv",
    "LearningRate": "learning_rate",
    "OnEpochEnd": "on_epoch_end",
    "SaveBest": "save_best",
}
"""Where the callbacks are that training itself does not need."""


def __getattr__(name: str) -> object:
    """Import a callback when it is asked for: `import fuseprop` has none of the files that they write."""
    if name not in FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{FILES[name]}", __name__), name)
