"""A trace in words and numbers: the chain rule with the numbers in it.

Names count from 1: ``z2.1`` is the weighted sum of unit 1 of layer 2, ``a1.2`` the output of unit 2 of layer
1, ``w2.31`` the weight of layer 2 from its input 3 to unit 1 (``w2.3,1`` where there are ten or more), ``x1``
the first input. ``L`` is the loss, a mean over rows, and ``l`` that of one row.
"""

from __future__ import annotations

import numpy as np

from ..numbers import Backward
from .layers import COLUMNS, layer_lines, layer_rows, loss_text
from .nudges import nudge_lines
from .output import loss_lines
from .paths import path_lines
from .strongest import strongest_lines

__all__ = ["explained", "shown"]

TITLE = "A pass forward and backward"
"""Of a trace in a notebook."""


def explained(trace: Backward, paths: int) -> str:
    """Return the text of `Trace.explain`."""
    with np.errstate(over="ignore", invalid="ignore"):  # a pass may hold inf and nan, which are written so
        return "\n".join(_lines(trace, paths))


def shown(trace: Backward, paths: int) -> str:
    """Return `explained` as a notebook shows it: a table by layer, and the chain rule below it."""
    from ...showing import lines, paragraph, section, table  # only where a notebook asks

    if not trace.layers or not len(trace.target):
        return section(TITLE, paragraph("nothing went through"))
    with np.errstate(over="ignore", invalid="ignore"):
        return section(
            TITLE,
            paragraph(loss_text(trace)),
            table(COLUMNS, layer_rows(trace)),
            lines("\n".join(_chain_rule(trace, paths))),
        )


def _lines(trace: Backward, paths: int) -> list[str]:
    written_out = 0 < trace.paths <= paths
    return [*([] if written_out else layer_lines(trace)), *_chain_rule(trace, paths)]


def _chain_rule(trace: Backward, paths: int) -> list[str]:
    if len(trace.target) > 1:
        return nudge_lines(trace)
    if trace.paths > paths:
        return [*loss_lines(trace), *strongest_lines(trace)]
    return path_lines(trace)
