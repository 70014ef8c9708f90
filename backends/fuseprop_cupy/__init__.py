"""The CuPy backend of fuseprop: one NVIDIA GPU, with CUDA kernels of its own. Imports without CuPy."""

from .backend import CupyBackend

__all__ = ["CupyBackend"]
