"""The order of rows in an epoch: on a GPU drawn and sent while the epoch before it still runs."""

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
    ahead : bool
        Whether to send orders ahead. It costs 10 to 20 us an epoch, and gains where the device works meanwhile.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        rows: int,
        epochs: int,
        *,
        shuffle: bool,
        send: Callable[[HostArray], None],
        ahead: bool,
    ) -> None:
        self._rng, self._rows, self._left, self._shuffle = rng, rows, epochs, shuffle
        self._send = send
        self._twin = deepcopy(rng) if ahead else None
        self._sent: HostArray | None = None
        self._drawn_after = b""  # the state of the generator when the twin drew

    def begin(self) -> HostArray:
        """Begin an epoch: return its order, which has been sent."""
        self._left -= 1
        order, self._sent = self._sent, None
        if order is None or self._twin is None or _state(self._rng) != self._drawn_after:
            order = self._draw(self._rng)
            self._send(order)
        else:
            self._rng.bit_generator.state = self._twin.bit_generator.state
        return order

    def send_next(self) -> None:
        """Send the order of the epoch after this one, if that is of use and this is not the last."""
        if self._twin is None or self._left == 0:
            return
        self._drawn_after = _state(self._rng)
        self._twin.bit_generator.state = self._rng.bit_generator.state
        self._sent = self._draw(self._twin)
        self._send(self._sent)

    def _draw(self, rng: np.random.Generator) -> HostArray:
        return rng.permutation(self._rows) if self._shuffle else np.arange(self._rows)


def _state(rng: np.random.Generator) -> bytes:
    """Return a generator's state, pickled: some hold arrays, which `==` would compare number by number."""
    return pickle.dumps(rng.bit_generator.state)
