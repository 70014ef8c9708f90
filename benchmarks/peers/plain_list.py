"""fuseprop's step as calls of NumPy, in the form that replay="calls" takes by default, and as a plain list.

The plain list has the calls of `CompiledProgram` and nothing of `feature_major`, `layout`, `folding`,
`shared` and `parts`.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.feature_major import FeatureMajor, prebound
from fuseprop_numpy.replay import compile as replay
from fuseprop_numpy.shared import shared_parts
from fuseprop_numpy.threads.denormals import flushing

from fuseprop.backend import Program, Runner

from ..problem import Problem
from ..stepper import Stepper
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "fuseprop", "fuseprop", ("fuseprop",)

DEFAULT, PLAIN = "by default", "plain list"


class PlainListBackend(NumpyBackend):
    """A `NumpyBackend` that replays every program as a plain list of calls."""

    def compile(self, program: Program) -> Runner:
        """See the class."""
        with patch.object(replay, "folding", lambda program: None):  # noqa: ARG005
            compiled = replay.CompiledProgram(self, program)
        assert compiled.folding is None
        return flushing(compiled.run)


def forms(device: str) -> list[Form]:
    """Return both; the second is the plain list."""
    if device != "cpu":
        raise ValueError(f'the plain list is one of NumPy: the device must be "cpu", got "{device}".')
    return [Form(DEFAULT, "step", _by_default), Form(PLAIN, "step", _plainly)]


def _by_default(problem: Problem) -> Running:
    stepper = Stepper(problem, NumpyBackend(replay="calls"))
    return Running(stepper.run, stepper.network.weights, about=lambda: {"form": form(stepper)})


def _plainly(problem: Problem) -> Running:
    stepper = Stepper(problem, PlainListBackend(replay="calls"))
    return Running(stepper.run, stepper.network.weights)


def form(stepper: Stepper) -> str:
    """Return in which form a step is replayed as calls: "feature-major, folded", "shared", ..."""
    backend: Any = stepper.backend
    program = stepper.record()
    if shared_parts(program) is not None:
        return "shared"
    compiled = prebound(backend, program)
    layout = "feature-major" if isinstance(compiled, FeatureMajor) else "rows"
    return layout if compiled.folding is None else f"{layout}, folded"
