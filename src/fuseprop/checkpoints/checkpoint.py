"""Checkpoint: where a training keeps its checkpoints, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..checks.settings import as_path, check_flag
from .pace import Pace, parse_pace

PREVIOUS = ".previous"
"""The end of the stem of the checkpoint before: "run.previous.safetensors" for "run.safetensors"."""


@dataclass(frozen=True)
class Checkpoint:
    """Keep checkpoints of a training in a file, from which it can go on in the same bits.

    The file holds weights, the optimizer's state, the order of rows and the generator, the best weights, the
    history and what callbacks carry. It is written in the background, and whole at any moment once the first
    checkpoint is there, even where the process is killed. The one before is kept beside it:
    "run.previous.safetensors" beside "run.safetensors".

    Parameters
    ----------
    path : str or Path
        Such as "run.safetensors". A file there is refused when training starts, with FileExistsError, unless
        training goes on from it, or `overwrite` says otherwise.
    every : str
        How often: "60 s", "5 min", "1 h", "100 steps", "1 epoch". By time, one that falls due while the last
        is still being written waits for the next chance; by steps and epochs, training waits for the last.
    overwrite : bool
        Whether the first checkpoint replaces what is in the file.

    Raises TypeError for what is no path, no text or no flag, ValueError for another text in `every`,
    for a path without a name, and for the name of a checkpoint before another one.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Checkpoint, Network, mlp
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> kept = Checkpoint("run.safetensors", every="5 min")
    >>> history = network.fit(np.eye(2), np.ones(2), epochs=3, checkpoint=kept, resume=True)
    """

    path: str | Path
    every: str = "60 s"
    overwrite: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        path = as_path(self.path, "run.safetensors")
        if not path.name or "\0" in str(path):
            raise ValueError(f"a checkpoint needs the name of a file, such as run.safetensors, got {path!r}.")
        if path.stem.endswith(PREVIOUS):
            of = path.with_name(f"{path.stem.removesuffix(PREVIOUS)}{path.suffix}")
            raise ValueError(
                f"{path!s:.100} is the name of the checkpoint before that in {of!s:.100}. Name another file."
            )
        check_flag("overwrite", self.overwrite)
        parse_pace(self.every)

    @property
    def pace(self) -> Pace:
        """`every`, as a unit and a count."""
        return parse_pace(self.every)
