"""The seam: what a backend must do, and all that it needs of fuseprop to do it.

`protocol` is the class to write, `registry` finds backends by device or name.
"""

from ..installing import how_to_install
from ..world import Processes
from .aliasing import Memory, Place, Span, overlaps, span
from .array import INTEGER, A, Array, HostArray, Shape
from .cpp import Dialect, statements
from .errors import BackendUnavailable, OutOfMemory
from .expression import COMPARISONS, Expression, evaluate, in_order, number, substitute, variable, variables
from .finding import Finding
from .formula import IDENTITY, ActivationFormula, LossFormula, UpdateFormula
from .program import OPERATIONS, Access, Call, Program, Runner, replay_by_calling, touches
from .protocol import AnyBackend, Backend, BackendForProcesses

__all__ = [
    "COMPARISONS",
    "IDENTITY",
    "INTEGER",
    "OPERATIONS",
    "A",
    "Access",
    "ActivationFormula",
    "AnyBackend",
    "Array",
    "Backend",
    "BackendForProcesses",
    "BackendUnavailable",
    "Call",
    "Dialect",
    "Expression",
    "Finding",
    "HostArray",
    "LossFormula",
    "Memory",
    "OutOfMemory",
    "Place",
    "Processes",
    "Program",
    "Runner",
    "Shape",
    "Span",
    "UpdateFormula",
    "evaluate",
    "how_to_install",
    "in_order",
    "number",
    "overlaps",
    "replay_by_calling",
    "span",
    "statements",
    "substitute",
    "touches",
    "variable",
    "variables",
]
