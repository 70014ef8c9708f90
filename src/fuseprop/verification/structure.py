"""What a certificate holds, and where, as data; and whether its numbers fit each other.

A file may have been written by anyone, with a digest that fits: all that is read of it is checked here first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite, isnan
from typing import Any, NamedTuple

from ..backend.parity import ALLOWED, BOUND
from ..checks.quoting import literal
from .numbers import eps_of, number


class StructureError(ValueError):
    """Content that no certificate has; the text says where, what was expected and what is there."""


class Kind(NamedTuple):
    """A kind of value: how it is called, and whether one is of it."""

    said: str
    fits: Callable[[Any], bool]


class Maybe(NamedTuple):
    """None, or what the schema describes; `missing` allows that the name is not there at all."""

    schema: Any
    missing: bool = False


class Some(NamedTuple):
    """A list of at least one element that the schema describes."""

    schema: Any


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    """Whether `numbers.kept` may have returned it."""
    if isinstance(value, str):
        return value in ("inf", "-inf", "nan")
    return isinstance(value, float) and isfinite(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < 2**63)


TEXT = Kind("a text", lambda value: isinstance(value, str))
WHOLE = Kind("a whole number of at least 0", _is_whole)
NUMBER = Kind('a number with a point, "inf", "-inf" or "nan"', _is_number)
EPS = Kind(
    'a distance, a number with a point of at least 0 or "inf"',
    lambda value: _is_number(value) and number(value) >= 0,
)
FACTS = Kind("texts, numbers and lists by name", lambda value: isinstance(value, dict) and _is_plain(value))
PLAIN = Kind("a text, a number, or a list or names of such", _is_plain)

SIDE = {
    **dict.fromkeys(("backend", "class", "device", "package"), TEXT),
    "replay": Maybe(TEXT),
    "not_in_its_best_way": [TEXT],
    "arithmetic": FACTS,
    "provenance": FACTS,
}
PLACE = {
    **dict.fromkeys(("how", "operation", "tensor"), TEXT),
    "step": WHOLE,
    "index": [WHOLE],
    "got": NUMBER,
    "wanted": NUMBER,
    "bound": NUMBER,
    "eps": EPS,
}
TENSOR = {
    **dict.fromkeys(("how", "operation", "tensor"), TEXT),
    "eps": EPS,
    "step": WHOLE,
    "eps_by_step": Some(EPS),
    "eps_from_float64": Maybe(Some(EPS)),
}
APART = {"loss_by_epoch": [EPS], "weights": EPS}
NETWORK = {
    "network": TEXT,
    "layers": Some(Some(WHOLE)),
    "activations": Some(PLAIN),
    "dropout": Some(NUMBER),
    "loss": PLAIN,
    "dtype": Kind("float32 or float64", lambda value: value in ("float32", "float64")),
    "optimizer": TEXT,
    "batch_size": WHOLE,
    "steps": WHOLE,
    "first_beyond": Maybe(PLACE),
    "furthest": PLACE,
    "tensors": Some(TENSOR),
    "free_run": {
        "steps": WHOLE,
        "epochs": WHOLE,
        "ended": Maybe([TEXT], missing=True),
        "between them": APART,
        "verified, from float64": Maybe(APART, missing=True),
        "reference, from float64": Maybe(APART, missing=True),
    },
}
CONTENT = {
    "format": TEXT,
    "digest": TEXT,
    "bound": Kind(repr(BOUND), lambda value: value == BOUND),
    "asked": dict.fromkeys(("steps", "batch_size", "free_steps", "seed"), WHOLE),
    "verified": SIDE,
    "reference": SIDE,
    "environment": {
        **dict.fromkeys(("date", "fuseprop", "fuseprop_sources", "python", "numpy", "system", "cpu"), TEXT),
        "cores": Maybe(WHOLE),
        "variables": FACTS,
    },
    "networks": Some(NETWORK),
}


def check_content(content: Any) -> None:
    """Raise StructureError for the first place where the content of a certificate is not as it must be."""
    _check(content, CONTENT, "")
    for i, network in enumerate(content["networks"]):
        _check_numbers(network, f"networks[{i}]")


def _check(value: Any, schema: Any, place: str) -> None:
    if isinstance(schema, Maybe):
        if value is not None:
            _check(value, schema.schema, place)
    elif isinstance(schema, Kind):
        if not schema.fits(value):
            _refuse(place, f"must be {schema.said}, got {literal(value)}")
    elif isinstance(schema, dict):
        if not isinstance(value, dict):
            _refuse(place, f"must be an object, got {literal(value)}")
        for name, inner in schema.items():
            inside = f"{place}.{name}" if place else name
            if name in value:
                _check(value[name], inner, inside)
            elif not (isinstance(inner, Maybe) and inner.missing):
                _refuse(inside, "is missing")
        for name in (name for name in value if name not in schema):
            _refuse(f"{place}.{literal(name)}" if place else literal(name), "is not known")
    else:
        needs_one = isinstance(schema, Some)
        if not isinstance(value, list) or (needs_one and not value):
            _refuse(
                place,
                f"must be a list{' of at least one element' if needs_one else ''}, got {literal(value)}",
            )
        for i, each in enumerate(value):
            _check(each, schema[0], f"{place}[{i}]")


def _check_numbers(network: Mapping[str, Any], place: str) -> None:
    """Raise StructureError unless what is said of all tensors follows from the distance of each."""
    by_name: dict[tuple[str, str, str], list[float]] = {}
    for i, tensor in enumerate(network["tensors"]):
        distances = [number(each) for each in tensor["eps_by_step"]]
        by_name.setdefault(_name(tensor), []).extend(distances)
        if number(tensor["eps"]) != max(distances):
            _refuse(
                f"{place}.tensors[{i}].eps",
                f"must be {max(distances)}, the largest of eps_by_step, got {literal(tensor['eps'])}",
            )
        truths = tensor["eps_from_float64"]
        if truths is not None and len(truths) != 2:
            _refuse(f"{place}.tensors[{i}].eps_from_float64", f"must be two numbers, got {len(truths)}")
    most = max(map(max, by_name.values()))
    first = network["first_beyond"]
    if (first is not None) != (most > ALLOWED):
        needed = "a tensor" if most > ALLOWED else "null"
        _refuse(
            f"{place}.first_beyond",
            f"must be {needed}: the furthest tensor is {most} eps from its reference, and {ALLOWED} are "
            f"allowed. Got {literal(first)}",
        )
    if number(network["furthest"]["eps"]) != most:
        _refuse(
            f"{place}.furthest.eps",
            f"must be {most}, the largest of the tensors, got {literal(network['furthest']['eps'])}",
        )
    for name in ("first_beyond", "furthest"):
        told = network[name]
        if told is None:
            continue
        eps = number(told["eps"])
        if eps not in by_name.get(_name(told), ()):
            _refuse(f"{place}.{name}", f"is no tensor that is {eps} eps from its reference in tensors")
        if name == "first_beyond" and eps <= ALLOWED:
            _refuse(f"{place}.{name}.eps", f"must be beyond {ALLOWED}, got {literal(told['eps'])}")
        if eps != _apart(*(number(told[key]) for key in ("got", "wanted", "bound"))):
            _refuse(f"{place}.{name}.eps", f"does not follow from got, wanted and bound, got {eps}")


def _apart(got: float, wanted: float, bound: float) -> float:
    """Return how far a number is from its reference in eps, as `parity.excess` has it."""
    if got == wanted or (isnan(got) and isnan(wanted)):
        return 0.0
    excess = abs(got - wanted) / bound if bound else float("inf")
    return number(eps_of(float("inf") if isnan(excess) else excess))


def _name(told: Mapping[str, Any]) -> tuple[str, str, str]:
    return told["how"], told["operation"], told["tensor"]


def _refuse(place: str, what: str) -> None:
    raise StructureError(f"{place or 'the whole'} {what}.")
