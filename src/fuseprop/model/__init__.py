"""Models: a network with the encoding of a table for it and the decoding of its outputs; trained and saved.

`fitting` trains a model on a table and scores it, with the defaults in `settings`. `rows` makes the tables
that it is asked about, of whatever rows are given in, and `answers` gives predictions in the same kind.
`files` reads and writes model files, whose contents beside the weights are a `configuration`, in which
`encodings` keep what is done to columns.
"""

from .files import ModelFileError
from .fitting import train
from .model import Model, load

__all__ = ["Model", "ModelFileError", "load", "train"]
