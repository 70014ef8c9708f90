"""A state as a .safetensors file: a tree of plain data, whose arrays are tensors and whose rest is JSON.

Plain data are dicts with texts as keys, lists, texts, True, False, None, numbers, and arrays of the dtypes in
`tensorfile.DTYPES`. Each array becomes a tensor, named by its place in the tree, such as
"training.optimizer.moments.0". All else is one JSON text, in which ``{"$tensor": name}`` stands for an array
and ``{"$float": "inf"}`` for a float that JSON lacks; keys that begin with "$" get another one in front.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from ..backend import HostArray
from ..checks.quoting import literal
from .tensorfile import DIGEST, DTYPES, METADATA, parse_json

MARK = "$"
TENSOR, FLOAT = f"{MARK}tensor", f"{MARK}float"


def split_state(state: Mapping[str, Any]) -> tuple[dict[str, HostArray], str]:
    """Return the arrays of a state by their names, which are the state's own, and a text with all else.

    Numbers are kept exactly: integers of any size, and every float but the payload of a nan. NumPy's scalars
    come back as Python's numbers, tuples as lists.

    Raises TypeError, which names the place, for what is no plain data.
    """
    tensors: dict[str, HostArray] = {}
    text = json.dumps(_split(state, "", tensors), allow_nan=False, separators=(",", ":"))
    # By size, so that each tensor lies where its elements may be read as they are.
    return dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize)), text


def join_state(tensors: Mapping[str, HostArray], text: str) -> dict[str, Any]:
    """Return the state that `split_state` has split; arrays are those given.

    Raises ValueError for a text that is no JSON object, or asks for a tensor that is not there.
    """
    joined = _join(parse_json(text), tensors)
    if not isinstance(joined, dict):
        raise ValueError(f"expected a state, got {literal(joined)}")
    return joined


def _split(value: Any, place: str, tensors: dict[str, HostArray]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(value) if isfinite(value) else {FLOAT: repr(float(value))}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.newbyteorder("<").str not in DTYPES.values():
            raise TypeError(f"{_named(place)} is an array of {value.dtype}, expected one of numbers.")
        name = _free_name(place, tensors)
        tensors[name] = value
        return {TENSOR: name}
    if isinstance(value, Mapping):
        strange = [key for key in value if not isinstance(key, str)]
        if strange:
            raise TypeError(f"{_named(place)} has the key {literal(strange[0])}, expected texts.")
        return {
            f"{MARK}{key}" if key.startswith(MARK) else key: _split(part, _inside(place, key), tensors)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_split(part, _inside(place, str(i)), tensors) for i, part in enumerate(value)]
    raise TypeError(
        f"{_named(place)} is {literal(value)}, which is no plain data: numbers, texts, True, False, None, "
        f"NumPy arrays, and lists and dicts of them."
    )


def _join(value: Any, tensors: Mapping[str, HostArray]) -> Any:
    if isinstance(value, list):
        return [_join(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {TENSOR}:
        return tensors[value[TENSOR]]
    if value.keys() == {FLOAT}:
        return float(value[FLOAT])
    return {
        key[len(MARK) :] if key.startswith(MARK) else key: _join(part, tensors) for key, part in value.items()
    }


def _inside(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _named(place: str) -> str:
    return literal(place) if place else "the state"


def _free_name(place: str, tensors: dict[str, HostArray]) -> str:
    """Return a name that UTF-8 can encode and no other tensor has: keys may have dots in them."""
    name = place.encode("utf-8", "backslashreplace").decode()
    while name in tensors or name in (METADATA, DIGEST):
        name += "_"
    return name
