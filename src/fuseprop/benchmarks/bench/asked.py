"""What is to be measured: networks, devices of ours, and libraries beside them that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

from ...backend import BackendUnavailable
from ...backend.registry import BACKEND_OF, installed_backends, load_backend
from ...formulas.activation import Activation, as_activation
from ...formulas.loss import as_loss
from ...network import Network
from ..design import Design
from ..networks import CASES, Case, named
from ..peers import PACKAGES, module_of

NETWORKS = tuple(
    CASES[name] for name in ("64-32-10-b32", "64-64-10-b128", "784-128-10-b128", "784-512-512-10-b1024")
)
"""From 2,368 to 668,672 weights, and steps of four orders of magnitude."""

BATCHES = (32, 256, 2048)
"""The batches of a network of one's own, where none is named: a device pays from some batch on."""

KINDS = {name: kind for kind, name in BACKEND_OF.items()}


@dataclass(frozen=True)
class Asked:
    """Networks, and who is to train them.

    Attributes
    ----------
    cases : sequence of Case
    activation : str
        Of the hidden layers, where a network has no design.
    designs : dict of str to Design
        Activations and loss of the networks that others cannot have here, by the network's id.
    devices : sequence of str
        Devices of ours: "cpu", "cuda", or the name of a backend by others.
    named : bool
        Whether the devices were named: one that cannot be had is then an error.
    peers : dict of str to str
        The modules of the others, and their names.
    left_out : list of (str, str)
        Who is not measured, and why.
    """

    cases: Sequence[Case]
    activation: str
    designs: Mapping[str, Design]
    devices: Sequence[str]
    named: bool
    peers: Mapping[str, str]
    left_out: list[tuple[str, str]] = field(default_factory=list)


def devices_here(given: Sequence[str]) -> list[str]:
    """Return these devices, "numpy" as "cpu"; without any, those of all installed backends, the CPU first."""
    names = given or sorted(installed_backends(), key=lambda name: KINDS.get(name) != "cpu")
    return list(dict.fromkeys(KINDS.get(name, name) for name in names))


def is_known(device: str) -> bool:
    """Whether a name is one of a device or of an installed backend, whether it can be used or not."""
    kind = device.partition(":")[0]
    return kind in BACKEND_OF or kind in installed_backends()


def check_device(device: str) -> None:
    """Raise BackendUnavailable where a device that was named is not there; of a GPU, see `missing`."""
    why = missing(device)
    if why is not None:
        raise BackendUnavailable(why)
    if BACKEND_OF.get(device.partition(":")[0]) != "cupy":
        load_backend(device)


def missing(device: str) -> str | None:
    """Return why there is no GPU, if that can be told without CuPy, whose import takes seconds; else None."""
    kind = device.partition(":")[0]
    if BACKEND_OF.get(kind, kind) != "cupy" or "cupy" not in installed_backends():
        return None
    from fuseprop_cupy.device.probe import check_without_cupy

    try:
        check_without_cupy()
    except BackendUnavailable as error:
        return str(error)
    return None


def cases_of(layers: Sequence[int], batches: Sequence[int]) -> list[Case]:
    """Return a network of these layer sizes with each of these batches."""
    return [named(f"{'-'.join(map(str, layers))}-b{batch}") for batch in batches]


def designs_of(cases: Sequence[Case], activation: Activation) -> dict[str, Design]:
    """Return the designs of classifiers with this activation; none where everyone can have them."""
    designs = {}
    for case in cases:
        loss = as_loss("sigmoid_cross_entropy" if case.sizes[-1] == 1 else "softmax_cross_entropy")
        functions = [activation] * (len(case.shapes) - 1)
        design = Design((*functions, as_activation("identity")), loss)
        if design.of_everyone(case.sizes[-1]) is None:
            designs[case.id] = design
    return designs


def design_of(network: Network) -> Design:
    """Return the activations and the loss of a network."""
    return Design(tuple(layer.function for layer in network.layers), network.stack.loss)


def peers_here(
    names: Sequence[str], designs: Mapping[str, Design]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the modules of libraries that are installed, with their names, and who is left out and why.

    Parameters
    ----------
    names : sequence of str
        Keys of `PACKAGES`.
    designs : dict of str to Design
        See `Asked`.
    """
    found, left_out = {}, []
    for name in names:
        title, package = PACKAGES[name]
        if designs:
            own = next(iter(designs.values()))
            left_out.append((title, f"has sigmoid or relu and a cross-entropy here, this network {own}"))
        elif find_spec(package) is None:
            left_out.append((title, "not installed"))
        else:
            found[module_of(name)] = title
    return found, left_out
