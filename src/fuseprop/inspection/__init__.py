"""Looking into a network: every number of a pass, and whether its gradient is the slope of its loss.

`explain` writes a trace out as text, the chain rule with the numbers in it.
"""

from .gradcheck import gradcheck
from .trace import LayerTrace, Trace, trace_pass

__all__ = ["LayerTrace", "Trace", "gradcheck", "trace_pass"]
