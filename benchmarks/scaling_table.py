"""The model of `scaling.py` beside what was measured, and what it foretells: a section of README.md.

The record comes from ``python -m benchmarks.scaling_measured``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from fuseprop.benchmarks.intervals import Interval, interval, quartiles

from .scaling import FLOAT, Place, Way, fitted, flops, parameters, ring
from .tables import number, table

RECORDS = Path("scaling")

GPU_BOX = Place(rate=26e12, alpha=10e-6, beta=1 / 150e9, fixed=20e-6, memory=2e12)
CPU_MACHINES = Place(rate=1e12, alpha=5e-6, beta=1 / 12e9, fixed=50e-6, memory=1e11)
GPU_MACHINES = replace(GPU_BOX, alpha=CPU_MACHINES.alpha, beta=CPU_MACHINES.beta)

PLACES = {
    "8 GPUs in one box, NVLink": (GPU_BOX, 8),
    "64 machines of 32 cores, 100 Gb/s": (CPU_MACHINES, 64),
    "64 machines of one GPU, 100 Gb/s": (GPU_MACHINES, 64),
}
"""What is foretold: where, and the most processes; all of it assumed."""

CASES = (
    ((784, 128, 10), 128),
    ((784, 512, 512, 10), 1024),
    ((784, 512, 512, 10), 65536),
    ((784, 8192, 8192, 10), 8192),
)

ABOUT = """\
## How far several processes scale: a model, measured and foretold

[`scaling.py`](scaling.py) is a page of arithmetic: `t(P) = fixed + compute(rows / P) + update + sum(P)`,
where a message of n bytes takes alpha + n beta, and a sum over P processes takes the cheaper of a ring,
`2 (P - 1) (alpha + n beta / P)`, and recursive doubling, `log2 P (alpha + n beta)`. What the model is held
against is measured; what it foretells of GPUs and clusters is a forecast, of which nothing has run.

### Measured: sums, and alpha and beta that fit them

{machine}, {mpi}, `{commit}`, {date}: one thread a process, {rounds} rounds in which everything takes
turns. The load average was {before} before and {after} after, the latter with these processes.
Again: `python -m benchmarks.scaling_measured`, then
the report. Median µs of a sum over P processes of so many floats, with quartiles, and in brackets what
the fitted model says. *Least* is the fit to each sum's least time, as if nothing disturbed it.
{oversubscribed}"""

STEPS = """\
### Measured steps beside the forecast

A step of {network} with a batch of {batch:,}, divided. *Forecast* knows how long one process takes that
is alone, by its rows (a line through the medians: {fixed} ms and {per_row} µs a row; {rate} GFLOP/s),
that {cores} compute at a time and more take turns, and the sum of the fit. *From beside* takes instead
what as many processes need at the same time without a sum: it tries the sum by itself, and what lies
between both is what sharing a machine costs. Ratios are within a round, medians with 99% intervals;
speed-ups are over one process of one thread. {busy}"""

BUSY = """\
**Other programs wanted the cores at the same time**: more processes then get a larger share of them, which
the model does not know. These speed-ups are those of a share, and say nothing of an idle machine."""

FORETOLD = """\
### Forecasts: 8 GPUs in one box, 64 machines

Nothing here is measured but the GPU's own speed. **Assumed:**

- a GPU reaches {gpu_rate:.0f} TFLOP/s in float32 without TF32, with {gpu_fixed:.0f} µs fixed a step: so
  that one takes {gpu_says:.0f} µs where {gpu_record} (784-512-512-10, 1,024 rows);
- 32 cores reach {cpu_rate:.0f} TFLOP/s, with {cpu_fixed:.0f} µs fixed; an update moves {gpu_memory:.0f}
  TB/s on a GPU and {cpu_memory:.0f} GB/s on a CPU, five arrays;
- NVLink: {box_latency:.0f} µs a message, {box_bandwidth:.0f} GB/s; 100 Gb/s: {net_latency:.0f} µs,
  {net_bandwidth:.0f} GB/s; rates do not fall with fewer rows, which flatters strong scaling of few rows a
  process;
- no sum overlaps with computing, nobody is late, nothing is congested. MPI's third way, of Rabenseifner,
  is left out: it has the ring's bytes with 2 log2 P messages. With 64 machines it would take the sum of
  784-512-512-10 from {ring_sum:,.0f} to {halved_sum:,.0f} µs.

