"""Implementations of the same training, one file each. A file holds

* ``NAME``, ``MODULE`` (what is imported) and ``DISTRIBUTIONS`` (what is installed, itself first), and
* ``forms(device)``: the ways in which this library can be used, each a `Form`.

The file imports its library at its top; where that fails, the peer is reported absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from ..device import Stopwatch
from ..problem import Problem

PEERS = ("fuseprop", "textbook", "pytorch", "jax", "scikit_learn", "thinc", "keras")
"""Modules in this folder. The first is the one that the others are compared with."""

ON_GPUS = ("pytorch", "jax")
"""Those of others that have a form on a GPU."""

PACKAGES = {
    "pytorch": ("PyTorch", "torch"),
    "scikit_learn": ("scikit-learn", "sklearn"),
    "jax": ("JAX", "jax"),
    "thinc": ("Thinc", "thinc"),
    "keras": ("Keras", "keras"),
}
"""Names of the others, and what each of their modules imports: to tell without importing who is there. Who is
sooner ready stands before, but for PyTorch, which most people have."""


def module_of(name: str) -> str:
    """Return the full name of one of these modules, which a process imports."""
    return f"{__name__}.{name}"


Table = Literal["step", "fit", "products", "copy", "launch"]


def _not_said(steps: int) -> None:
    raise NotImplementedError("who has a stopwatch says how steps are asked for")


@dataclass
class Running:
    """A training that has been set up, compiled and not begun.

    run(steps) takes that many more steps and returns when the device is done; steps is a multiple of `unit`.
    weights() returns host arrays (d, m) and (m,) of each layer.
    On a GPU enqueue(steps) only asks for the steps, and `watch` tells whose time is whose.
    about() returns what else is known of a step, such as its kernels.
    """

    run: Callable[[int], None]
    weights: Callable[[], list[tuple[Any, Any]]] | None = None
    unit: int = 1
    enqueue: Callable[[int], None] = _not_said
    watch: Stopwatch | None = None
    about: Callable[[], dict[str, Any]] = dict


@dataclass(frozen=True)
class Form:
    """One way to use a library.

    table: "step" is the bare step over the problem's order, "fit" the library's ordinary loop over whole
    epochs; "products" and "copy" are what the floor is made of, "launch" one smallest kernel.
    fits: whether this form can be timed on a problem, or else why not.
    note: what a reader of the table must know.
    aside: why a measurement of a minute leaves this form out, where it does.
    """

    name: str
    table: Table
    build: Callable[[Problem], Running]
    fits: Callable[[Problem], str | None] = field(default=lambda problem: None)  # noqa: ARG005
    note: str = ""
    aside: str = ""
