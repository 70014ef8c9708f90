"""What imports take beside that of NumPy: `import fuseprop`, and its first use.

``python -m benchmarks.import_time`` starts fresh processes in turns, the order reversed every round. It
prints seconds and the ratio to `import numpy` of the same round, with its 99% interval.
"""

from __future__ import annotations

import json
import subprocess
import sys

import click

from fuseprop.benchmarks.intervals import interval, ratio
from fuseprop.benchmarks.machine import describe

LIMIT = 2.0
"""How many times as long as `import numpy` the import of fuseprop shall take at most."""

BASE = "import numpy"

LIMITED = ("import fuseprop", "from fuseprop import Network")

SUBJECTS = {
    BASE: BASE,
    "import fuseprop": "import fuseprop",
    "from fuseprop import Network": "from fuseprop import MomentumSGD, Network, mlp",
    "a network with its first formula": (
        "from fuseprop.formulas import sigmoid\n"
        "from fuseprop import Network, mlp\n"
        "Network(mlp([2, 8, 1], sigmoid), 'half_squared_error', device='cpu')"
    ),
}


def seconds(code: str) -> float:
    """Return what a piece of code takes in a fresh process."""
    timed = f"import time\nstart = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    done = subprocess.run(
        [sys.executable, "-c", timed],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each subject, one a round; a round before them fills the caches of files."""
    times: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    for turn in range(-1, rounds):
        for name in list(SUBJECTS)[:: -1 if turn % 2 else 1]:
            taken = seconds(SUBJECTS[name])
            if turn >= 0:
                times[name].append(taken)
    return times


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=31, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Raw seconds of each round, and the machine.")
def main(rounds: int, as_json: bool) -> None:
    """Parse the command line."""
    times = measure(rounds)
    if as_json:
        click.echo(json.dumps({"machine": describe(), "times": times}))
        return
    click.echo("| | ms | x import numpy | 99% |\n|---|---|---|---|")
    for name, taken in times.items():
        found = ratio(taken, times[BASE])
        over = f" **above {LIMIT:g}**" if name in LIMITED and found.middle > LIMIT else ""
        click.echo(
            f"| {name} | {1e3 * interval(taken).middle:.0f} | {found.middle:.2f}{over} | "
            f"{found.low:.2f} to {found.high:.2f} |"
        )


if __name__ == "__main__":
    main()
