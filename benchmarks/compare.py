"""Compare fuseprop with its peers, and write the raw figures to one JSON file.

``python -m benchmarks.compare`` measures every network of the device; ``python -m benchmarks.report`` then
turns the files under ``results/`` into tables and plots. With ``--against COMMIT`` it compares the working
tree with that commit of fuseprop instead: the exit status is 1 where something is slower or fails only now,
3 where nothing is but a row was not decided, and else 0.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from fuseprop.backend import BackendUnavailable
from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks.machine import save, slug, today
from fuseprop.benchmarks.networks import ACTIVATIONS, ALL_CASES, CASES, FULL_BATCH, Case
from fuseprop.benchmarks.peers import PEERS, module_of
from fuseprop.benchmarks.sets import SETS, measure_all
from fuseprop.benchmarks.threads import TooMany, limited, machine
from fuseprop.benchmarks.turns import SETTLE

from .against import (
    FITS,
    QUICK_FITS,
    ROUNDS_OF_AN_INTERVAL,
    CannotRun,
    Fit,
    compare_checkouts,
    exit_status,
    told,
)
from .calls import EXAMINED, examine
from .checkout import ROOT
from .checkouts import NoSuchCommit, side_by_side
from .footprint import footprint
from .interruptions import as_interruptions
from .outlets import Positive, ready, say

RESULTS = Path(__file__).parent / "results"
TRIALS = "trials"
"""Under the results, where the report does not look: what is quick or a part shall not replace a whole."""

UNFINISHED = "unfinished"
"""Under the folder of a result: what was measured when the last network began, until all of it is there."""

FORMAT = 2
QUICK_ROUNDS, QUICK_FLOPS = 3, 1e8


LIMITS = {"cpu": {"sets": SETS, "minutes": 25.0}, "cuda": {"sets": 1, "minutes": 7.5}}
"""By device, where the command line says nothing. A GPU's peers compile for minutes, once for each set."""

AGAINST = {"sets": 2, "minutes": 15.0}
"""With --against, on every device."""


def _of(limit: str) -> str:
    return ", ".join(f"{limits[limit]:g} on {device}" for device, limits in LIMITS.items())


@click.command(help=__doc__)
@click.option("--device", default="cpu", show_default=True, help="cpu, or cuda, or cuda:1.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=21,
    show_default=True,
    help="Turns that everyone takes on each network.",
)
@click.option(
    "--sets",
    type=click.IntRange(1),
    help=f"Sets of processes that share the rounds. [default: {_of('sets')}]",
)
@click.option(
    "--minutes",
    type=Positive(),
    help=f"Fewer rounds on wide networks, to end then. [default: {_of('minutes')}]",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Of every library, on as many cores. [default: what each takes by itself]",
)
@click.option("--quick", is_flag=True, help=f"{QUICK_ROUNDS} rounds, small networks: a trial, not a result.")
@click.option("--network", "networks", multiple=True, type=click.Choice(list(ALL_CASES)), help="Only these.")
@click.option("--activation", "activations", multiple=True, type=click.Choice(ACTIVATIONS))
@click.option(
    "--peer", "peers", multiple=True, help="Only these, and fuseprop: " + ", ".join(PEERS[1:]) + "."
)
@click.option(
    "--against", metavar="COMMIT", help="Compare with this commit of ours alone (2 sets, 15 minutes)."
)
@click.option("--footprint/--no-footprint", "sizes", default=True, help="Memory and start-up (CPU only).")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"A folder. [default: results; its {TRIALS}, if quick or a part]",
)
def main(
    device: str,
    rounds: int,
    sets: int | None,
    minutes: float | None,
    threads: int | None,
    quick: bool,
    networks: tuple[str, ...],
    activations: tuple[str, ...],
    peers: tuple[str, ...],
    against: str | None,
    sizes: bool,
    output: Path | None,
) -> None:
    """Parse the command line."""
    limits = LIMITS[_kind(device)] | ({} if against is None else AGAINST)
    cases = [ALL_CASES[name] for name in networks]
    if not networks:
        # Epochs of one step are for what two versions of ours do: a peer's step knows no epochs.
        cases = list(CASES.values() if against is None else {**FULL_BATCH, **CASES}.values())
        cases = [case for case in cases if not (case.gpu_only and device == "cpu")]
        cases = [case for case in cases if not quick or case.step_flops < QUICK_FLOPS]
    trial = bool(quick or networks or peers or (activations and set(activations) != set(ACTIVATIONS)))
    if against is not None:
        if peers:
            raise click.UsageError("--against compares two checkouts of fuseprop; it takes no --peer.")
        compare_with(
            against,
            device,
            cases,
            activations or ("sigmoid",),
            QUICK_FITS if quick else () if networks else FITS,
            rounds=ROUNDS_OF_AN_INTERVAL if quick else rounds,
            sets=1 if quick else sets or int(limits["sets"]),
            minutes=minutes or limits["minutes"],
            threads=threads,
            output=output or (RESULTS / TRIALS if trial else RESULTS / "against"),
        )
        return
    modules = [_module(name) for name in (PEERS[0], *(peers or PEERS[1:]))]
    if output is None:
        output = RESULTS / TRIALS if trial else RESULTS
    ready(output, "--output")
    unfinished = output / UNFINISHED
    result = compare(
        device,
        cases,
        activations or ("sigmoid",),
        modules,
        rounds=QUICK_ROUNDS if quick else rounds,
        sets=1 if quick else sets or int(limits["sets"]),
        minutes=minutes or limits["minutes"],
        threads=threads,
        sizes=sizes and device == "cpu",
        keep=lambda result: save(result, unfinished),
    )
    path = save(result, output)
    (unfinished / path.name).unlink(missing_ok=True)
    say(f"{path}: {result['minutes']:.1f} minutes")


