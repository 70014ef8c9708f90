"""Markdown tables of one result file."""

from __future__ import annotations

from statistics import median
from typing import Any

from fuseprop.benchmarks.intervals import Interval, quartiles
from fuseprop.benchmarks.machine import said
from fuseprop.benchmarks.markdown import table
from fuseprop.checks.quoting import three_digits as number

from .rows import OURS, Network, why_not

TITLES = {
    "step": "The bare step: batch gathered, forward, loss, backward, update",
    "fit": "As users call it: whole epochs, shuffled, with history; divided by their steps",
}
APART = """\
### The bare step on the GPU and on its host

*GPU* is the time between two marks on the device, *host* that until a step has been asked for, without
waiting for it: where that is the longer, the GPU waits for its host. JAX has no marks, and only our launches
are known; those of captured steps are nodes of one graph of many steps."""
COMMANDS = {"cpu": "python -m benchmarks.compare", "cuda": "python -m benchmarks.compare --device cuda"}


def ratio_cell(value: Interval | None) -> str:
    """Return median [interval], with = for a tie and ~ for noise."""
    if value is None:
        return "-"
    return f"{number(value.middle)} [{number(value.low)}, {number(value.high)}]{marks(value)}"


def marks(value: Interval) -> str:
    """Return = for a tie and ~ for noise, each behind a space."""
    return (" =" if value.tie else "") + (" ~" if value.noisy else "")


def comparison(networks: list[Network], kind: str) -> str:
    """Return one of the two tables: our time, and everybody's over ours."""
    names = list(dict.fromkeys(name for n in networks for name in n.names(kind) if name != OURS))
    notes: list[str] = []

    def cell(network: Network, name: str) -> str:
        row = network.row(name, kind)
        why = "not run" if row is None else why_not(row)
        if why is None:
            return ratio_cell(network.against_ours(name, kind))
        if why not in notes:
            notes.append(why)
        return f"({notes.index(why) + 1})"

    rows = []
    for network in networks:
        ours = network.time(OURS, kind)
        time = cell(network, OURS) if ours is None else number(1e6 * ours.middle) + " ~" * ours.noisy
        floor_cell = [ratio_cell(network.of_floor(OURS))] if kind == "step" else []
        rows.append([network.label, time, *floor_cell, *(cell(network, name) for name in names)])
    header = ["network, batch", f"{OURS}, µs", *(["x of floor"] if kind == "step" else []), *names]
    explained = {
        row["name"]: row["note"]
        for n in networks
        for row in n.raw["rows"]
        if row["table"] == kind and row["note"]
    }
    remarks = [f"({i}) {note}." for i, note in enumerate(notes, 1)]
    remarks.append("; ".join(f"{name}: {note}" for name, note in explained.items()) + ".")
    return "\n\n".join([f"### {TITLES[kind]}", table(header, rows), *filter(lambda r: r != ".", remarks)])


def best_peers(networks: list[Network]) -> str:
    """Return for each network who is the fastest beside ours, in both tables; nothing without peers."""
    rows = [
        [network.label, *(cell for kind in TITLES for cell in _best_cells(network, kind))]
        for network in networks
    ]
    if all(row[1:] == [*NOBODY, *NOBODY] for row in rows):
        return ""
    header = ["network, batch"]
    for kind in ("bare step", "as users call it"):
        header += [f"{kind}: the best peer", f"its time / {OURS}'s", "quartiles"]
    return f"### The best peer's time over {OURS}'s\n\n{table(header, rows)}"


NOBODY = ["-", "-", "-"]


def _best_cells(network: Network, kind: str) -> list[str]:
    name = network.best_peer(kind)
    if name is None:
        return NOBODY
    pairs = zip(network.times(name, kind), network.times(OURS, kind), strict=True)
    low, high = quartiles([theirs / ours for theirs, ours in pairs])
    return [name, ratio_cell(network.against_ours(name, kind)), f"{number(low)} to {number(high)}"]


def fits_over_steps(networks: list[Network]) -> str:
    """Return what `fit` takes beside the bare step, for all forms of ours; nothing without both."""
    names = list(
        dict.fromkeys(name for n in networks for name in n.names("fit") if name not in n.peers("fit"))
    )
    rows = []
    for network in networks:
        ratios = [network.fit_over_step(name) for name in names]
        if any(ratios):
            row = network.row(OURS, "fit") or {}
            rows.append([network.label, f"{row.get('epoch', '-')}", *map(ratio_cell, ratios)])
    if not rows:
        return ""
    header = ["network, batch", "steps an epoch", *names]
    return f"### `fit`: a step's time over that of {OURS}'s bare step\n\n{table(header, rows)}"


