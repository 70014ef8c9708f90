"""Measure in about a minute what estimates for a GPU stand on, and write it to one JSON file.

``python -m benchmarks.probe_gpu`` measures, each by itself: what handing a launch over costs the host, what a
node of a CUDA graph takes, the products of the suite in strict float32, copies, and branches that fork and
join in a graph. The file is written after each measurement; "seconds" is in it once all are there. Without a
GPU it says what is missing and ends with 2.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from fuseprop.backend import BackendUnavailable
from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks.device import cupy_stopwatch
from fuseprop.benchmarks.machine import describe, save, today

from .compare import RESULTS
from .gpu_probes import Probes
from .outlets import ready, say
from .tables import number, table

MISSING = 2


@click.command(help=__doc__)
@click.option("--device", default="cuda", show_default=True, help="cuda, or cuda:1.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=RESULTS / "probes", help="A folder."
)
def main(device: str, output: Path) -> None:
    """Parse the command line."""
    start = time.monotonic()
    try:
        backend = load_backend(device)
    except BackendUnavailable as error:
        click.echo(f"{device} cannot be probed: {error}", err=True)
        sys.exit(MISSING)
    ready(output, "--output")
    import cupy

    probes = Probes(backend, cupy, cupy_stopwatch())
    head = {"date": today(), "machine": describe()}
    record = {**head, **probes.record(lambda found: save({**head, **found}, output))}
    record["seconds"] = round(time.monotonic() - start, 1)
    path = save(record, output)
    say(tables(record), err=False)
    say(f"{path}: {record['seconds']} seconds")


def tables(record: dict[str, Any]) -> str:
    """Return what was found, as Markdown."""
    parts = [
        f"{record['machine']['gpu'].get('name', 'GPU')}, {record['date']}.",
        _named("handing over, on the host", record["host"]),
        _named("in a CUDA graph", record["nodes"]),
        _named("fork and join in a CUDA graph", record["branches"]),
        table(
            ["product, strict float32", "µs", "TFLOP/s", "of"],
            [_product(product) for product in record["products"]],
        ),
        table(
            ["copy", "µs", "GB/s, read and written"],
            [_copy(copied["bytes"], copied["seconds"]) for copied in record["copies"]],
        ),
        *(f"Absent: {what}: {why}." for what, why in record["absent"].items()),
    ]
    return "\n\n".join(parts)


def _named(title: str, seconds: dict[str, float]) -> str:
    return table([title, "µs"], [[name, number(1e6 * value)] for name, value in seconds.items()])


def _product(found: dict[str, Any]) -> list[str]:
    m, k, n = found["shape"]
    return [
        f"{m} x {k} x {n}",
        number(1e6 * found["seconds"]) + ("" if found["in_graph"] else ", called by the host"),
        number(2e-12 * m * k * n / found["seconds"]),
        ", ".join(found["networks"]),
    ]


def _copy(size: int, seconds: float) -> list[str]:
    return [f"{size / 2**20:g} MiB", number(1e6 * seconds), number(2e-9 * size / seconds)]


if __name__ == "__main__":
    main()
