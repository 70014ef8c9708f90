"""The order of rows in an epoch: drawn, and sent to the device, while the epoch before it still runs."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy

import numpy as np

from .backend import HostArray


class Orders:
    """The orders of a training's epochs.

    What is sent ahead of its epoch comes from a twin of the generator; the generator itself moves on when the
    epoch begins. So training may end at any time, in any way, and has spent what its epochs took. Where
    somebody else draws from the generator in between, such as a callback, the next order is drawn after that,
    as if none had been sent ahead.

    Parameters
    ----------
    rng : numpy.random.Generator
    rows : int
        How many rows there are, N.
    epochs : int
        How many epochs there will be at most: nothing is sent ahead of the last.
    shuffle : bool
        Whether each epoch takes the rows in a new random order.
    send : callable
        Takes an order (N,) to the device, to hold for what is asked of it from then on.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        rows: int,
        epochs: int,
        *,
        shuffle: bool,
        send: Callable[[HostArray], None],
    ) -> None:
        self._rng, self._twin = rng, deepcopy(rng)
        self._rows, self._left, self._shuffle = rows, epochs, shuffle
        self._send = send
        self._ahead: HostArray | None = None
        self._drawn_after = b""  # the state of both generators before the twin drew

    def begin(self) -> HostArray:
        """Begin an epoch: return its order, which has been sent."""
        self._left -= 1
        order, self._ahead = self._ahead, None
        ours, twins = self._rng.bit_generator, self._twin.bit_generator
        if order is not None and self._drawn_after == pickle.dumps(ours.state):
            ours.state = state = twins.state
        else:
            order = self._draw(self._rng)
            self._send(order)
            twins.state = state = ours.state
        # Pickled, for some generators' states hold arrays, which `==` would compare number by number.
        self._drawn_after = pickle.dumps(state)
        return order

    def send_next(self) -> None:
        """Send the order of the epoch after this one, unless this is the last."""
        if self._left > 0:
            self._ahead = self._draw(self._twin)
            self._send(self._ahead)

    def _draw(self, rng: np.random.Generator) -> HostArray:
        return rng.permutation(self._rows) if self._shuffle else np.arange(self._rows)
