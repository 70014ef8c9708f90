"""The first screen of the top README: a picture and a table of fuseprop beside other libraries.

Both come of records in which all of `LIBRARIES` were measured side by side, in `results/libraries/`, and name
their machine. What a library says that it can do stands in `STATED`, with where it says so.
"""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

from fuseprop.benchmarks.intervals import Interval
from fuseprop.benchmarks.machine import said
from fuseprop.benchmarks.markdown import table
from fuseprop.showing.svg import Series, chart, logarithmic

from .plots import by_network
from .rows import OURS, Network
from .tables import marks, number

LIBRARIES = (OURS, "scikit-learn", "PyTorch", "Keras", "JAX", "Thinc")
"""The columns, ours first."""

SIZES = ("64-32-10-b32", "784-128-10-b128", "784-512-512-10-b128")
"""The networks whose steps stand in the table; all that were measured stand in the picture."""

STATED: dict[str, tuple[str, ...]] = {
    "GPU by a flag": (
        "`--device cuda`",
        "not its MLP",
        "`.to()`",
        "by backend",
        "by build",
        "`require_gpu()`",
    ),
    "same bits, any threads and processor": ("compiled steps on a CPU", "no", "no", "no", "no", "no"),
    "own activation or loss in a line": ("yes, on GPUs too", "no", "yes", "yes", "yes", "with its gradient"),
    "goes on after a kill, bit for bit": (
        "yes",
        "by hand",
        "by hand",
        "not bit for bit",
        "by hand",
        "by hand",
    ),
    "scikit-learn's estimators": ("yes", "its own", "by skorch", "by its wrappers", "none", "none"),
}
"""For each of `LIBRARIES`, as its documentation of 2026 has it.

GPU: scikit-learn's array API leaves out its MLP (FAQ, "Will you add GPU support?"); Keras and JAX compute on
a GPU where the build for one is installed. Same bits: PyTorch does not guarantee reproducible results across
releases, commits or platforms ("Reproducibility"); the others promise none across machines and numbers of
threads. After a kill: Keras' `BackupAndRestore` goes on from an epoch or a step, without the state of the
shuffling; with the others, who writes the loop keeps the state. Estimators: `keras.wrappers`.
"""

NONE = "No record of all libraries side by side exists yet. Type: python -m benchmarks.compare"


def first_screen(folder: Path, picture: str) -> tuple[str, str | None]:
    """Return the Markdown, and the SVG of `picture`, its path from the page; none where no records have all.

    Steps and footprints are of the newest records in the folder that have all of `LIBRARIES`.
    """
    records = sorted((json.loads(path.read_text()) for path in folder.glob("*.json")), key=itemgetter("date"))
    timed, started = [each for each in records if _has_steps(each)], [*filter(_has_footprints, records)]
    if not (timed and started):
        return NONE, None
    networks = [Network(raw) for raw in timed[-1]["networks"] if raw["activation"] == "sigmoid"]
    networks = [network for network in networks if network.time(OURS, "step") is not None]
    where, there = _where(timed[-1]), _where(started[-1])
    alt = f"time of a training step over fuseprop's, of {len(LIBRARIES) - 1} libraries, {where}"
    told = (
        f"A step is the median of each library's fastest form, side by side in one run: {where};\n"
        f"`~` marks a noisy one, `=` a tie. Installed is what pip installs for it; that and the start:\n"
        f"{there}. [All forms with their intervals, wider networks and GPUs](benchmarks/README.md#results)."
    )
    table = _table(started[-1], networks)
    return f"![{alt}]({picture})\n\n{table}\n\n{told}", _drawn(networks, where)


def _where(record: dict[str, Any]) -> str:
    machine = record["machine"]
    threads = f", {said(machine['threads'])}" if "threads" in machine else ""
    return f"{machine['cpu']}{threads}, {record['date']}"


def _has_steps(record: dict[str, Any]) -> bool:
    """Return whether everybody's steps of all `SIZES` were measured, in the 8 rounds that 99% take."""
    networks = {raw["network"]: raw["rows"] for raw in record["networks"]}
    return all(
        set(LIBRARIES)
        <= {
            row["peer"] for row in networks.get(size, []) if row["table"] == "step" and len(row["times"]) >= 8
        }
        for size in SIZES
    )


def _has_footprints(record: dict[str, Any]) -> bool:
    return set(LIBRARIES) <= {one["name"] for one in record["footprint"] if "absent" not in one}


def best_step(network: Network, library: str) -> Interval | None:
    """Return the step's time in a library's fastest form over that of ours; None where none counts."""
    names = [row["name"] for row in network.raw["rows"] if row["peer"] == library and row["table"] == "step"]
    ratios = [ratio for name in names if (ratio := network.against_ours(name, "step")) is not None]
    return min(ratios, key=lambda ratio: ratio.middle, default=None)


def _table(record: dict[str, Any], networks: list[Network]) -> str:
    sizes = {one["name"]: one for one in record["footprint"]}
    mib = [number(sizes[name]["installed_with_dependencies"] / 2**20) for name in LIBRARIES]
    peaks = [number(sizes[name]["peak_memory"] / 2**20) for name in LIBRARIES]
    rows = [
        ["installed, MiB, with what it needs", *mib],
        ["from the start to a first epoch, s", *(number(sizes[name]["ready"]) for name in LIBRARIES)],
        ["memory for that, MiB", *peaks],
    ]
    for network in networks:
        if network.raw["network"] in SIZES:
            cells = [_cell(best_step(network, name)) for name in LIBRARIES[1:]]
            rows.append([f"time of a step, {network.label} rows, over ours", "1", *cells])
    rows += [[what, *cells] for what, cells in STATED.items()]
    return table(["", *LIBRARIES], rows)


def _cell(ratio: Interval | None) -> str:
    return "-" if ratio is None else f"{number(ratio.middle)}{marks(ratio)}"


def _drawn(networks: list[Network], where: str) -> str:
    """Return every library's time over ours, network by network, with intervals; marks side by side."""
    series = [Series(OURS, [(float(i), 1.0, 1.0, 1.0) for i in range(len(networks))])]
    for k, name in enumerate(LIBRARIES[1:]):
        aside = 0.5 * ((k + 0.5) / (len(LIBRARIES) - 1) - 0.5)
        ratios = [(i + aside, best_step(network, name)) for i, network in enumerate(networks)]
        points = [(x, ratio.low, ratio.middle, ratio.high) for x, ratio in ratios if ratio is not None]
        series.append(Series(name, points))
    values = [value for one in series for point in one.points for value in point[1:]]
    y_axis = logarithmic(f"time of a step / {OURS}'s  (above 1: {OURS} is faster)", values)
    return chart(f"A training step beside {OURS}'s: {where}", by_network(networks), y_axis, series, rule=1.0)
