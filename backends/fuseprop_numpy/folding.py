"""The learning rate folded into the row weights: a pass over all parameters less in every step."""

from __future__ import annotations

from fuseprop.backend import HostArray, Program

from .memory import inputs, outputs, overlaps

LINEAR = {"matmul", "activation_backward"}
"""What makes of a scaled gradient a gradient scaled alike."""


def folded_settings(program: Program) -> HostArray | None:
    """Return the settings of the momentum update whose learning rate can scale the row weights, or None.

    A loss's gradient is linear in the row weights, and so is all that backpropagation makes of it. Where the
    scaled gradients are scratch, and the update alone reads what they end in, a times the n row weights
    replaces a times the P gradients. The settings must not change between the loss and the update.
    """
    losses = [i for i, call in enumerate(program.calls) if "losses" in call.options]
    updates = [i for i, call in enumerate(program.calls) if call.operation == "momentum_sgd"]
    if len(losses) != 1 or len(updates) != 1 or updates < losses:
        return None
    loss, update = program.calls[losses[0]], program.calls[updates[0]]
    _, gradients, _, settings = inputs(update)
    scaled = [loss.options["gradient"]]
    for call in program.calls[losses[0] + 1 :]:
        if overlaps(settings, outputs(call)):
            return None
        if call is update or not any(overlaps(array, scaled) for array in inputs(call)):
            continue
        if call.operation not in LINEAR:
            return None
        scaled.extend(outputs(call))
    if not all(overlaps(array, program.scratch) for array in (*scaled, gradients)):
        return None
    return settings
