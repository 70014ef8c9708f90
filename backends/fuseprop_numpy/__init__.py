"""The NumPy backend of fuseprop: the CPU, and the readable reference for every other backend."""

from .backend import NumpyBackend

__all__ = ["NumpyBackend"]
