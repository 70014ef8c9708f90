"""The order of rows in an epoch: on a GPU drawn and sent while the epoch before it still runs."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Generic, TypeVar, cast

import numpy as np

from ..backend import HostArray
from ..checks.settings import is_finite_number
from ..checks.states import described

Rng = TypeVar("Rng", "np.random.Generator", "np.random.RandomState")  # texts: naming it imports it


class Orders(Generic[Rng]):
    """The orders of a training's epochs.

    An order that is sent ahead of its epoch is drawn from a twin of the generator; the generator itself moves
    on when the epoch begins. So the generator has given one order for each epoch that has begun, also where
    training ends early. Where a callback draws from the generator in between, the order that was sent ahead
    is dropped, and the next one is drawn after the callback's numbers.

    Parameters
    ----------
    rng : numpy.random.Generator or numpy.random.RandomState
    first : (N,)
        The rows as they are before any epoch.
    epochs : int
        How many epochs there will be at most: nothing is sent ahead of the last.
    draw : callable
        ``draw(rng, order)`` returns the order that follows another; it changes neither.
    send : callable
        Sends an order (N,) to the device, for the steps that are sent after it.
    ahead : bool
        Whether to send orders ahead. It costs 10 to 120 us an epoch, and saves the time of drawing where the
        device works while the host draws.

    Attributes
    ----------
    rows : (N,)
        `first`.
    """

    def __init__(
        self,
        rng: Rng,
        first: HostArray,
        epochs: int,
        *,
        draw: Callable[[Rng, HostArray], HostArray],
        send: Callable[[HostArray], None],
        ahead: bool,
    ) -> None:
        self._rng: Rng = rng
        self._twin: Rng | None = deepcopy(rng) if ahead else None
        self.rows = first
        self._order, self._left = first, epochs
        self._draw: Callable[[Rng, HostArray], HostArray] = draw
        self._send = send
        self._sent: HostArray | None = None
        self._drawn_after = b""  # the state of the generator when the twin drew

    def begin(self) -> HostArray:
        """Begin an epoch: return its order, which has been sent."""
        self._left -= 1
        order, self._sent = self._sent, None
        if order is None or self._twin is None or _pickled(self._rng) != self._drawn_after:
            order = self._draw(self._rng, self._order)
            self._send(order)
        else:
            set_generator_state(self._rng, generator_state(self._twin))
        self._order = order
        return order

    def again(self) -> HostArray:
        """Begin the rest of an epoch that was under way in `state_dict`: return its order, sent again."""
        self._left -= 1
        self._send(self._order)
        return self._order

    def undo(self) -> None:
        """The epoch does not count: one more is to come, in an order of its own."""
        self._left += 1

    def send_next(self) -> None:
        """Send the order of the next epoch, where orders are sent ahead and this epoch is not the last."""
        if self._twin is None or self._left == 0:
            return
        self._drawn_after = _pickled(self._rng)
        set_generator_state(self._twin, generator_state(self._rng))
        self._sent = self._draw(self._twin, self._order)
        self._send(self._sent)

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state and the last epoch's order (N,); before the first epoch, `first`.

        Nobody writes into an order: a state shares it.
        """
        return {"generator": generator_state(self._rng), "order": self._order}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned: the next order is the one that would have followed."""
        load_generator_state(self._rng, state["generator"])
        self._order, self._sent = np.array(state["order"], self.rows.dtype), None


def shuffled(rng: np.random.Generator, order: HostArray) -> HostArray:
    """Draw a new order of all N rows, numbered from 0."""
    return rng.permutation(len(order))


def unchanged(_: object, order: HostArray) -> HostArray:
    """Return the same order, and draw nothing."""
    return order


def generator_state(rng: np.random.Generator | np.random.RandomState) -> dict[str, Any]:
    """Return the state of a generator as plain data, which stays as it is when the generator goes on."""
    if isinstance(rng, np.random.Generator):
        return deepcopy(dict(rng.bit_generator.state))
    return dict(rng.get_state(legacy=False))


def set_generator_state(rng: np.random.Generator | np.random.RandomState, state: Mapping[str, Any]) -> None:
    """Let a generator of the same kind go on from what `generator_state` returned; ValueError for another."""
    if isinstance(rng, np.random.Generator):
        rng.bit_generator.state = state
    else:
        rng.set_state(dict(state))


def load_generator_state(rng: np.random.Generator | np.random.RandomState, state: object) -> None:
    """Let a generator go on from what may be its state; raise ValueError, and change nothing, if it is not.

    NumPy's own setters take positions from which the generator would read beside its memory.
    """
    present = generator_state(rng)
    _check_alike("generator", state, present)
    set_generator_state(rng, cast("Mapping[str, Any]", state))


POSITIONS = {"pos": 624, "buffer_pos": 4, "has_uint32": 1, "has_gauss": 1, "uinteger": 2**32 - 1}
"""The largest values of what is less than 128 bits in the states of NumPy's generators."""


def _check_alike(place: str, state: object, present: object) -> None:
    """Raise ValueError for what is no state of a generator whose present state is that."""
    name = place.rpartition(".")[2]
    if isinstance(present, Mapping):
        fits = isinstance(state, Mapping) and state.keys() == present.keys()
    elif isinstance(present, np.ndarray):
        fits = isinstance(state, np.ndarray) and (state.shape, state.dtype) == (present.shape, present.dtype)
    elif isinstance(present, float):
        fits = is_finite_number(state)
    elif isinstance(present, int):
        fits = type(state) is int and 0 <= state <= POSITIONS.get(name, 2**128 - 1)
    else:
        fits = type(state) is type(present) and state == present
    if not fits:
        raise ValueError(f"this is no state of such a generator: its {place} is {described(state)}.")
    if isinstance(state, Mapping) and isinstance(present, Mapping):
        for key, part in state.items():
            _check_alike(f"{place}.{key}", part, present[key])


def _pickled(rng: np.random.Generator | np.random.RandomState) -> bytes:
    """Return the state as bytes, to compare: some states hold arrays, whose `==` gives an array."""
    return pickle.dumps(generator_state(rng))
