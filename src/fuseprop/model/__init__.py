"""Models: a network with the encoding of a table for it and the decoding of its outputs; trained and saved.

`fitting` trains a model on a table and scores it, with the defaults in `settings`; `files` reads and writes
model files, whose contents beside the weights are a `configuration`.
"""

from .files import ModelFileError
from .fitting import train
from .model import Model, load

__all__ = ["Model", "ModelFileError", "load", "train"]
