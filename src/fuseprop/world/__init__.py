"""Processes that train together: on one machine or many, with MPI between them."""

from .agreement import Elsewhere, agreeing, check_alike, first_unlike
from .failing import ending_all, ending_together
from .mpi import World
from .processes import ALONE, Processes

__all__ = [
    "ALONE",
    "Elsewhere",
    "Processes",
    "World",
    "agreeing",
    "check_alike",
    "ending_all",
    "ending_together",
    "first_unlike",
]
