"""State dicts of PyTorch as .safetensors files; pickles are refused.

The tensors are PyTorch's: "0.weight" (m, d) and "0.bias" (m,), by the position of each module. The metadata
of a file that is written here have "format", by which other libraries know PyTorch's layout; "modules", as a
person types them; and under "fuseprop.torch", as JSON, the modules and the loss.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ..backend import HostArray
from ..checks.quoting import literal, shown
from ..checks.settings import as_path
from ..formulas.kept import keep_loss, loss_kept
from ..formulas.loss import AnyLoss
from ..storage.atomic import write_atomically
from ..storage.reading import file_errors_as, open_file
from ..storage.tensorfile import DTYPES, Kind, pack, parse_json, unpack
from .errors import NotConvertible
from .torch_modules import Module

KEY = "fuseprop.torch"

WRITING = 'safetensors.torch.save_file(sequential.state_dict(), "net.safetensors")'
"""What a person types in PyTorch for a file that can be read."""

STATE_DICT = Kind(
    error=NotConvertible,
    name="state dict",
    writer="`safetensors.torch.save_file`",
    again="copy or write it again",
    dtypes=tuple(DTYPES),
    dimensions=range(9),
    holds_empty=True,
    is_signed=False,
    others={
        "fuseprop": "a model file of fuseprop, which `fuseprop.load` reads",
        "fuseprop.checkpoint": "the checkpoint of a training, from which `fit(resume=...)` goes on",
    },
    crowded="the modules of this network",
    shorter="Take fewer layers.",
    signs=False,
)

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""Of what `torch.save` writes: a zip archive of pickles, and a pickle in its earlier versions."""


class StateDict(NamedTuple):
    """What a file holds; modules and loss are None where it does not say them."""

    tensors: dict[str, HostArray]
    modules: list[Module] | None
    loss: AnyLoss | None


def write_state_dict(
    path: str | Path, tensors: Mapping[str, HostArray], modules: Sequence[Module], loss: AnyLoss
) -> None:
    """Write a file, atomically. Raises OSError where it cannot be written."""
    path = as_path(path, "net.safetensors")
    if path.suffix.lower() in PICKLES:
        raise NotConvertible(f"{shown(path, None)}: what is written is a .safetensors file, and no pickle.")
    about = {"modules": [list(module) for module in modules], "loss": keep_loss(loss)}
    texts = {
        "format": "pt",
        "modules": f"nn.Sequential({', '.join(map(str, modules))})",
        KEY: json.dumps(about, allow_nan=False, ensure_ascii=False),
    }
    write_atomically(path, *pack(tensors, texts, STATE_DICT))


def read_state_dict(path: Path) -> StateDict:
    """Return what a file holds. Raises NotConvertible for pickles, and for what is not whole."""
    place = shown(path, None)
    hint = f"In PyTorch, {WRITING} writes one."
    with file_errors_as(NotConvertible, path, "a whole .safetensors file", hint):
        with open_file(path) as file:
            begin = file.read(9)
            if path.suffix.lower() in PICKLES or begin[:4] in BEGINNINGS or _is_pickle(begin):
                raise NotConvertible(
                    f"{place} is a pickle, which runs whatever is in it: fuseprop reads none. Load it in "
                    f"PyTorch, if you trust it, and type: {WRITING}."
                )
            file.seek(0)
            tensors, texts = unpack(file, place, STATE_DICT)
        if KEY not in texts:
            return StateDict(tensors, None, None)
        about = parse_json(texts[KEY])
        return StateDict(tensors, [_module_in(entry) for entry in about["modules"]], loss_kept(about["loss"]))


def _is_pickle(begin: bytes) -> bool:
    """Whether 9 bytes begin a pickle; a header of 0x0480 bytes begins like one, and then zeros follow."""
    return begin[:2] in BEGINNINGS and any(begin[2:8]) and begin[8:] != b"{"


def _module_in(entry: object) -> Module:
    if (
        isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], dict)
        and all(type(value) in (int, float, str) for value in entry[1].values())
    ):
        return Module(entry[0], entry[1])
    raise ValueError(f"{literal(entry)} is no module with its arguments")


def in_order(whole: str, names: Iterable[str]) -> list[str]:
    """Return the modules in the names of tensors, such as "net.0" of "net.0.weight", by their numbers.

    Raises NotConvertible for names that differ in anything else, so that no number says which is first.
    """
    modules = {name.removesuffix(".weight"): _split(name) for name in names if name.endswith(".weight")}
    ordered = sorted(modules, key=lambda name: modules[name])
    for first, second in pairwise(ordered):
        apart = next(
            i for i, (a, b) in enumerate(zip(modules[first], modules[second], strict=False)) if a != b
        )
        if apart % 2 == 0:  # texts stand at even places, numbers at odd ones
            raise NotConvertible(
                f"{whole} holds {literal(first)} and {literal(second)}, whose names do not say which comes "
                f"first. Expected names that differ by a number, as those of an nn.Sequential do: 0.weight, "
                f"2.weight; rename them."
            )
    return ordered


def _split(name: str) -> list[str | int]:
    """Return a name's texts and numbers, in turn."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]
