"""How much calls of NumPy lose as a plain list, against the form that a step of replay="calls" takes.

``python -m benchmarks.plain_list`` times both in turns in the same processes: every network, sigmoid and
ReLU, with one BLAS thread and with two. It writes results/plain_list/MACHINE-DATE.json, from which
``python -m benchmarks.report`` makes the table in README.md. A row counts only past the gate.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .intervals import Interval, ratio
from .machine import describe, save, today
from .networks import ACTIVATIONS, CASES
from .peers.plain_list import DEFAULT, PLAIN
from .rows import Network, why_not
from .sets import BLOCK, SETS, joined
from .tables import number, ratio_cell, table
from .turns import ROOT, SETTLE, Peer, measure

PEER = "benchmarks.peers.plain_list"

FORMAT = 1

RESULTS = Path(__file__).parent / "results" / "plain_list"

THREADS = (1, 2)

ROUNDS = 20
"""In all sets together."""

TITLE = "### What calls of NumPy lose as a plain list"

LEGEND = """\
Where steps are not compiled, or `NumpyBackend(replay="calls")` is asked for: the time of a step that is
replayed as the plain list of its calls over that of the form which it takes by default, in the same processes
and rounds: the median and its 99% interval. Above 1 the default form is faster. "Feature-major": examples
along columns, bias and weights in one product. "Folded": the learning rate in the row weights. "Shared": the
batch divided among threads. The plain list has none of that."""


def row(case: str, activation: str, threads: int) -> dict[str, Any]:
    """Return the row of one network, with nothing measured."""
    return {"network": case, "activation": activation, "threads": threads, "rows": []}


def compare(
    rows: list[dict[str, Any]], *, rounds: int, sets: int, minutes: float, say: Callable[[str], object]
) -> None:
    """Measure both forms of all rows in fresh processes, and add what is found to them."""
    end = time.monotonic() + 60 * minutes
    references: dict[tuple[str, str], dict[str, float]] = {}
    parts = [(turn, threads) for turn in range(sets) for threads in dict.fromkeys(r["threads"] for r in rows)]
    left = len(rows) * sets
    for turn, threads in parts:
        settings = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        peer = Peer(PEER, "cpu", variables=settings)
        try:
            if peer.missing is not None:
                raise click.ClickException(f"the step does not run: {peer.missing}")
            for each in rows:
                if each["threads"] != threads:
                    continue
                say(f"set {turn + 1} of {sets}: {each['network']} {each['activation']}, {threads} threads")
                found = measure(
                    [peer],
                    each["network"],
                    each["activation"],
                    rounds=rounds // sets + (turn < rounds % sets),
                    block=BLOCK["cpu"],
                    seconds=(end - time.monotonic()) / left,  # what one leaves, the next ones have
                    pause=SETTLE["cpu"],
                    references=references.setdefault((each["network"], each["activation"]), {}),
                )
                each["rows"] = joined(each["rows"], found)
                left -= 1
        finally:
            peer.close()


def loss(found: dict[str, Any]) -> Interval | None:
    """Return the plain list's time over that of the default form, round by round; None where one has none."""
    times = [Network(found).times(name, "step") for name in (PLAIN, DEFAULT)]
    return ratio(*times) if all(times) else None


def told(record: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    threads = list(dict.fromkeys(each["threads"] for each in record["rows"]))
    found = {(each["network"], each["activation"], each["threads"]): each for each in record["rows"]}
    lines = []
    for case, activation in dict.fromkeys((each["network"], each["activation"]) for each in record["rows"]):
        cells = [Network({"network": case}).label, activation]
        for count in threads:
            each = found.get((case, activation, count))
            cells += ["", "", "-"] if each is None else _cells(each)
        lines.append(cells)
    header = ["network, batch", "hidden units"]
    for count in threads:
        said = f"{count} BLAS thread{'s' if count > 1 else ''}"
        header += [f"{said}: the default form", "µs", "plain / default"]
    return table(header, lines)


def _cells(each: dict[str, Any]) -> list[str]:
    network = Network(each)
    default, plain = (network.row(name, "step") for name in (DEFAULT, PLAIN))
    if default is None or plain is None:
        return ["", "", "-"]
    why = why_not(default) or why_not(plain)
    if why:
        return ["", "", why]
    taken = network.time(DEFAULT, "step")
    assert taken is not None
    return [default.get("form", ""), number(1e6 * taken.middle), ratio_cell(loss(each))]


def newest(results: Path) -> dict[str, Any] | None:
    """Return the newest record under results/plain_list/, or None."""
    records = [json.loads(path.read_text()) for path in (results / "plain_list").glob("*.json")]
    fitting = [record for record in records if record.get("format") == FORMAT]
    return max(fitting, key=lambda record: str(record["date"]), default=None)


def section(results: Path) -> str:
    """Return the section of README.md, or nothing without a record."""
    record = newest(results)
    if record is None:
        return ""
    machine = record["machine"]
    blas = ", ".join(f"{each['internal_api']} {each['version']}" for each in machine["blas"])
    where = (
        f"{machine['cpu']}, {machine['cores']} cores, NumPy {machine['numpy']}, {blas}, "
        f"{record['date']}, commit {record['commit'][:10]}: up to {record['rounds']} rounds in "
        f"{record['sets']} sets of processes. Again: `python -m benchmarks.plain_list`."
    )
    return "\n\n".join((TITLE, LEGEND, told(record), where))


def commit() -> tuple[str, bool]:
    """Return the commit of the working tree, and whether it has changes."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    return git("rev-parse", "HEAD") or "unknown", bool(git("status", "--porcelain"))


@click.command(help=__doc__)
@click.option("--minutes", type=click.FloatRange(0.1), default=9.0, show_default=True, help="For all rows.")
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True)
@click.option("--sets", type=click.IntRange(1), default=SETS, show_default=True, help="Of fresh processes.")
@click.option(
    "--network", "names", multiple=True, type=click.Choice(list(CASES)), help="Only these: a trial."
)
@click.option("--activation", "activations", multiple=True, type=click.Choice(ACTIVATIONS))
@click.option("--threads", "counts", multiple=True, type=click.IntRange(1), help="BLAS threads.")
def main(
    minutes: float,
    rounds: int,
    sets: int,
    names: tuple[str, ...],
    activations: tuple[str, ...],
    counts: tuple[int, ...],
) -> None:
    """Parse the command line."""
    cases = [case.id for case in CASES.values() if not case.gpu_only and (not names or case.id in names)]
    rows = [
        row(case, activation, threads)
        for threads in counts or THREADS
        for case in cases
        for activation in activations or ACTIVATIONS
    ]
    start, (head, changed) = time.monotonic(), commit()
    compare(rows, rounds=rounds, sets=sets, minutes=minutes, say=lambda text: click.echo(text, err=True))
    record = {
        "format": FORMAT,
        "date": today(),
        "machine": describe(),
        "commit": head,
        "changed": changed,
        "rounds": rounds,
        "sets": sets,
        "minutes": round((time.monotonic() - start) / 60, 2),
        "rows": rows,
    }
    click.echo(told(record))
    trial = bool(names or activations or counts)
    click.echo(f"{save(record, RESULTS.parent / 'trials' if trial else RESULTS)}", err=True)


if __name__ == "__main__":
    main()
