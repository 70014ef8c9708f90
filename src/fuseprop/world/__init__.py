"""Processes that train together: on one machine or many, with MPI between them."""

from .agreement import Elsewhere, agreeing
from .failing import ending_together
from .mpi import World
from .processes import ALONE, Processes

__all__ = ["ALONE", "Elsewhere", "Processes", "World", "agreeing", "ending_together"]
