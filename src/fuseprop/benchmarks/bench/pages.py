"""An outcome as one self-contained page: which device for which size first, every figure after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from ...checks.quoting import counted
from ...showing import html
from ...showing.page import facts, page, table
from ...showing.svg import Axis, Series, chart, logarithmic
from .outcome import OURS, Network, Outcome
from .words import (
    about,
    beside_others,
    cautions,
    cells,
    columns,
    machine,
    title,
    which_device,
    written,
)

ROOM = 0.13
"""The share of the axis that the name of a network takes."""

_HOW = (
    "Every library and device has a process of its own; they take turns, each after a pause, in an order "
    "that is reversed every round. All take the same batches of the same rows, at most 8 MiB of them, from "
    "the same starting weights by momentum SGD, and a row counts only if the weights of its first steps are "
    "where float64 arrives, within 1e-5 of how far training moved the loss. Times are medians over rounds "
    "with 99% order-statistics intervals, or, of fewer than 8 rounds, with the fastest and the slowest one "
    "(*); {ratio}~ marks an interval wider than a tenth of its median."
)


def how(outcome: Outcome) -> str:
    """Say how was measured, and what the ratios are of."""
    devices = dict.fromkeys(n.reference.device for n in outcome.networks if n.reference is not None)
    if not devices:
        return _HOW.format(ratio=f"nothing of {OURS} was measured. ")
    of = f"{OURS}'s on {' or '.join(devices)}"
    return _HOW.format(
        ratio=f"the ratio is that of the time to {of}, taken within each round: below 1 is faster. "
    )


def as_page(outcome: Outcome) -> str:
    """Return the page as the text of an HTML file."""
    return page(
        f"{OURS} on this machine",
        about(outcome),
        {
            "Which device": [*map(html.paragraph, which_device(outcome)), _picture(outcome)],
            "Beside others": map(html.paragraph, beside_others(outcome)),
            "Read with care": map(html.paragraph, cautions(outcome)),
            "Figures": [
                table(title(network), columns(network), _figures(network)) for network in outcome.networks
            ],
            "Left out": [facts((one["who"], one["why"]) for one in outcome.raw["left_out"])],
            "Measured on": [facts(machine(outcome))],
            "How": [html.paragraph(how(outcome))],
        },
    )


def time_chart(outcome: Outcome) -> str:
    """Return the time of a step against its size, both logarithmic, as SVG; "" where nothing was measured.

    Our devices are drawn boldest, with a line where another one becomes the faster.
    """
    named: dict[tuple[bool, str], list[tuple[float, float, float, float]]] = {}
    for network in sorted(outcome.networks, key=lambda network: network.size):
        for row in network.rows:
            if row.time is not None:
                low, middle, high = (1e6 * t for t in (row.time.low, row.time.middle, row.time.high))
                named.setdefault((not row.ours, row.name), []).append(
                    (float(network.size), low, middle, high)
                )
    if not named:
        return ""
    series = [Series(name, named[other, name]) for other, name in sorted(named, key=lambda key: key[0])]
    one, *others = outcome.devices
    posts = [
        (c.size, f"{other if c.to_other else one} is faster from here on")
        for other in others
        for c in outcome.crossings(one, other)
    ]
    return chart(
        "Time of a training step",
        _sizes(outcome),
        logarithmic("µs a step", [value for s in series for p in s.points for value in p[1:]]),
        series,
        bold=sum(not other for other, _ in named),
        posts=posts,
    )


def _sizes(outcome: Outcome) -> Axis:
    """Return the axis of sizes, on which networks are written where they have room."""
    sized = {float(network.size): network.label for network in outcome.networks}
    axis = logarithmic("rows x weights of a step", sorted(sized))
    ticks = [(size, f"{label.replace(', ', chr(10))}\n{size:,.0f}") for size, label in sorted(sized.items())]
    apart = [axis.share(b) - axis.share(a) for a, b in pairwise(sorted(sized))]
    return axis if apart and min(apart) < ROOM else replace(axis, ticks=ticks)


@dataclass(frozen=True)
class _Figure:
    """A number as it stands on a terminal, 25.0 or 132,000: put to the right, as whatever is no text."""

    value: object

    def __str__(self) -> str:
        return written(self.value)


def _figures(network: Network) -> list[list[object]]:
    return [
        [_Figure(cell) if isinstance(cell, int | float) else cell for cell in row] for row in cells(network)
    ]


def _picture(outcome: Outcome) -> str:
    drawn = time_chart(outcome)
    if not drawn:
        return ""
    return html.picture(
        drawn.encode(),
        f"Time of a training step against its size, of {counted(len(outcome.networks), 'network')}: the "
        f"figures are in the tables below.",
    )
