"""PyTorch's modules by class and arguments, which need no PyTorch, as the layers of a network and back.

A network is written as a list of `Module`, each of which is one of an `nn.Sequential`; `read` reads such a
list, be it that of an object of PyTorch's or the text in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..backend import HostArray
from ..checks.quoting import literal
from ..checks.settings import is_finite_number
from ..formulas.activation import ACTIVATIONS, Activation
from ..formulas.families import settings_named
from ..network import Network
from .chain import Chain, place_of
from .errors import NotConvertible


class Module(NamedTuple):
    """A module of PyTorch's: its class in `torch.nn`, and the arguments that it is made with."""

    kind: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"nn.{self.kind}({shown})"


PLAIN = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "ReLU",
    "selu": "SELU",
    "softsign": "Softsign",
    "silu": "SiLU",
    "hard_sigmoid": "Hardsigmoid",
}
"""Activations by name, and PyTorch's classes of the same formula, which take no arguments that matter."""

FAMILIES = {"leaky_relu": "LeakyReLU", "elu": "ELU"}
"""Those with parameters, whose arguments have the same names there."""

SOFTPLUS_ENDS = {"float32": 20.0, "float64": 40.0}
"""PyTorch's Softplus is z above its threshold, where log(1 + exp(z)) is z in this dtype."""

LINKS = {"softmax": "Softmax", "sigmoid": "Sigmoid"}
"""PyTorch's classes of what a loss makes of outputs."""

READ = (
    "Linear, Flatten, Identity, Dropout, a nested Sequential, "
    f"{', '.join([*PLAIN.values(), *FAMILIES.values()])}, GELU(approximate='tanh'), Softplus, and at the end "
    "Softmax or LogSoftmax"
)
"""What can be read."""


def modules_of(network: Network, *, predictions: bool = False) -> list[Module]:
    """Return the modules of a network; see `to_torch`. Raises NotConvertible."""
    dtype = str(network.backend.dtype)
    made = []
    for i, layer in enumerate(network.layers, 1):
        made.append(Module("Linear", {"in_features": int(layer.inputs), "out_features": int(layer.outputs)}))
        if not layer.function.formula.is_identity:
            made.append(_module_of(f"layer {i}", layer.function, dtype))
        if layer.dropout:
            made.append(Module("Dropout", {"p": float(layer.dropout)}))
    link = network.stack.loss.link
    if predictions and link != "identity":
        if link not in LINKS:
            raise NotConvertible(
                f"the loss {network.loss} makes predictions by the {link}, which PyTorch has no module for. "
                f"Leave `predictions` out, and take the {link} of what the module returns."
            )
        made.append(Module(LINKS[link], {"dim": 1} if link == "softmax" else {}))
    return made


def _module_of(place: str, activation: Activation, dtype: str) -> Module:
    if activation.is_built_in:
        name, settings = settings_named("activation", activation.name, ACTIVATIONS)
        if name in PLAIN:
            return Module(PLAIN[name], {})
        if name in FAMILIES:
            return Module(FAMILIES[name], settings)
        if name == "gelu":
            return Module("GELU", {"approximate": "tanh"})
        if name == "softplus":
            return Module("Softplus", {"threshold": SOFTPLUS_ENDS[dtype]})
    raise NotConvertible(
        f"{place} has the activation {activation}, which torch.nn has no module for. Those that can be "
        f"converted: identity, {', '.join([*PLAIN, *FAMILIES])}, gelu, softplus."
    )


def weights_in(
    modules: Iterable[Module], layers: Iterable[tuple[HostArray, HostArray]]
) -> dict[str, HostArray]:
    """Return the state dict of such modules: "0.weight" (m, d), "0.bias" (m,), ..., of weights (d, m)."""
    places = [i for i, module in enumerate(modules) if module.kind == "Linear"]
    made = {}
    for i, (weights, bias) in zip(places, layers, strict=True):
        made[f"{i}.weight"], made[f"{i}.bias"] = np.ascontiguousarray(weights.T), bias
    return made


def read(
    chain: Chain,
    modules: Iterable[tuple[str, Module]],
    weights: Callable[[str], tuple[HostArray, HostArray | None]],
) -> None:
    """Take modules in their order, by position; `weights` gives those (m, d) of a Linear, and its bias.

    Raises NotConvertible, which names the module, for whatever a network of fuseprop does not have.
    """
    started = False
    for position, (kind, arguments) in modules:
        place = place_of(position, kind)
        if kind == "Linear":
            weight, bias = weights(position)
            chain.dense(place, np.asarray(weight).T, bias)
            started = True
        elif kind == "Dropout":
            chain.dropout(place, arguments.get("p", 0.5))
        elif kind == "Flatten":
            ends = arguments.get("start_dim", 1), arguments.get("end_dim", -1)
            leaves_rows = started and {*ends} <= {1, -1}
            if ends != (1, -1) and not leaves_rows:
                raise NotConvertible(
                    f"{chain.whole}: {place} flattens axes {ends[0]} to {ends[1]}. Expected 1 to -1, which "
                    f"makes a row of each element of a batch."
                )
        elif kind in ("Softmax", "LogSoftmax"):
            if arguments.get("dim") not in (1, -1):
                raise NotConvertible(
                    f"{chain.whole}: {place} goes along axis {arguments.get('dim')}. Expected dim=1, over "
                    f"the outputs of a row."
                )
            chain.link(place, "softmax")
        elif kind != "Identity":
            chain.activation(place, _activation_of(chain, place, kind, arguments))


PLAIN_BACK = {kind: name for name, kind in PLAIN.items()}
FAMILIES_BACK = {kind: name for name, kind in FAMILIES.items()}


def _activation_of(chain: Chain, place: str, kind: str, arguments: Mapping[str, Any]) -> Any:
    def refuse(what: str, expected: str) -> NotConvertible:
        return NotConvertible(f"{chain.whole}: {place} {what}. Expected {expected}.")

    if kind in PLAIN_BACK:
        return PLAIN_BACK[kind]
    if kind in FAMILIES_BACK:
        family = ACTIVATIONS[FAMILIES_BACK[kind]]
        try:
            return family.member(**{name: arguments[name] for name in family.parameters if name in arguments})
        except ValueError as error:
            raise NotConvertible(f"{chain.whole}: {place}: {error}") from error
    if kind == "GELU":
        if arguments.get("approximate", "none") != "tanh":
            raise refuse(
                "is the exact GELU, of the error function, which fuseprop does not have",
                "nn.GELU(approximate='tanh'), which differs from it by at most 0.0005",
            )
        return "gelu"
    if kind == "Softplus":
        beta, threshold = arguments.get("beta", 1.0), arguments.get("threshold", 20.0)
        is_same = beta == 1 and is_finite_number(threshold) and threshold >= SOFTPLUS_ENDS["float32"]
        if not is_same:
            raise refuse(
                f"has beta={literal(beta)} and threshold={literal(threshold)}",
                "beta=1 and a threshold of at least 20, above which log(1 + exp(z)) is z",
            )
        return "softplus"
    raise refuse("is none of the modules that can be converted", READ)
