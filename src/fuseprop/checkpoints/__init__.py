"""Checkpoints: a training as it is at one moment, in a file from which it goes on.

What a checkpoint holds is the training loop's; here is when one is due, how it is written in the background,
and how it is read.
"""

from .checkpoint import Checkpoint
from .keeper import Keeper
from .reading import CheckpointError, CheckpointWarning, Found, read_checkpoint

__all__ = ["Checkpoint", "CheckpointError", "CheckpointWarning", "Found", "Keeper", "read_checkpoint"]
