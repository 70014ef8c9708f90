"""Optimizers: from gradients to a step, by one call of the backend over a network's flat parameters.

`flat` holds what they share; training knows them by `protocol`.
"""

from .adam import Adam
from .momentum import MomentumSGD
from .protocol import Optimizer, check_optimizer

__all__ = ["Adam", "MomentumSGD", "Optimizer", "check_optimizer"]
