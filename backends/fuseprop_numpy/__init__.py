"""The NumPy backend of fuseprop: the CPU, and the readable reference for every other backend.

Training steps run in a library: `native/` has its sources, `compiled` hands steps to it. Where there is none,
and for programs that are no step, `replay` makes the NumPy calls of `operations` again and again; `formulas`
and `plans` tell those of a formula. `threads` holds how the process and its threads are set meanwhile.
"""

from .backend import NumpyBackend

__all__ = ["NumpyBackend"]
