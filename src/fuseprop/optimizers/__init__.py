"""Optimizers: what makes a step of a gradient, one call over a network's flat parameters."""

from .adam import Adam
from .momentum import MomentumSGD
from .protocol import Optimizer, check_optimizer

__all__ = ["Adam", "MomentumSGD", "Optimizer", "check_optimizer"]