Strong: one batch divided, times as fast as one process. Weak: the same rows for each of P as one had,
t(1) / t(P). Both are forecasts."""

WHERE = """\
How many rows a process needs on many processes, however large the network is (8 beta rate / 6 of them for
half, nine times as many for 90%: parameters cancel), and below how many parameters latency is the larger
part of a message (of a ring, P times as many):"""


def scaling(results: Path) -> str:
    """Return the section of the newest record; nothing where there is none."""
    paths = sorted((results / RECORDS).glob("*.json"), key=lambda path: path.stem[-10:])
    if not paths:
        return ""
    record = json.loads(paths[-1].read_text())
    foretold = [f"{FORETOLD.format(**_assumed(results))}", _foretold(), WHERE, _where(), _conclusion()]
    return "\n\n".join([_about(record), _sums(record), _steps_said(record), _steps(record), *foretold])


def sums(
    record: dict[str, Any], middle: Callable[[list[float]], float] = median
) -> dict[int, dict[int, float]]:
    """Return seconds of a sum by how many processes and floats."""
    found: dict[int, dict[int, float]] = {}
    for name, seconds in record["seconds"]["sums"].items():
        processes, floats = (int(part) for part in name.split(","))
        found.setdefault(processes, {})[floats] = middle(seconds)
    return found


def here(record: dict[str, Any]) -> dict[int, Place]:
    """Return the machine of a record as the model sees it, by how many processes talk there.

    A line through the medians of one process that is alone gives its rate; what does not depend on rows,
    the update among it, is `fixed`.
    """
    sizes, batch = record["sizes"], record["batch"]
    alone = {1: median(record["seconds"]["steps"]["1"])}
    alone |= {int(parts): median(each) for parts, each in record["seconds"]["rows"].items()}
    rows, seconds = np.array([batch // parts for parts in alone]), np.array(list(alone.values()))
    per_row, fixed = np.polyfit(rows, seconds, 1, w=1 / seconds)
    return {
        processes: Place(
            float(flops(sizes, 1) / per_row), *fitted(processes, measured), float(fixed),
            at_once=record["machine"]["cores"],
        )
        for processes, measured in sums(record).items()
    }  # fmt: skip


def _about(record: dict[str, Any]) -> str:
    cores = record["machine"]["cores"]
    more = [str(processes) for processes in sums(record) if processes > cores]
    return ABOUT.format(
        machine=_machine(record),
        mpi=_mpi(record),
        commit=record["commit"],
        date=record["date"],
        before=number(record["load"][0]),
        after=number(record["load"][1]),
        rounds=len(record["seconds"]["steps"]["1"]),
        oversubscribed=(
            f"With {cores} cores, {' and '.join(more)} processes are **oversubscribed**: a message then "
            "waits for whoever has the core, and alpha and beta are the scheduler's."
            if more
            else "No row is oversubscribed."
        ),
    )


def _machine(record: dict[str, Any]) -> str:
    return f"{record['machine']['cpu']}, {record['machine']['cores']} cores"


def _mpi(record: dict[str, Any]) -> str:
    return " ".join(record["mpi"].replace("Version:", "").split())


def _processes(record: dict[str, Any], processes: int) -> str:
    return f"{processes}, oversubscribed" if processes > record["machine"]["cores"] else str(processes)


def _sums(record: dict[str, Any]) -> str:
    medians, least = sums(record), sums(record, min)
    rows = []
    for processes, measured in medians.items():
        alpha, beta = fitted(processes, measured)
        place, cells = Place(1.0, alpha, beta), []
        for floats, seconds in measured.items():
            low, high = quartiles(record["seconds"]["sums"][f"{processes}, {floats}"])
            said = number(1e6 * place.sum(processes, floats))
            cells.append(f"{number(1e6 * seconds)} ({number(1e6 * low)} to {number(1e6 * high)}) [{said}]")
        fits = [_fit(alpha, beta), _fit(*fitted(processes, least[processes]))]
        rows.append([_processes(record, processes), *cells, *fits])
    floats = [f"{each:,}" for each in next(iter(medians.values()))]
    return table(["P", *floats, "alpha, beta", "least"], rows)


def _fit(alpha: float, beta: float) -> str:
    return f"{number(1e6 * alpha)} µs, " + (f"{number(1e-9 / beta)} GB/s" if beta else "bytes for nothing")


def _steps_said(record: dict[str, Any]) -> str:
    place = next(iter(here(record).values()))
    return STEPS.format(
        network="-".join(map(str, record["sizes"])),
        batch=record["batch"],
        fixed=number(1e3 * place.fixed),
        per_row=number(1e6 * flops(record["sizes"], 1) / place.rate),
        rate=number(1e-9 * place.rate),
        cores=record["machine"]["cores"],
        busy=BUSY if record["load"][0] >= 1 else "",
    ).rstrip()


def _steps(record: dict[str, Any]) -> str:
    sizes, batch, seconds = record["sizes"], record["batch"], record["seconds"]
    one = seconds["steps"]["1"]
    rows = [["1", number(1e3 * median(one)), _spread(one), "", "", "", "", ""]]
    for processes, place in here(record).items():
        measured, beside = seconds["steps"][str(processes)], seconds["beside"][str(processes)]
        whole = batch // processes * processes
        forecast = place.step(processes, sizes, whole)
        summed = place.sum(processes, parameters(sizes))
        rows.append(
            [
                _processes(record, processes),
                number(1e3 * median(measured)),
                _spread(measured),
                number(1e3 * forecast),
                _interval(interval([forecast / each for each in measured])),
                number(1e3 * (median(beside) + summed)),
                _interval(interval([(b + summed) / each for b, each in zip(beside, measured, strict=True)])),
                f"{_interval(interval([a / b for a, b in zip(one, measured, strict=True)]))} "
                f"({number(place.strong(processes, sizes, whole))})",
            ]
        )
    header = [
        *("P", "step, ms", "quartiles", "forecast, ms", "forecast / step", "from beside, ms"),
        *("from beside / step", "speed-up (forecast)"),
    ]
    return table(header, rows)


def _spread(seconds: list[float]) -> str:
    return " to ".join(number(1e3 * each) for each in quartiles(seconds))


def _interval(found: Interval) -> str:
    return f"{number(found.middle)} [{number(found.low)}, {number(found.high)}]"


def _assumed(results: Path) -> dict[str, Any]:
    """Return the assumptions in the units of the text, and beside them what a GPU measured."""
    sizes = CASES[1][0]
    size = FLOAT * parameters(sizes)
    return {
        "gpu_rate": 1e-12 * GPU_BOX.rate,
        "gpu_fixed": 1e6 * GPU_BOX.fixed,
        "gpu_memory": 1e-12 * GPU_BOX.memory,
        "gpu_says": 1e6 * GPU_BOX.step(1, *CASES[1]),
        "gpu_record": recorded(results, "-".join(map(str, sizes)) + f"-b{CASES[1][1]}"),
        "cpu_rate": 1e-12 * CPU_MACHINES.rate,
        "cpu_fixed": 1e6 * CPU_MACHINES.fixed,
        "cpu_memory": 1e-9 * CPU_MACHINES.memory,
        "box_latency": 1e6 * GPU_BOX.alpha,
        "box_bandwidth": 1e-9 / GPU_BOX.beta,
        "net_latency": 1e6 * CPU_MACHINES.alpha,
        "net_bandwidth": 1e-9 / CPU_MACHINES.beta,
        "ring_sum": 1e6 * CPU_MACHINES.sum(64, parameters(sizes)),
        "halved_sum": 1e6 * Way(2 * 6, ring(64).arrays).seconds(size, CPU_MACHINES.alpha, CPU_MACHINES.beta),
    }


def recorded(results: Path, network: str) -> str:
    """Return what GPUs took for the bare step of a network, from their records."""
    found = {}
    for path in sorted(results.glob("nvidia-*.json")):
        record = json.loads(path.read_text())
        for each in record["networks"]:
            for row in each["rows"]:
                if each["network"] == network and (row["name"], row["table"]) == ("fuseprop", "step"):
                    found[record["machine"]["gpu"]["name"]] = f"{1e6 * median(row['times']):.0f} µs"
    return " and ".join(f"one {name} took {time}" for name, time in found.items()) or "none was measured"


def _counts(most: int) -> list[int]:
    return [processes for processes in (2, 8, 64) if processes <= most]


def _foretold() -> str:
    rows = []
    for name, (place, most) in PLACES.items():
        for sizes, batch in CASES:
            counts = _counts(most)
            rows.append(
                [
                    name,
                    f"{'-'.join(map(str, sizes))}, {batch:,}",
                    number(1e6 * place.step(1, sizes, batch)),
                    number(1e6 * place.sum(most, parameters(sizes))),
                    ", ".join(f"{p}: {number(place.strong(p, sizes, batch))}" for p in counts),
                    f"{place.strong(most, sizes, batch) / most:.0%}",
                    ", ".join(f"{p}: {place.weak(p, sizes, batch):.0%}" for p in counts),
                ]
            )
    header = ["where", "network, batch", "1 process, µs", "sum of all, µs"]
    return table([*header, "strong: P, times as fast", "of all P", "weak: P, efficiency"], rows)


def _where() -> str:
    rows = [
        [name, *(f"{place.rows(of):,.0f}" for of in (0.5, 0.9)), f"{place.latency_below():,.0f}"]
        for name, (place, _) in PLACES.items()
    ]
    return table(["where", "rows for half", "rows for 90%", "latency dominates below, parameters"], rows)


def _conclusion() -> str:
    """Return, by place, what gains from its most processes and what is better left to one."""
    lines = []
    for name, (place, most) in PLACES.items():
        by = [(f"{'-'.join(map(str, s))} at {b:,}", place.strong(most, s, b)) for s, b in CASES]
        lines.append(
            f"- {name}, all {most}: scales (at least half of {most} times as fast): "
            f"{_listed([case for case, times in by if times >= most / 2])}; "
            f"gains less: {_listed([case for case, times in by if 1 < times < most / 2])}; "
            f"is slower than one: {_listed([case for case, times in by if times <= 1])}."
        )
    return "One batch divided, by these forecasts:\n\n" + "\n".join(lines)


def _listed(cases: Sequence[str]) -> str:
    return ", ".join(cases) or "none"
