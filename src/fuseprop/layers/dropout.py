"""Dropout: each training step sets other outputs of hidden layers to 0, chosen at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import INTEGER, AnyBackend, Array

SEEDS = 1 << 32
"""Seeds are below this."""

APART = 0x9E3779B9
"""So far apart are the seeds of two processes: an odd number, whose multiples all differ."""


class Dropout:
    """The masks of a network in training.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting", in the
    inverted form: what is kept is scaled by 1 / (1 - rate) in training, and nothing is done in predictions. A
    mask is a hash of the layer's seed, the step and the element's number: none is stored, the backward pass
    computes the same one again, and it is the same on every backend.

    Parameters
    ----------
    rates : sequence of float
        The share of outputs that each layer drops, in [0, 1).
    rng : numpy.random.Generator
        Draws a seed for each layer whose rate is above 0.

    Attributes
    ----------
    step : Array, (1,)
        The number of the step, counted on the device, so that a recorded step has new masks each time.
    process : int
        The number of the process, where several train together: each has masks of its own.
    """

    def __init__(self, backend: AnyBackend, rates: Sequence[float], rng: np.random.Generator) -> None:
        self.rates = list(rates)
        self.seeds = [int(rng.integers(SEEDS)) if rate else 0 for rate in self.rates]
        self.step = backend.zeros((1,), INTEGER)
        self.process = 0

    def apply(self, backend: AnyBackend, layer: int, values: Array, *, out: Array) -> None:
        """Drop a layer's outputs, or the same elements of the gradient by them; `out` may be `values`."""
        seed = (self.seeds[layer] + self.process * APART) % SEEDS
        backend.dropout(values, self.rates[layer], seed, self.step, out=out)

    def advance(self, backend: AnyBackend) -> None:
        """Count the step: the next masks are new ones."""
        backend.advance(self.step, 1)
