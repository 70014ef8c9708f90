"""Callbacks: what happens beside training, when it starts, after each epoch or batch, and when it ends.

The history that they read is here too, and the patience that counts epochs without an improvement.
"""

from .early_stopping import EarlyStopping
from .history import History
from .history_csv import HistoryCSV
from .learning_rate import LearningRate
from .on_epoch_end import OnEpochEnd
from .protocol import (
    BatchCallback,
    Callback,
    ResumableCallback,
    StoppingCallback,
    check_callbacks,
)
from .save_best import SaveBest
from .together import Together

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
