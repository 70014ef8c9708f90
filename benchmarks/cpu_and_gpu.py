"""The section of README.md with CPU against GPU: every run of the suite that was saved for it."""

from __future__ import annotations

from pathlib import Path

import click

from fuseprop.benchmarks.saved import NotARun, read
from fuseprop.benchmarks.table import NO_RECORD, has_both, page

SAVED = "suite"
"""The folder below `results` where pytest-benchmark saves runs for this."""

ABOUT = """\
## CPU against GPU, in one run of the suite

Both backends in one process of `pytest`, one test after the other; the tables above compare libraries in
processes of their own."""

RECORD = """\
With `--benchmark-storage=benchmarks/results/suite --benchmark-save=NAME` instead of `--benchmark-json` the
run becomes a record, of which `python -m benchmarks.report` makes this section."""


def cpu_and_gpu(results: Path) -> str:
    """Return the tables of all saved runs that have both, or how to make one where there is none."""
    try:
        runs = [read(path) for path in sorted((results / SAVED).rglob("*.json"))]
    except NotARun as error:
        raise click.UsageError(str(error)) from error
    pages = [page(run) for run in runs if has_both(run)]
    return "\n\n".join([ABOUT, *(pages or [NO_RECORD]), RECORD])
