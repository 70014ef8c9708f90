"""The NumPy backend of fuseprop: the CPU, and the readable reference for every other backend.

`operations` are the formulas, as called and as prebound calls; `replay` compiles a program to these. Small
programs run feature-major (`layout`, `feature_major`), the learning rate may be folded into the row weights
(`folding`), and wide batches are divided among `threads` (`parts`, `shared`).
"""

from .backend import NumpyBackend

__all__ = ["NumpyBackend"]
