"""Dense layers, and a stack of them: starting weights, parameters in one flat array, forward and backward.

Targets are here too, checked and encoded for the loss and the last layer.
"""

from .dense import Dense, mlp

__all__ = ["Dense", "mlp"]
