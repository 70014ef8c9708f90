"""The learning rate folded into the row weights: every step saves a pass over all parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuseprop.backend import HostArray, Program

from .formulas import rate_of

LINEAR = {"matmul", "activation_backward", "dropout"}
"""Operations linear in the gradient."""


@dataclass(frozen=True)
class Folding:
    """An update whose learning rate scales the row weights.

    Attributes
    ----------
    rate_name : str
        The setting that is the learning rate: its product with g is all that the formula takes of g.
    rate : ()
        Its value, a view of the update's settings.
    scale : ()
        What the row weights are multiplied by: the learning rate itself. Where the gradients are read after
        the update, 1 takes the place of a rate of 0, by which they could not be divided.
    unfolds : bool
        Whether the gradients are read after the update, which then divides them by the scale.
    """

    rate_name: str
    rate: HostArray
    scale: HostArray
    unfolds: bool

    def set_scale(self) -> None:
        """Set the scale to the learning rate as it is now, or to 1 if that is 0."""
        self.scale[()] = self.rate or 1


def folding(program: Program) -> Folding | None:
    """Return how the learning rate of a program's update can be folded, None where it cannot.

    A loss's gradient is linear in the row weights, and so are all gradients that backpropagation computes
    from it. If the update alone reads these, scaling the n row weights by the learning rate replaces scaling
    the P gradients. The settings must not change between the loss and the update.
    """
    losses = [i for i, call in enumerate(program.calls) if "losses" in call.options]
    updates = [i for i, call in enumerate(program.calls) if call.operation == "update"]
    if len(losses) != 1 or len(updates) != 1 or updates < losses:
        return None
    loss, update = program.calls[losses[0]], program.calls[updates[0]]
    _, gradients, _, settings, formula = update.operands
    rate_name = rate_of(formula)
    if rate_name is None:
        return None
    regions = program.memory.regions
    scratch = 0
    for array in program.scratch:
        scratch |= regions[id(array)]
    fixed, scaled = regions[id(settings)], regions[id(loss.options["gradient"])]
    for call in program.calls[losses[0] + 1 :]:
        if any(fixed & regions[id(array)] for array in call.writes):
            return None
        if call is update or not any(scaled & regions[id(array)] for array in call.reads):
            continue
        if call.operation not in LINEAR:
            return None
        for array in call.writes:
            scaled |= regions[id(array)]
    if scaled & ~(scratch | regions[id(gradients)]):
        return None
    unfolds = not scratch & regions[id(gradients)]
    at = formula.settings.index(rate_name)
    rate = settings[at : at + 1].reshape(())
    return Folding(rate_name, rate, np.ones_like(rate) if unfolds else rate, unfolds)
