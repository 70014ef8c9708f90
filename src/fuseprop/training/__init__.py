"""Training: one step, an epoch of compiled steps, and the loop over epochs of `Network.fit` and estimators.

Evaluation and prediction are here too: forward passes over rows that are not learned from.
"""

from .divergence import DivergenceError

__all__ = ["DivergenceError"]
