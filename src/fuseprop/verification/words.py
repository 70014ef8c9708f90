"""A certificate in words: who was compared with whom, and a line for each network."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from .numbers import number

HEAD = ("network", "dtype", "furthest tensor", "eps", "from float64", "free run")

LONGEST, OF_A_HASH = 40, 12
"""Characters of what a backend tells of itself; of longer ones, which are hashes, so many are shown."""

COLUMNS = (
    "eps: how far the furthest tensor is from its reference, in eps max(1, |reference|); inf where "
    "one is not finite, or where bits must be equal and are not. "
    "from float64: how far, in float32, the furthest of the verified backend and of the reference are. "
    "free run: how far the weights are apart after it, and then the reference's from float64; training "
    "multiplies roundings, so this has no bound and no verdict."
)
"""What the columns mean."""


def lines_of(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a certificate but its verdict."""
    verified, reference, where = content["verified"], content["reference"], content["environment"]
    for name, side in (("verified   ", verified), ("reference  ", reference)):
        yield from textwrap.wrap(_side(side), 110, initial_indent=name, subsequent_indent=" " * 11)
    if (verified["backend"], verified["device"]) == (reference["backend"], reference["device"]):
        yield "           both compute on one device: what is compared are its replay and its calls"
    for why in verified["not_in_its_best_way"]:
        yield f"           not in its best way: {why}"
    yield f"on         {where['cpu']}, {where['system']}, Python {where['python']}, NumPy {where['numpy']}"
    yield f"by         fuseprop {where['fuseprop']} ({where['fuseprop_sources'][:12]}), {where['date']}"
    yield ""
    rows = [HEAD, *map(row_of, content["networks"])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield ""
    yield from textwrap.wrap(COLUMNS, 110)


def _side(side: Mapping[str, Any]) -> str:
    how = f", {side['replay']}" if side["replay"] else ""
    told = {**side["arithmetic"], **side["provenance"], "code": side["package"]}
    texts = {name: str(value) for name, value in told.items() if name != "replay"}
    words = [f"{name} {text[:OF_A_HASH] if len(text) > LONGEST else text}" for name, text in texts.items()]
    return f"{side['device']} by {side['backend']}{how}: {', '.join(words)}"


def row_of(network: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a network, by `HEAD`."""
    furthest = network["furthest"]
    step = f", step {furthest['step']}" if furthest["step"] else ""
    truths = [each["eps_from_float64"] for each in network["tensors"] if each["eps_from_float64"]]
    far = [max(map(number, side)) for side in zip(*truths, strict=True)]
    free = network["free_run"]
    own = free.get("reference, from float64")
    return (
        network["network"],
        network["dtype"],
        f"{furthest['tensor']} ({furthest['how']}{step})",
        f"{number(furthest['eps']):.3g}",
        ", ".join(f"{each:.3g}" for each in far) or "-",
        f"{number(free['between them']['weights']):.3g}"
        + (f", {number(own['weights']):.3g}" if own is not None else ""),
    )
