"""Report: the scores of a trained model, and how its training went."""

from __future__ import annotations

from dataclasses import dataclass

from ..callbacks.history import History
from ..metrics import Scores


@dataclass(frozen=True)
class Report:
    """The scores of a trained model, with its final weights, and the history of the training.

    Attributes
    ----------
    train, validation, test : Scores, or None for a part without rows
        As `Model.evaluate` returns them; with intervals for the test rows alone, as the others steered the
        training.
    histories : tuple of History
        Losses and scores of each epoch, of each network that was trained: see `Settings.members`.
    """

    train: Scores
    validation: Scores | None
    test: Scores | None
    histories: tuple[History, ...]

    @property
    def history(self) -> History:
        """The history of the network that was trained last; of the only one, where there is one."""
        return self.histories[-1]

    def scores(self, part: str) -> Scores | None:
        """Return the scores of "train", "validation" or "test"; None for a part without rows."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]
