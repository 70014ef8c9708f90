"""Patience: how many epochs in a row may pass without an improvement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..checks.states import COUNT, check_state


@dataclass
class Patience:
    """A count of epochs in a row that were no improvement; the caller says which epochs are one.

    Attributes
    ----------
    limit : float
        Training ends after this many epochs in a row without an improvement; never, if it is infinite.
    count : int
        How many there have been in a row.
    """

    limit: float
    count: int = 0

    def epoch_ended(self, *, improved: bool) -> None:
        """Count an epoch."""
        self.count = 0 if improved else self.count + 1

    @property
    def is_over(self) -> bool:
        """Whether the limit is reached."""
        return self.count >= self.limit

    def state_dict(self) -> dict[str, Any]:
        """Return the count."""
        return {"count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        check_state("Patience", state, count=COUNT)
        self.count = state["count"]
