"""The seam: what a backend must do, and all that it needs of fuseprop to do it.

`protocol` is the class to write, `registry` finds backends by device or name.
"""

from ..installing import how_to_install
from .aliasing import Memory, Place, Span, overlaps, span
from .array import INTEGER, A, Array, HostArray, Shape
from .errors import BackendUnavailable, OutOfMemory
from .finding import Finding
from .program import Access, Call, Program, Runner, replay_by_calling, touches
from .protocol import Activation, AnyBackend, Backend

__all__ = [
    "INTEGER",
    "A",
    "Access",
    "Activation",
    "AnyBackend",
    "Array",
    "Backend",
    "BackendUnavailable",
    "Call",
    "Finding",
    "HostArray",
    "Memory",
    "OutOfMemory",
    "Place",
    "Program",
    "Runner",
    "Shape",
    "Span",
    "how_to_install",
    "overlaps",
    "replay_by_calling",
    "span",
    "touches",
]
