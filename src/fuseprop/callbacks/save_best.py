"""A checkpoint of the best model so far."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..history import History


class Savable(Protocol):
    """What can be saved, such as `fuseprop.Model`."""

    def save(self, path: Path, /) -> None:
        """Write to a file, atomically."""


class SaveBest:
    """Save the model after each epoch that is better than all before, over the one saved last.

    `path` always holds a whole model, the best so far, also if the process is killed. Raises as the model's
    `save`, which for a `fuseprop.Model` is OSError.
    """

    def __init__(self, model: Savable, path: str | Path) -> None:
        self._model = model
        self._path = Path(path)

    def start(self, epochs: int, history: History) -> None:
        """Nothing is learned yet."""

    def epoch_end(self, history: History) -> None:
        """Save, if this epoch is the best."""
        if history.best_epoch == history.epochs:
            self._model.save(self._path)

    def end(self, history: History) -> None:
        """The best model is in its file already."""
