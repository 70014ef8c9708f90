"""The three plots of one result file: time against size, ratio to each peer, share of the floor."""

from __future__ import annotations

from fuseprop.showing.svg import Axis, Series, chart, logarithmic

from .rows import OURS, Network

Plots = dict[str, str]


def plots(networks: list[Network], where: str) -> Plots:
    """Return SVG documents by name: "time", "ratio", "floor"."""
    names = list(dict.fromkeys(name for n in networks for name in n.names("step")))
    measured = [n for n in networks if n.time(OURS, "step") is not None]
    if not measured:
        return {}
    drawn = {"time": _time(measured, names, where), "ratio": _ratio(measured, names, where)}
    if any(n.floor for n in measured):
        drawn["floor"] = _floor([n for n in measured if n.floor], names, where)
    return drawn


def _time(networks: list[Network], names: list[str], where: str) -> str:
    """µs a step against the MFLOP of its products, both logarithmic."""
    ordered = sorted(networks, key=lambda n: n.case.step_flops)
    series = []
    for name in names:
        times = [(n.case.step_flops / 1e6, n.time(name, "step")) for n in ordered]
        points = [(x, 1e6 * t.low, 1e6 * t.middle, 1e6 * t.high) for x, t in times if t is not None]
        if points:
            series.append(Series(name, points))
    x_axis = logarithmic("size: MFLOP in the products of a step", [p[0] for s in series for p in s.points])
    y_axis = logarithmic("time: µs a step", [v for s in series for p in s.points for v in p[1:]])
    return chart(f"The bare step, {where}", x_axis, y_axis, series)


def _ratio(networks: list[Network], names: list[str], where: str) -> str:
    """Every peer's time over ours, with intervals; marks side by side."""
    others = [name for name in names if name != OURS]
    series = [Series(OURS, [(float(i), 1.0, 1.0, 1.0) for i in range(len(networks))])]
    for k, name in enumerate(others):
        aside = 0.5 * ((k + 0.5) / len(others) - 0.5)
        ratios = [(i + aside, n.against_ours(name, "step")) for i, n in enumerate(networks)]
        points = [(x, r.low, r.middle, r.high) for x, r in ratios if r is not None]
        if points:
            series.append(Series(name, points))
    y_axis = logarithmic(
        f"time of the peer / time of {OURS}  (above 1: {OURS} is faster)",
        [v for s in series for p in s.points for v in p[1:]],
    )
    return chart(f"Ratio to each peer, bare step, {where}", by_network(networks), y_axis, series, rule=1.0)


def _floor(networks: list[Network], names: list[str], where: str) -> str:
    """Floor over time in percent: 100 is as fast as the machine allows."""
    series = []
    for name in names:
        ratios = [(float(i), n.of_floor(name)) for i, n in enumerate(networks)]
        points = [(x, 100 / r.high, 100 / r.middle, 100 / r.low) for x, r in ratios if r is not None]
        if points:
            series.append(Series(name, points))
    top = 1.05 * max(100.0, *(p[2] for s in series for p in s.points))  # bars may be cut off, marks may not
    series = [Series(s.name, [(*p[:3], min(p[3], top)) for p in s.points]) for s in series]
    ticks = [(float(v), str(v)) for v in range(0, int(top) + 1, 20)]
    y_axis = Axis("floor / time of the bare step, %", 0.0, top, ticks)
    return chart(f"Share of the floor, {where}", by_network(networks), y_axis, series)


def by_network(networks: list[Network]) -> Axis:
    """Return an axis on which network i stands at i."""
    labels = [n.label.replace(", ", "\nbatch ") for n in networks]
    return Axis("network", -0.5, len(labels) - 0.5, [(float(i), label) for i, label in enumerate(labels)])
