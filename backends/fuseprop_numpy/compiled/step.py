"""A training step, as it was recognised in a program: which arrays and formulas have which part in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fuseprop.backend import ActivationFormula, HostArray, LossFormula, Processes, UpdateFormula


class UnknownStepError(Exception):
    """A program is no step that the library can take; the text says why, in a sentence."""


@dataclass(frozen=True)
class Gathered:
    """Rows order[cursor], order[cursor + 1], ... of `source`; rows 0, 1, ... where there is no order."""

    source: HostArray
    order: HostArray | None = None
    cursor: HostArray | None = None


@dataclass(frozen=True)
class Dropped:
    """The dropout after a layer."""

    rate: float
    seed: int


@dataclass(frozen=True)
class Layer:
    """A layer of a step.

    Attributes
    ----------
    inputs, outputs : int
    offset : int
        Where its weights, and below them its bias, start in the flat buffers.
    decays : bool
        Whether weight decay goes over its weights.
    activation : ActivationFormula
    drops : Dropped, optional
    kept_sums, kept_outputs, kept_deltas : (n, outputs), optional
        Where z, f(z) and dL/dz go, if anyone asks for them.
    """

    inputs: int
    outputs: int
    offset: int
    decays: bool
    activation: ActivationFormula
    drops: Dropped | None
    kept_sums: HostArray | None = None
    kept_outputs: HostArray | None = None
    kept_deltas: HostArray | None = None


@dataclass(frozen=True)
class Hits:
    """What counts the hits: "argmax_equals" or "threshold_equals", with thresholds of scores and targets."""

    operation: str
    out: HostArray
    score_threshold: float = 0.0
    target_threshold: float = 0.0


@dataclass(frozen=True)
class Clip:
    """The limit of the gradients' norm, and where the norm goes."""

    limit: float
    norm: HostArray


@dataclass(frozen=True)
class Update:
    """What the optimizer does: its formula, and its moments (M, P) and settings (S + 1,)."""

    formula: UpdateFormula
    moments: HostArray
    settings: HostArray


@dataclass(frozen=True)
class Task:
    """What is done before or after a step: an operation of the protocol, with its arguments by name."""

    operation: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class TrainingStep:
    """What a step reads, computes and writes; letters as in `fuseprop.backend.protocol`.

    Attributes
    ----------
    rows : int
    layers : sequence of Layer
    values, gradients : array
        The flat buffers.
    update : Update, optional
        None for a step that learns nothing.
    clip : Clip, optional
    world : Processes, optional
        Those over which the gradients are added up before they are clipped and learned from.
    x, target, labels, row_weights : Gathered
        `labels` where hits are counted by them.
    loss : LossFormula, optional
        None for the cross-entropy of exclusive classes, of which the factor is 1.
    factor : float
    losses : (n,)
    hits : Hits, optional
    dropout_step : (1,), optional
        The number of the step, where a layer drops.
    reads_values, reads_gradients : bool
        Whether one of the tasks does.
    before, after : sequence of Task
    held : sequence of array
        The layers' own arrays, which must live as long as the flat buffers are used.
    """

    rows: int
    layers: Sequence[Layer]
    values: HostArray
    gradients: HostArray
    update: Update | None
    clip: Clip | None
    world: Processes | None
    x: Gathered
    target: Gathered
    labels: Gathered | None
    row_weights: Gathered
    loss: LossFormula | None
    factor: float
    losses: HostArray
    hits: Hits | None
    dropout_step: HostArray | None
    reads_values: bool
    reads_gradients: bool
    before: Sequence[Task]
    after: Sequence[Task]
    held: Sequence[HostArray] = ()

    @property
    def outputs(self) -> HostArray | None:
        """Where the last outputs go, if anyone asks for them."""
        return self.layers[-1].kept_outputs
