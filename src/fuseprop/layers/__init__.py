"""Dense layers, and a stack of them: starting weights, parameters in one flat array, forward and backward.

Also what the last layer should say: targets, checked and encoded.
"""

from .dense import Dense, mlp

__all__ = ["Dense", "mlp"]
