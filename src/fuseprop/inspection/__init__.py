"""Looking into a network: every number of a pass, and whether its gradient is the slope of its loss."""

from .gradcheck import gradcheck
from .trace import LayerTrace, Trace, trace_pass

__all__ = ["LayerTrace", "Trace", "gradcheck", "trace_pass"]
