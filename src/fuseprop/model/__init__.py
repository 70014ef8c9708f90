"""Models: a network with the encoding of a table for it and the decoding of its outputs; trained and saved.

`fitting` trains a model on a table and scores it, with the defaults in `settings`; `folds` does it for
each fold of a cross-validation, whose means have `intervals`, and `tuning` for `candidates`, of which it
keeps the best. `training` is the one call that does it all, and `reporting` makes a page of it. `rows`
makes the tables that it is asked about, of whatever rows are given in, and `answers` gives predictions
in the same kind. `files` reads and writes model files, whose contents beside the weights are a
`configuration`, in which `encodings` keep what is done to columns. `permuting` finds out on which
columns a model relies, its `importance`, and `association` which of them share it.
"""

from .files import ModelFileError
from .folds import CrossValidation, cross_validate
from .importance import Importance
from .model import Model, load
from .training import train
from .tuning import Tuning, tune

__all__ = [
    "CrossValidation",
    "Importance",
    "Model",
    "ModelFileError",
    "Tuning",
    "cross_validate",
    "load",
    "train",
    "tune",
]