def compare_with(
    commit: str,
    device: str,
    cases: list[Case],
    activations: tuple[str, ...],
    fits: tuple[Fit, ...],
    *,
    rounds: int,
    sets: int,
    minutes: float,
    output: Path,
    threads: int | None = None,
    pause: float | None = None,
) -> None:
    """Compare the working tree with a commit, say what came of it, and exit with what `exit_status` says."""
    ready(output, "--output")
    start = time.monotonic()
    try:
        described = machine(threads)
        with as_interruptions(), side_by_side(commit, ROOT) as (old, new), limited(threads):
            say(f"old: {old.title}\nnew: {new.title}")
            result = compare_checkouts(
                old,
                new,
                device,
                cases,
                activations,
                fits,
                rounds=rounds,
                sets=sets,
                minutes=minutes,
                pause=SETTLE[device.partition(":")[0]] if pause is None else pause,
                say=partial(_say, start),
                machine=described,
            )
    except TooMany as error:
        raise click.UsageError(f"--threads {threads}: {error}") from error
    except NoSuchCommit as error:
        raise click.UsageError(f"--against {commit}: {error}") from error
    except CannotRun as error:
        raise click.ClickException(f"{error}.") from error
    name = f"{slug(result['machine'])}-{result['date']}-{old.commit[:10]}-{new.commit[:10]}"
    path = save(result, output, name)
    say("\n".join(told(result)), err=False)
    say(f"{path}: {result['minutes']:.1f} minutes")
    sys.exit(exit_status(result))


def compare(
    device: str,
    cases: list[Case],
    activations: tuple[str, ...],
    modules: list[str],
    *,
    rounds: int,
    sets: int = SETS,
    minutes: float = 20.0,
    threads: int | None = None,
    sizes: bool = True,
    pause: float | None = None,
    keep: Callable[[dict[str, Any]], object] | None = None,
) -> dict[str, Any]:
    """Measure, and return everything that the report needs; `keep` is given what there is at each network."""
    start = time.monotonic()
    pause = SETTLE[device.partition(":")[0]] if pause is None else pause
    result: dict[str, Any] = {
        "format": FORMAT,
        "date": today(),
        "device": device,
        "precision": "strict float32",
        "rounds": rounds,
        "sets": sets,
        "machine": _described(threads),
        "peers": [],
        "networks": [
            {"network": case.id, "activation": activation, "rows": []}
            for case in cases
            for activation in activations
        ],
        "footprint": [],
        "calls": [],
    }
    if why := result["machine"]["compiled"].get("why"):
        _say(start, f"our steps are not compiled: {why}")

    def begin(network: str) -> None:
        _say(start, network)
        if keep is not None:
            keep(result)

    end = start + 60 * minutes
    with limited(threads):
        for module in modules if sizes else ():
            _say(start, f"memory and start-up: {module.rpartition('.')[2]}")
            result["footprint"].append({"peer": module.rpartition(".")[2], **footprint(module)})
        for number in range(sets):
            _say(start, f"processes, set {number + 1} of {sets}")
            now, left = time.monotonic(), sets - number
            result["peers"] = measure_all(
                result["networks"],
                device,
                modules,
                rounds=rounds // sets + (number < rounds % sets),
                seconds=(end - now) / left,
                pause=pause,
                say=begin,
            )
        for network in EXAMINED if sizes else ():
            _say(start, f"{network} call by call")
            result["calls"].append(examine(network))
    result["minutes"] = round((time.monotonic() - start) / 60, 2)
    return result


def _kind(device: str) -> str:
    """Return "cpu" or "cuda"; a device that is not there ends the command."""
    try:
        load_backend(device)
    except (BackendUnavailable, ValueError) as error:
        raise click.UsageError(f"--device {device}: {error}") from error
    return device.partition(":")[0]


def _described(threads: int | None) -> dict[str, Any]:
    """Return the machine; more threads than it has cores end the command."""
    try:
        return machine(threads)
    except TooMany as error:
        raise click.UsageError(f"--threads {threads}: {error}") from error


def _module(name: str) -> str:
    if name not in PEERS:
        raise click.UsageError(f"--peer: expected one of {', '.join(PEERS)}, got {name!r}.")
    return module_of(name)


def _say(start: float, what: str) -> None:
    say(f"{time.monotonic() - start:6.0f} s  {what}")


if __name__ == "__main__":
    main()
