"""The layers of another library, read one after another, as a network of dense layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks.arrays import all_finite
from ..checks.quoting import counted, literal, shown
from ..checks.settings import is_finite_number
from ..checks.warning import warn_user
from ..formulas.activation import AnyActivation, as_activation
from ..formulas.loss import AnyLoss, as_loss
from ..layers.dense import Dense
from ..network import Network
from .errors import NotConvertible

DTYPES = ("float32", "float64")
"""What a network can compute in."""


class Chain:
    """Dense layers, with what follows each: first an activation, then dropout.

    Each method takes the next layer, and `place`, which names it in messages: its position and class.
    All raise NotConvertible for what a network of fuseprop cannot have at this point.

    Parameters
    ----------
    whole : str
        What the layers belong to, as messages call it: "the Sequential", "net.keras".
    """

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self._layers: list[dict[str, Any]] = []
        self._last = ""  # the place that ends the network by a link, which nothing may follow
        self._link: str | None = None

    def dense(self, place: str, weights: Any, bias: Any | None) -> None:
        """Take weights (d, m) and a bias (m,); without a bias it is 0, and a warning says so."""
        self._check_open(place)
        weights = np.asarray(weights)
        if bias is None:
            warn_user(
                f"{self.whole}: {place} has no bias, and every layer of fuseprop has one: it is 0, so that "
                f"predictions are the same, and training changes it."
            )
            bias = np.zeros(weights.shape[-1:], weights.dtype)
        bias = np.asarray(bias)
        if weights.ndim != 2 or bias.shape != weights.shape[1:] or 0 in weights.shape:
            self._refuse(place, f"has weights {weights.shape} and a bias {bias.shape}", "(d, m) and (m,)")
        for array in (weights, bias):
            if array.dtype.name not in DTYPES:
                self._refuse(
                    place, f"holds {array.dtype.name}", f"{' or '.join(DTYPES)}: convert it to one there"
                )
            if not all_finite(array):
                self._refuse(place, "holds nan or inf", "finite numbers")
        if self._layers and weights.shape[0] != self._layers[-1]["weights"].shape[1]:
            below = self._layers[-1]
            self._refuse(
                place,
                f"takes {counted(weights.shape[0], 'input')}, but {below['place']} gives "
                f"{counted(below['weights'].shape[1], 'output')}",
                "equal numbers",
            )
        self._layers.append({"place": place, "weights": weights, "bias": bias})

    def activation(self, place: str, activation: AnyActivation) -> None:
        """Take an activation, by its name or as an object; "identity" may stand anywhere."""
        if as_activation(activation).formula.is_identity:
            return
        layer = self._layer_before(place)
        if "dropout" in layer:
            self._refuse(place, f"follows {layer['dropped']}", "dropout behind the activation")
        if "activation" in layer:
            self._refuse(
                place,
                f"follows another activation, {layer['activated']}",
                "one for each dense layer; fuseprop.Activation makes one formula of two",
            )
        layer["activation"], layer["activated"] = activation, place

    def dropout(self, place: str, rate: Any) -> None:
        """Take the dropout of the outputs before it; one of rate 0 may stand anywhere."""
        if not rate:
            return
        if not (is_finite_number(rate) and 0 < rate < 1):
            self._refuse(place, f"drops a share of {literal(rate)}", "a share of at least 0 and below 1")
        layer = self._layer_before(place)
        if "dropout" in layer:
            self._refuse(place, f"follows {layer['dropped']}", "one dropout for each dense layer")
        layer["dropout"], layer["dropped"] = float(rate), place

    def link(self, place: str, link: str) -> None:
        """Take the link at the end of a network, which fuseprop's loss applies: "softmax"."""
        layer = self._layer_before(place)
        if "activation" in layer or "dropout" in layer:
            behind = layer.get("dropped", layer.get("activated"))
            self._refuse(place, f"follows {behind}", "a dense layer without an activation before it")
        self._last, self._link = place, link

    def network(
        self,
        loss: str | AnyLoss | None,
        *,
        device: str | None = None,
        dtype: str | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> Network:
        """Return the network; `dtype` is by default that of the weights.

        A last activation that is the loss's own link becomes that; without a loss, a softmax at the end
        stands for its cross-entropy. Raises ValueError for a missing or unknown loss.
        """
        if not self._layers:
            raise NotConvertible(f"{self.whole} holds no dense layer, and a network needs at least one.")
        chosen = self._loss(loss)
        *_, last = self._layers
        if "dropout" in last:
            self._refuse(last["dropped"], "drops outputs of the network itself", "dropout in between")
        function = as_activation(last.get("activation", "identity"))
        if self._link is None and function.name == chosen.link:
            last.pop("activation", None)
        elif self._link not in (None, chosen.link):
            self._refuse(
                self._last,
                f"is the {self._link} at the end, and the loss {chosen.name} applies the {chosen.link}",
                'loss="softmax_cross_entropy"; or leave the layer out there',
            )
        elif chosen.link != "identity" and not function.formula.is_identity:
            self._refuse(
                last["activated"],
                f"is at the end, and the loss {chosen.name} applies the {chosen.link} itself",
                'no activation there; or a loss without a link, such as "half_squared_error"',
            )
        layers = [
            Dense(
                layer["weights"].shape[0],
                layer["weights"].shape[1],
                layer.get("activation", "identity"),
                weights=layer["weights"],
                bias=layer["bias"],
                dropout=layer.get("dropout", 0.0),
            )
            for layer in self._layers
        ]
        return Network(layers, chosen, device=device, dtype=dtype or self._dtype(), seed=seed)

    def _loss(self, loss: str | AnyLoss | None) -> AnyLoss:
        if loss is None and self._link is None:
            raise ValueError(
                f"{self.whole} does not say which loss it is trained by: give one of "
                f'fuseprop.formulas.LOSSES, such as loss="softmax_cross_entropy" for exclusive classes or '
                f'loss="half_squared_error" for numbers.'
            )
        return as_loss("softmax_cross_entropy" if loss is None else loss)

    def _dtype(self) -> str:
        found: dict[str, str] = {}
        for layer in self._layers:
            for array in (layer["weights"], layer["bias"]):
                found.setdefault(array.dtype.name, layer["place"])
        if len(found) > 1:
            held = " and ".join(f"{dtype} in {place}" for dtype, place in found.items())
            raise NotConvertible(f'{self.whole} holds {held}. Choose one: dtype="float64".')
        return next(iter(found))

    def _layer_before(self, place: str) -> dict[str, Any]:
        self._check_open(place)
        if not self._layers:
            self._refuse(place, "stands before the first dense layer", "a dense layer before it")
        return self._layers[-1]

    def _check_open(self, place: str) -> None:
        if self._last:
            self._refuse(place, f"follows {self._last}", "nothing behind it")

    def _refuse(self, place: str, what: str, expected: str) -> None:
        raise NotConvertible(f"{self.whole}: {place} {what}. Expected {expected}.")


def place_of(position: object, kind: object) -> str:
    """Return how messages name a layer: its position and its class, such as "layer 2 (Conv1d)"."""
    return f"layer {shown(position)} ({shown(kind)})"
