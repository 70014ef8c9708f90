"""Models: a network with what turns a table into its inputs and back, trained, saved and loaded.

`fitting` goes from a table to a scored model; `settings` are the defaults that nobody gave.
"""

from .files import ModelFileError
from .fitting import train
from .model import Model, load

__all__ = ["Model", "ModelFileError", "load", "train"]
