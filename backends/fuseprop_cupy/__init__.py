"""The CuPy backend of fuseprop: one NVIDIA GPU, with CUDA kernels and CUDA graphs of its own.

device/ is all that touches CUDA, operations/ the protocol's methods, replay/ what compiles a recorded step,
and kernels/ the CUDA source. Importing this package does not import CuPy.
"""

from .backend import CupyBackend

__all__ = ["CupyBackend"]
