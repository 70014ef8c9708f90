"""What there is to know of a metric before there are rows: which losses it goes with, and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..backend import HostArray
from ..layers import Dense
from ..losses import Loss
from ..targets import Targets
from .protocol import Metric


@dataclass(frozen=True)
class Kind:
    """A metric for any rows.

    Attributes
    ----------
    axis : str
        What stands at an axis that shows it.
    make : callable
        Returns the metric for targets and weights (N,) of rows, given the loss and the last layer.
    losses : tuple of type
        The kinds of loss from whose rows it is computed, and for which it is the one to take where targets
        are values rather than classes; none where it goes with any loss.
    needs : str
        Those losses, in words.
    """

    axis: str
    make: Callable[[Loss, Dense, Targets, HostArray | None], Metric]
    losses: tuple[type, ...] = ()
    needs: str = ""

    def fits(self, loss: Loss) -> bool:
        """Whether the metric can be had for a network with this loss."""
        return not self.losses or isinstance(loss, self.losses)
