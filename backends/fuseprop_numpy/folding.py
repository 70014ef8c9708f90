"""The learning rate folded into the row weights: every step saves a pass over all parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuseprop.backend import HostArray, Program

LINEAR = {"matmul", "activation_backward", "dropout"}
"""Operations linear in the gradient."""


@dataclass(frozen=True)
class Folding:
    """A momentum update whose learning rate scales the row weights.

    Attributes
    ----------
    settings : (3,)
        The update's settings; the learning rate is the first.
    scale : ()
        What the row weights are multiplied by: the learning rate itself. Where the gradients are read after
        the update, 1 takes the place of a rate of 0, by which they could not be divided.
    unfolds : bool
        Whether the gradients are read after the update, which then divides them by the scale.
    """

    settings: HostArray
    scale: HostArray
    unfolds: bool

    def set_scale(self) -> None:
        """Set the scale to the learning rate as it is now, or to 1 if that is 0."""
        self.scale[()] = self.settings[0] or 1


def folding(program: Program) -> Folding | None:
    """Return how the learning rate of a program's momentum update can be folded, None where it cannot.

    A loss's gradient is linear in the row weights, and so are all gradients that backpropagation computes
    from it. If the update alone reads these, scaling the n row weights by the learning rate replaces scaling
    the P gradients. The settings must not change between the loss and the update.
    """
    losses = [i for i, call in enumerate(program.calls) if "losses" in call.options]
    updates = [i for i, call in enumerate(program.calls) if call.operation == "momentum_sgd"]
    if len(losses) != 1 or len(updates) != 1 or updates < losses:
        return None
    loss, update = program.calls[losses[0]], program.calls[updates[0]]
    _, gradients, _, settings = update.operands
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
    rate = settings[:1].reshape(())
    return Folding(settings, np.ones_like(rate) if unfolds else rate, unfolds)
