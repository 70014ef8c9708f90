"""A network that not everyone can have: any activations, and any loss of ours.

Importing it imports nothing else of fuseprop: a process that measures an older one may not have it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .networks import ACTIVATIONS

if TYPE_CHECKING:
    from ..formulas.activation import Activation
    from ..formulas.loss import AnyLoss


@dataclass(frozen=True)
class Design:
    """The activation of each layer, and the loss.

    Examples
    --------
    >>> from fuseprop.formulas import as_activation, as_loss
    >>> tanh, last = as_activation("tanh"), as_activation("identity")
    >>> design = Design((tanh, last), as_loss("huber"))
    >>> str(design)
    'tanh, identity; huber'
    >>> Design.of_text(design.as_text()) == design
    True
    """

    activations: tuple[Activation, ...]
    loss: AnyLoss

    def __str__(self) -> str:
        return f"{', '.join(dict.fromkeys(f.name for f in self.activations))}; {self.loss.name}"

    def as_text(self) -> str:
        """Return it as JSON, which another process reads."""
        from ..formulas.kept import keep_activation, keep_loss

        kept = {"activations": [*map(keep_activation, self.activations)], "loss": keep_loss(self.loss)}
        return json.dumps(kept)

    @classmethod
    def of_text(cls, text: str) -> Design:
        """Return what `as_text` made a text of. Raises ValueError for formulas that are not ours."""
        from ..formulas.kept import activation_kept, loss_kept

        kept = json.loads(text)
        return cls(tuple(map(activation_kept, kept["activations"])), loss_kept(kept["loss"]))

    def of_everyone(self, outputs: int) -> str | None:
        """Return the hidden layers' activation where every library here can have this network, else None."""
        *hidden, last = (function.name for function in self.activations)
        loss = "sigmoid_cross_entropy" if outputs == 1 else "softmax_cross_entropy"
        if last != "identity" or self.loss.name != loss or len(set(hidden)) > 1:
            return None
        name = hidden[0] if hidden else ACTIVATIONS[0]
        return name if name in ACTIVATIONS else None

    def targets(self, rng: np.random.Generator, rows: int, outputs: int) -> np.ndarray:
        """Draw targets that the loss takes: labels (rows,), or values (rows, outputs) in float32."""
        loss = self.loss
        if loss.takes_labels:
            return rng.integers(0, outputs, rows)
        no_and_yes: Sequence[float] | None = loss.coding or ((0.0, 1.0) if loss.link == "sigmoid" else None)
        if no_and_yes is not None:
            return np.asarray(no_and_yes, np.float32)[rng.integers(0, 2, (rows, outputs))]
        return np.clip(rng.standard_normal((rows, outputs)), loss.low, loss.high).astype(np.float32)
