"""An outcome in words and tables of text: what was measured, which device for which size, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from ...checks.quoting import counted, three_digits
from ..intervals import CONFIDENCE, Interval
from .crossover import Crossing, said
from .outcome import FEW, FIRST, GPU, OURS, Network, Outcome, Row

SURE, UNSURE = "99% interval", "fastest to slowest"


def columns(network: Network) -> tuple[str, ...]:
    """Return the head of a network's table: bounds of too few rounds are called what they are."""
    sure = {row.time.sure for row in network.rows if row.time is not None}
    bounds = f"{SURE}, * {UNSURE}" if len(sure) > 1 else UNSURE if sure == {False} else SURE
    return ("", "device", "µs a step", bounds, f"/ {OURS}", "rows a second", "")


def told(outcome: Outcome) -> str:
    """Return the whole outcome as text."""
    parts = [about(outcome), *(_table(network) for network in outcome.networks)]
    parts.append("\n".join(["Which device", *(f"  {line}" for line in which_device(outcome))]))
    for title, lines in (
        ("Beside others", beside_others(outcome)),
        ("Left out", left_out(outcome)),
        ("Read with care", cautions(outcome)),
        ("Measured on", [f"{name}: {value}" for name, value in machine(outcome)]),
    ):
        if lines:
            parts.append("\n".join([title, *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts)


def about(outcome: Outcome) -> str:
    """Say what was measured, and for how long."""
    raw = outcome.raw
    ended = ", until it was interrupted" if raw["interrupted"] else ""
    return (
        f"A training step in float32: batch gathered, forward, loss, backward, update. "
        f"{counted(raw['rounds'], 'round')} in {raw['took']:.0f} s{ended}."
    )


def cells(network: Network) -> list[list[object]]:
    """Return a table's rows: what was measured, the fastest first, then what does not count, with why.

    Numbers have three digits; None stands for nothing.
    """
    found = sorted((row for row in network.rows if row.time is not None), key=lambda row: _time(row).middle)
    without: list[list[object]] = [
        [row.who, row.device, None, None, None, None, row.why_not] for row in network.rows if row.why_not
    ]
    return [*(_cells(network, row) for row in found), *without]


def title(network: Network) -> str:
    """Return what the table of a network is called."""
    return (
        f"{network.label}: {network.weights:,} weights, {network.size:,} rows x weights, "
        f"{three_digits(network.flops / 1e6)} MFLOP a step"
    )


def which_device(outcome: Outcome) -> list[str]:
    """Say which device is the faster one at which sizes, or why there is nothing to choose."""
    devices, lines = outcome.devices, []
    for device in devices[1:]:
        lines += _between(outcome, devices[0], device)
    if not devices:
        lines.append(f"Nothing of {OURS} was measured.")
    elif len(devices) == 1:
        lines.append(f"{devices[0]} is the one device that was measured.")
    why = outcome.raw["unavailable"].get(GPU)
    return [*lines, f"No GPU here: {why}"] if why else lines


def beside_others(outcome: Outcome) -> list[str]:
    """Say on each network who is faster than we are on our fastest device, who is level, and who is not."""
    lines = []
    for network in outcome.networks:
        if network.best is None:
            continue
        groups: dict[str, list[str]] = {"faster": [], "level": [], "slower": []}
        for which, row, over in network.apart():
            groups[which].append(f"{row.name} {three_digits(over.middle)}")
        if not any(groups.values()):
            continue
        best = f"{network.label}, time over that of {network.best.name}: "
        lines.append(best + "; ".join(f"{which}: {', '.join(g)}" for which, g in groups.items() if g) + ".")
    return lines


def left_out(outcome: Outcome) -> list[str]:
    """Say what was not measured at all, and why."""
    return [f"{one['who']}: {one['why']}" for one in outcome.raw["left_out"]]


def cautions(outcome: Outcome) -> list[str]:
    """Say what makes the figures less sure than they look."""
    raw, lines = outcome.raw, []
    load, cores = raw["load"], raw["machine"].get("cores")
    if load is not None and cores and load > BUSY * cores:
        lines.append(
            f"Other work was running: the load was {load:.1f} on {counted(cores, 'core')} before anything "
            f"was measured. Times are of a busy machine."
        )
    noisy, measured = outcome.noisy, [row for row in outcome.rows if row.time is not None]
    if noisy:
        lines.append(
            f"{len(noisy)} of {counted(len(measured), 'row')} (marked ~) have intervals wider than a tenth "
            f"of their median. Leave the machine alone meanwhile, or give more time: --seconds."
        )
    if outcome.unsure:
        lines.append(
            f"{len(outcome.unsure)} of {counted(len(measured), 'row')} took fewer than {FEW} rounds, which "
            f"have no interval of 99%: their bounds are the fastest and the slowest round, and nobody is "
            f"called faster or slower by them."
        )
    if outcome.refused:
        lines.append(f"Refused by the gate: {'; '.join(outcome.refused)}.")
    return lines


BUSY = 0.5
"""A share of the cores that other work has, from which on it is spoken of."""


def machine(outcome: Outcome) -> list[tuple[str, str]]:
    """Return what the figures depend on: names with values."""
    about, gpu = outcome.raw["machine"], outcome.raw["gpu"]
    pairs = [("processor", f"{about['cpu']}, {counted(about['cores'], 'core')}")] if about else []
    if about.get("threads"):
        pairs.append(("threads", f"{about['threads']} for everybody"))
    compiled = about.get("compiled", {})
    if "build" in compiled:
        text = f"compiled, {compiled['build']}, {counted(compiled['threads'], 'thread')}"
        pairs.append((f"{OURS}'s step", text))
    elif "why" in compiled:
        pairs.append((f"{OURS}'s step", f"calls of NumPy, not compiled: {compiled['why']}"))
    if gpu:
        cuda = f"{gpu['cuda'] // 1000}.{gpu['cuda'] % 1000 // 10}"
        pairs.append(("GPU", f"{gpu['name']}, {gpu['memory_gib']:g} GiB, CUDA {cuda}"))
    if about:
        pairs.append(("system", f"{about['system']}, Python {about['python']}, NumPy {about['numpy']}"))
        pairs += [("settings", ", ".join(f"{k}={v}" for k, v in about["settings"].items()))] * bool(
            about["settings"]
        )
    versions = dict.fromkeys(f"{p['name']} {p['version']}".strip() for p in outcome.raw["peers"])
    return [*pairs, ("versions", ", ".join(versions)), ("date", outcome.raw["date"])]


def _between(outcome: Outcome, one: str, other: str) -> list[str]:
    both, alone = outcome.between(one, other), outcome.alone(one, other)
    lines = said(both, one, other, lambda crossing: _batch(outcome, crossing))
    if not both and len(alone) == sum(bool(network.ours) for network in outcome.networks):
        lines.append(f"{one} and {other} have no network in common.")
    elif not both:
        lines.append(f"Too few rounds to say which of {one} and {other} is faster: that takes {FEW}.")
    return [*lines, *(f"{label} was measured on {device} alone." for label, device in alone)]


def _batch(outcome: Outcome, crossing: Crossing) -> str:
    near = min(outcome.networks, key=lambda network: network.label != crossing.above)
    batch = ceil(crossing.about / near.weights)
    return f"With {near.weights:,} weights that is a batch of {batch:,}."


def _cells(network: Network, row: Row) -> list[object]:
    time, over = _time(row), row.over(network.reference)
    low, high = (three_digits(1e6 * bound) for bound in (time.low, time.high))
    return [
        row.who,
        row.device,
        _rounded(1e6 * time.middle),
        f"{low} to {high}" + " *" * (not time.sure) + " ~" * time.noisy,
        None if over is None else _rounded(over.middle),
        int(_rounded(network.batch / time.middle)),
        row.note,
    ]


def _rounded(value: float) -> float:
    return float(f"{value:.2e}")


def _time(row: Row) -> Interval:
    assert row.time is not None
    return row.time


def _table(network: Network) -> str:
    lines = [[*columns(network)], *([written(cell) for cell in row] for row in cells(network))]
    *aligned, _ = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join([title(network), *(_line(line, aligned) for line in lines)])


def written(cell: object) -> str:
    """Return a cell of a table; a number in three digits, with commas between thousands."""
    if isinstance(cell, int | float):
        return f"{cell:,}" if isinstance(cell, int) else three_digits(cell)
    return "" if cell is None else str(cell)


def _line(line: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    padded = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=False))]
    return "  ".join(["", *padded, line[-1]]).rstrip()


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as plain data: the raw figures, and what was made of them."""
    one, *others = outcome.devices or [FIRST]
    return {
        **outcome.raw,
        "networks": [
            {
                **raw,
                "rows": [_row_dict(network, *pair) for pair in zip(raw["rows"], network.rows, strict=True)],
            }
            for raw, network in zip(outcome.raw["networks"], outcome.networks, strict=True)
        ],
        "which_device": which_device(outcome),
        "crossovers": [
            {
                "from": one if c.to_other else other,
                "to": other if c.to_other else one,
                "rows_x_weights": c.size,
                "between": [c.below, c.above],
            }
            for other in others
            for c in outcome.crossings(one, other)
        ],
        "cautions": cautions(outcome),
    }


def _row_dict(network: Network, raw: dict[str, Any], row: Row) -> dict[str, Any]:
    time, over = row.time, row.over(network.reference)
    return {
        **raw,
        "seconds": None if time is None else _bounds(time),
        "ratio": None if over is None else _bounds(over),
        "rows_per_second": None if time is None else network.batch / time.middle,
        "why_not": row.why_not,
    }


def _bounds(value: Interval) -> dict[str, float | None]:
    return {
        "median": value.middle,
        "low": value.low,
        "high": value.high,
        "confidence": CONFIDENCE if value.sure else None,
    }
