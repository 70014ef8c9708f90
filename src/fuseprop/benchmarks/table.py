"""A table of CPU against GPU, of one saved run of the suite.

``python -m fuseprop.benchmarks.table run.json`` prints Markdown, of what was saved by ``pytest --pyargs
fuseprop.benchmarks --backends=numpy,cupy --benchmark-json=run.json``: which CPU and which GPU, medians with
their quartiles, the ratio, and from which size on the GPU is faster. Without rows of both it says so and ends
with 1; a file that is no such run is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import click

from ..checks.quoting import three_digits
from .bench.crossover import Measured, said
from .markdown import table
from .saved import COMMAND, NotARun, Row, Run, Side, read

NO_RECORD = f"""\
There is no record of a CPU and a GPU in one run yet. On a machine with an NVIDIA GPU type:

    {COMMAND}
    python -m fuseprop.benchmarks.table run.json"""

LEGEND = """\
Medians of the rounds in µs, and in brackets their first and third quartile. CPU / GPU is the ratio of the
medians: above 1 the GPU is faster. Where the quartiles of both overlap, neither is called the faster one."""


def page(run: Run) -> str:
    """Return the tables of a run as Markdown; says what is missing where it has no two sides."""
    cpus, gpus = [s for s in run.sides if s.is_cpu], [s for s in run.sides if not s.is_cpu]
    if not (cpus and gpus):
        return f"This run has rows of {', '.join(map(str, run.sides))} alone.\n\n{NO_RECORD}"
    parts = [about(run, gpus), LEGEND]
    for group in dict.fromkeys(row.group for row in run.rows):
        rows = [row for row in run.rows if row.group == group]
        for cpu, gpu in product(cpus, gpus):
            parts += _section(group, rows, cpu, gpu)
    return "\n\n".join(parts)


def has_both(run: Run) -> bool:
    """Whether a run has rows of a CPU and of a GPU."""
    return len({side.is_cpu for side in run.sides}) == 2


def about(run: Run, gpus: Iterable[Side]) -> str:
    """Say what was measured on: the CPU, the GPU, the versions."""
    m = run.machine
    gpu: dict[str, Any] = m.get("gpu") or {}
    cpu = m.get("cpu_name") or m.get("cpu", {}).get("brand_raw") or "that does not say its name"
    lines = [f"CPU: {cpu}, {m['cores']} cores." if "cores" in m else f"CPU: {cpu}."]
    if gpu:
        # CUDA counts its versions so: 12080 is 12.8.
        driver, cuda = (f"{n // 1000}.{n % 1000 // 10}" for n in (gpu["driver"], gpu["cuda"]))
        lines.append(f"GPU: {gpu['name']}, driver of CUDA {driver}, CUDA {cuda}, CuPy {gpu['cupy']}.")
    else:
        lines.append("GPU: one that does not say its name.")
    if others := [side.device for side in gpus if side.device not in ("cuda", "cuda:0")]:
        lines.append(f"The GPU that is named is the first of the machine; measured was {', '.join(others)}.")
    versions = [("fuseprop", m.get("fuseprop")), ("NumPy", m.get("numpy")), ("Python", m.get("python"))]
    lines.append(f"{', '.join(f'{name} {version}' for name, version in versions if version)}; {run.date}.")
    return "\n".join(lines)


def _section(group: str, rows: list[Row], cpu: Side, gpu: Side) -> Iterator[str]:
    """Yield a title, a table, and for each kind of row where the GPU overtakes."""
    of = {side: {(row.what, row.case.id): row for row in rows if row.side == side} for side in (cpu, gpu)}
    keys = sorted(dict.fromkeys([*of[cpu], *of[gpu]]), key=lambda key: _size(of, key))
    kinds = list(dict.fromkeys(row.what for row in rows))
    yield f"### {group}: {cpu}, {gpu}"
    header = ["network", "", "CPU", "GPU", "CPU / GPU"]
    yield table(header, [_cells(key, of[cpu].get(key), of[gpu].get(key)) for key in keys])
    lines = []
    for kind in kinds:
        both = [
            _measured(of[cpu][key], of[gpu][key])
            for key in keys
            if key[0] == kind and key in of[cpu] and key in of[gpu]
        ]
        words = said(both, "the CPU", "the GPU") if both else ["no network was measured on both."]
        lines += [f"- {kind}: {line}" for line in words]
    yield "\n".join(lines)


def _measured(cpu: Row, gpu: Row) -> Measured:
    """Return a network on both, level where half of the rounds of one and of the other meet."""
    level = cpu.low <= gpu.high and gpu.low <= cpu.high
    return Measured(cpu.case.id, cpu.size, cpu.middle, gpu.middle, level)


def _size(of: dict[Side, dict[tuple[str, str], Row]], key: tuple[str, str]) -> int:
    return next(rows[key].size for rows in of.values() if key in rows)


def _cells(key: tuple[str, str], cpu: Row | None, gpu: Row | None) -> list[str]:
    what, network = key
    ratio = "-" if cpu is None or gpu is None else three_digits(cpu.middle / gpu.middle)
    return [network, what, _time(cpu), _time(gpu), ratio]


def _time(row: Row | None) -> str:
    if row is None:
        return "-"
    low, middle, high = (three_digits(1e6 * seconds) for seconds in (row.low, row.middle, row.high))
    return f"{middle} [{low}, {high}]"


@click.command(help=__doc__)
@click.argument("run", type=click.Path(path_type=Path))
def main(run: Path) -> None:
    """Parse the command line."""
    if not run.exists():
        raise click.UsageError(f"there is no {run}.\n\n{NO_RECORD}")
    try:
        saved = read(run)
    except (NotARun, OSError) as error:
        raise click.UsageError(str(error)) from error
    if not has_both(saved):
        click.echo(page(saved), err=True)
        sys.exit(1)
    click.echo(page(saved))


if __name__ == "__main__":
    main(prog_name="python -m fuseprop.benchmarks.table")
