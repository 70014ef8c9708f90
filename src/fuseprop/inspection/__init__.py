"""Looking into a network: every number of a pass, and whether its gradient is the slope of its loss.

`Trace.explain` writes a pass out in words, the chain rule with the numbers in it; `drawing` draws it.
"""

from .gradcheck import gradcheck
from .numbers import Backward, Forward, LayerPass, LayerTrace, forward_pass
from .trace import Trace, trace_pass

__all__ = [
    "Backward",
    "Forward",
    "LayerPass",
    "LayerTrace",
    "Trace",
    "forward_pass",
    "gradcheck",
    "trace_pass",
]