def floors(networks: list[Network]) -> str:
    """Return the table of floors: what they are made of, and everybody's bare step over them."""
    names = list(dict.fromkeys(name for n in networks for name in n.names("step")))
    rows = []
    for network in networks:
        parts = [
            f"{number(1e6 * sorted(part['times'])[len(part['times']) // 2])} ({part['name'].split()[0]})"
            for part in network.floor_parts.values()
        ]
        if not network.floor:
            continue
        middle = sorted(network.floor)[len(network.floor) // 2]
        ratios = [network.of_floor(name) for name in names]
        cells = ["-" if value is None else number(value.middle) + " ~" * value.noisy for value in ratios]
        rows.append([network.label, number(1e6 * middle), " + ".join(parts), *cells])
    if not rows:
        return "### Floors\n\nNot measured."
    launched = any("launch" in network.floor_parts for network in networks)
    made_of = "products + bytes" + " + launch" * launched
    return "### Floors: the bare step's time over that of its products and bytes alone\n\n" + table(
        ["network, batch", "floor, µs", f"{made_of}, µs (fastest library)", *names], rows
    )


def apart(networks: list[Network]) -> str:
    """Return the time of the GPU beside that of its host, for every form that tells them; else nothing."""
    rows = [
        [
            network.label,
            name,
            *(
                number(1e6 * median(row[clock])) if row.get(clock) else "-"
                for clock in ("times", "device", "host")
            ),
            str(row.get("launches", "-")),
            ratio_cell(network.of_floor(name)),
        ]
        for network in networks
        for name in network.names("step")
        if (row := network.row(name, "step")) is not None and "host" in row and why_not(row) is None
    ]
    if not rows:
        return ""
    header = ["network, batch", "", "step, µs", "GPU, µs", "host, µs", "launches", "x of floor"]
    return f"{APART}\n\n{table(header, rows)}"


def calls(one: dict[str, Any], network: Network | None) -> str:
    """Return where the time of one step goes, call by call, and what of it the floor does not hold."""
    title = f"### {one['network']}: where the time of our step as calls goes, call by call"
    if "error" in one:
        return f"{title}\n\nNot measured: {one['error']}."
    total = sum(call["seconds"] for call in one["calls"])
    rows = [
        [
            call["call"],
            ", ".join("x".join(map(str, shape)) or "-" for shape in call["shapes"]),
            number(1e6 * call["seconds"]),
            f"{call['seconds'] / total:.0%}",
        ]
        for call in one["calls"]
    ]
    products = sum(call["seconds"] for call in one["calls"] if _is_product(call))
    said = f"Products {number(1e6 * products)} µs, everything else {number(1e6 * (total - products))} µs."
    if network is not None and network.floor:
        parts = {kind: median(row["times"]) for kind, row in network.floor_parts.items()}
        held = " + ".join(f"{kind} {number(1e6 * seconds)}" for kind, seconds in parts.items())
        said += f" In the floor: {held} µs."
    details = table(["call", "shapes", "µs", "share"], rows)
    return f"{title}\n\n{said}\n\n<details><summary>{len(rows)} calls</summary>\n\n{details}\n\n</details>"


def _is_product(call: dict[str, Any]) -> bool:
    """Whether a call multiplies matrices; a sum by a product with ones is none."""
    return call["call"] == "dot" and all(len(shape) == 2 for shape in call["shapes"])


def footprints(result: dict[str, Any]) -> str:
    """Return the table of memory and start-up."""
    mib = 2**20
    rows = [
        [
            one["name"],
            number(one["installed"] / mib),
            number(one["installed_with_dependencies"] / mib),
            number(one["import"]),
            number(one["peak_memory"] / mib),
            number(one["ready"]),
        ]
        if "absent" not in one
        else [one["peer"], f"absent: {one['absent']}", *["-"] * 4]
        for one in result["footprint"]
    ]
    header = ["", "installed, MiB", "with what it needs, MiB", "import, s", "peak memory, MiB", "ready, s"]
    return "### Memory and start-up: one epoch of 64-32-10, batch 32\n\n" + table(header, rows)


def about(result: dict[str, Any]) -> str:
    """Return who was measured, where and how, and who was absent."""
    machine = result["machine"]
    blas = ", ".join(
        f"{b['internal_api']} {b['version']} with {b['num_threads']} threads" for b in machine["blas"]
    )
    present = [f"{p['name']} {p['version']}".strip() for p in result["peers"] if not p["absent"]]
    absent = [f"{p['name']} ({p['absent']})" for p in result["peers"] if p["absent"]]
    gpu, settings = machine["gpu"], [f"{k}={v}" for k, v in machine["settings"].items()]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}.",
        f"{blas}.",
        *_compiled(machine.get("compiled", {})),
        *([f"Everybody has {said(machine['threads'])}."] if "threads" in machine else []),
        *([f"{gpu['name']}, driver {gpu['driver']}, CUDA {gpu['cuda']}, CuPy {gpu['cupy']}."] if gpu else []),
        f"{', '.join(present)}. Settings: {', '.join(settings) or 'those of each library'}.",
        f"{result['precision']}, up to {result['rounds']} rounds in {result['sets']} sets of processes, "
        f"{result['minutes']} minutes.",
        f"Absent: {', '.join(absent) or 'nobody'}.",
        f"Again: `{COMMANDS[result['device'].partition(':')[0]]}{_options(result)}`.",
    ]
    return "  \n".join(lines)


def _compiled(compiled: dict[str, Any]) -> list[str]:
    """Return a line on our compiled steps; none for a record that does not know them."""
    if "build" in compiled:
        return [f"{OURS}'s steps are compiled: {compiled['build']}, with up to {said(compiled['threads'])}."]
    return [f"{OURS}'s steps are not compiled: {compiled['why']}."] if compiled else []


def _options(result: dict[str, Any]) -> str:
    """Return what the command was given."""
    threads = result["machine"].get("threads")
    activations = list(dict.fromkeys(network["activation"] for network in result["networks"]))
    options = [] if threads is None else [f"--threads {threads}"]
    if len(activations) > 1:
        options += [f"--activation {activation}" for activation in activations]
    return "".join(f" {option}" for option in options)
