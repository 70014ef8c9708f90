"""What `to_onnx` wrote, as the object that it was: by the metadata, with every bit of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...backend import HostArray
from ...checks.quoting import literal, shown
from ...formulas.kept import activation_kept, loss_kept
from ...layers.dense import Dense
from ...model.configuration import parse_configuration
from ...model.model import Model
from ...network import Network
from ...storage.tensorfile import parse_json
from ..errors import NotConvertible
from .file import KEY, Contents
from .tensors import Tensors
from .writing import FORMAT

KINDS = ("Network", "Model", "MLPClassifier", "MLPRegressor")
"""What `to_onnx` writes."""

Layers = list[tuple[HostArray, HostArray]]


def rebuilt(path: Path, contents: Contents, tensors: Tensors, device: str | None) -> Any:
    """Return the network, model or estimator in a file of ours.

    Raises NotConvertible for a file of a later version; what JSON and configurations raise, for one that says
    what no version writes; ImportError for an estimator without scikit-learn.
    """
    place = shown(path, None)
    kept = parse_json(contents.texts[KEY])
    version = kept.get("format")
    if type(version) is not int or not 1 <= version <= FORMAT:
        raise NotConvertible(
            f"{place} was written by format {literal(version)}, this fuseprop reads up to {FORMAT}: a newer "
            f"fuseprop is needed."
        )
    kind, about = kept["kind"], kept["about"]
    if kind not in KINDS:
        raise NotConvertible(f"{place} holds {literal(kind)}: expected {', '.join(KINDS)}.")
    layers = [(tensors.array(weights), tensors.array(bias)) for weights, bias in kept["weights"]]
    if kind == "Network":
        return _network(about, layers, device)
    configuration = parse_configuration(place, about)
    if len(layers) != len(configuration.activations):
        raise NotConvertible(f"{place} contradicts itself: it has {len(layers)} layers with weights.")
    if kind == "Model":
        return Model.of_configuration(path, layers, configuration, device)
    from ... import estimators  # which need scikit-learn
    from ...estimators.files import filled

    return filled(getattr(estimators, kind)(device=device), path, layers, configuration, None)


def _network(about: dict[str, Any], layers: Layers, device: str | None) -> Network:
    made = []
    rates = about.get("dropout", [0.0] * len(layers))  # which files of 0.1 do not have
    for kept, rate, (weights, bias) in zip(about["activations"], rates, layers, strict=True):
        activation = activation_kept(kept)
        named = activation.name if activation.is_built_in else activation
        d, m = weights.shape
        made.append(Dense(d, m, named, weights=weights, bias=bias, dropout=rate))
    metric = about["metric"] or None
    return Network(made, loss_kept(about["loss"]), metric=metric, device=device, dtype=about["dtype"])
