"""A trace in words and numbers: the chain rule with the numbers in it.

Names count from 1: ``z2.1`` is the weighted sum of unit 1 of layer 2, ``a1.2`` the output of unit 2 of layer
1, ``w2.31`` the weight of layer 2 from its input 3 to unit 1 (``w2.3,1`` where there are ten or more), ``x1``
the first input. ``L`` is the loss, a mean over rows, and ``l`` that of one row.
"""

from __future__ import annotations

import numpy as np

from ..numbers import Backward
from .layers import layer_lines
from .nudges import nudge_lines
from .output import loss_lines
from .paths import path_lines
from .strongest import strongest_lines

__all__ = ["explained"]


def explained(trace: Backward, paths: int) -> str:
    """Return the text of `Trace.explain`."""
    with np.errstate(over="ignore", invalid="ignore"):  # a pass may hold inf and nan, which are written so
        return "\n".join(_lines(trace, paths))


def _lines(trace: Backward, paths: int) -> list[str]:
    if len(trace.target) > 1:
        return [*layer_lines(trace), *nudge_lines(trace)]
    if trace.paths > paths:
        return [*layer_lines(trace), *loss_lines(trace), *strongest_lines(trace)]
    return path_lines(trace)
