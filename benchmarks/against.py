"""Two checkouts of fuseprop in turns: is anything slower than it was?

``python -m benchmarks.compare --against COMMIT`` runs the package of that commit and that of the working tree
in processes of their own, which take turns in one run: the bare step and `fit` of every network, and fits of
the estimators. Today's benchmarks drive both, so that the commit may have others: see `checked_out.py`,
and `in_front.py` for how both are driven by the same code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fuseprop.benchmarks.intervals import Interval, interval, ratio
from fuseprop.benchmarks.machine import describe, today
from fuseprop.benchmarks.networks import Case
from fuseprop.benchmarks.sets import BLOCK, joined
from fuseprop.benchmarks.turns import Peer, measure, take_turns

from .checkouts import Checkout
from .origin import VARIABLE
from .rows import why_not

PEER, WORKER = f"{__package__}.checked_out", f"{__package__}.in_front"

SLOWER = 1.03
"""A row whose interval lies wholly above this is slower."""

ROUNDS_OF_AN_INTERVAL = 8
"""With fewer no interval has 99%: what they show decides nothing."""

FORMAT = 2


@dataclass(frozen=True)
class Fit:
    """A fit of an estimator: the table by its name in `estimators.py`."""

    table: str
    solver: str
    dtype: str


FITS = (
    Fit("breast_cancer", "adam", "float64"),
    Fit("breast_cancer", "sgd", "float32"),
    Fit("digits", "adam", "float64"),
    Fit("digits", "sgd", "float32"),
    Fit("100,000 x 20", "adam", "float32"),
    Fit("100,000 x 20, regression", "sgd", "float64"),
)


QUICK_FITS = FITS[:1]


class CannotRun(RuntimeError):
    """A checkout does not run here; says which, and why."""


def compare_checkouts(
    old: Checkout,
    new: Checkout,
    device: str,
    cases: list[Case],
    activations: tuple[str, ...],
    fits: tuple[Fit, ...],
    *,
    rounds: int,
    sets: int,
    minutes: float,
    pause: float,
    say: Callable[[str], None],
    machine: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure, and return the raw figures of every row; raises CannotRun."""
    start = time.monotonic()
    rows: dict[str, list[dict[str, Any]]] = {}
    networks = [(case, activation, {}) for case in cases for activation in activations]
    parts = [  # the widest last: what the others leave of the time is theirs
        *((f"{fit.table}, {fit.solver}, {fit.dtype}", partial(_estimator, fit)) for fit in fits),
        *((f"{case.id} {how}", partial(_network, case, how, known)) for case, how, known in networks),
    ]
    end = start + 60 * minutes
    for number in range(sets):
        peers = [_peer(name, side, new.folder, device) for name, side in (("old", old), ("new", new))]
        say(f"processes, set {number + 1} of {sets}")
        try:
            for peer in peers:
                if peer.missing is not None:
                    raise CannotRun(f"the {peer.name} checkout does not run: {peer.missing}")
            of_this_set = (end - time.monotonic()) / (sets - number)
            ends = time.monotonic() + of_this_set
            for i, (title, measured) in enumerate(parts):
                say(title)
                now = measured(
                    peers,
                    rounds=rounds // sets + (number < rounds % sets),
                    block=BLOCK[device.partition(":")[0]],
                    seconds=(ends - time.monotonic()) / (len(parts) - i),
                    pause=pause,
                )
                rows[title] = joined(rows.get(title, []), now)
        finally:
            for peer in peers:
                peer.close()
    return {
        "format": FORMAT,
        "date": today(),
        "device": device,
        "machine": describe() if machine is None else machine,
        "old": {"commit": old.commit},
        "new": {"commit": new.commit, "changed": list(new.changed)},
        "rounds": rounds,
        "sets": sets,
        "minutes": round((time.monotonic() - start) / 60, 2),
        "rows": [row for title, both in rows.items() for row in _pairs(title, both)],
    }


def _peer(name: str, side: Checkout, benchmarks: Path, device: str) -> Peer:
    paths = [side.folder / "src", side.folder / "backends", benchmarks]
    variables = {VARIABLE: str(side.folder)}
    return Peer(PEER, device, name=name, worker=WORKER, paths=paths, variables=variables)


def _network(
    case: Case, activation: str, references: dict[str, float], peers: list[Peer], **how: Any
) -> list[dict[str, Any]]:
    return measure(peers, case.id, activation, references=references, **how)


def _estimator(
    fit: Fit, peers: list[Peer], *, rounds: int, block: float, seconds: float, pause: float
) -> list[dict[str, Any]]:
    """Measure one fit of each; they must take equally many epochs."""
    end = time.monotonic() + seconds
    rows = [
        {"peer": peer.name, "table": "estimator", "times": []}
        | peer.ask("build_estimator", table=fit.table, solver=fit.solver, dtype=fit.dtype)
        for peer in peers
    ]
    if not any(map(_unmeasured, rows)) and len({row["epochs"] for row in rows}) > 1:
        for row in rows:
            row["skipped"] = f"{row['epochs']} epochs, the other takes another number"
    if not any(map(_unmeasured, rows)):
        timed = [(peer, "estimator", row) for peer, row in zip(peers, rows, strict=True)]
        take_turns(timed, rounds=rounds, block=block, end=end, pause=pause)
    for peer in peers:
        peer.ask("drop")
    return rows


def _unmeasured(row: dict[str, Any]) -> bool:
    return bool({"refused", "skipped", "error"} & row.keys())


def _pairs(title: str, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield old and new of each table as one row: seconds of the same rounds, or why there are none."""
    for table in dict.fromkeys(row["table"] for row in rows):
        old, new = (
            next(r for r in rows if r["table"] == table and r["peer"] == name) for name in ("old", "new")
        )
        both = (("old", old), ("new", new))
        why = {name: why_not(row) for name, row in both if _unmeasured(row)}
        why = why or {name: reason for name, row in both if (reason := why_not(row))}
        yield {
            "what": f"{table} {title}",
            "old": old["times"],
            "new": new["times"],
            "failed": [name for name, row in both if {"refused", "error"} & row.keys()],
            **({"replay": replayed} if (replayed := _replayed(both)) else {}),
            **(
                {"not_compared": "; ".join(f"{name}: {reason}" for name, reason in why.items())}
                if why
                else {}
            ),
        }


def _replayed(both: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, str]:
    """Return how the steps of old and new are replayed, of those that tell."""
    return {name: row["replay"] for name, row in both if "replay" in row}


def change(row: dict[str, Any]) -> Interval | None:
    """Return new / old, round by round; None where there is nothing to compare."""
    return None if "not_compared" in row else ratio(row["new"], row["old"])


def _decided(row: dict[str, Any]) -> bool:
    return change(row) is not None and len(row["new"]) >= ROUNDS_OF_AN_INTERVAL


def slower(result: dict[str, Any]) -> list[str]:
    """Return the rows whose interval, of enough rounds, lies wholly above `SLOWER`."""
    return [
        row["what"]
        for row in result["rows"]
        if _decided(row) and (found := change(row)) and found.low > SLOWER
    ]


def broken(result: dict[str, Any]) -> list[str]:
    """Return the rows in which the new checkout fails, or computes wrong, and the old one does not."""
    return [row["what"] for row in result["rows"] if row["failed"] == ["new"]]


def undecided(result: dict[str, Any]) -> list[str]:
    """Return the rows that do not tell: not measured, too few rounds, or failed in both.

    What fails in the old checkout alone has nothing that it could be slower than.
    """
    alone = (["old"], ["new"])
    return [row["what"] for row in result["rows"] if not _decided(row) and row["failed"] not in alone]


def exit_status(result: dict[str, Any]) -> int:
    """Return 1 where anything is slower or broken, 3 where a row, or all of it, was not decided, else 0."""
    if slower(result) or broken(result):
        return 1
    return 0 if any(map(_decided, result["rows"])) and not undecided(result) else 3


def told(result: dict[str, Any]) -> Iterator[str]:
    """Yield a Markdown table, and what it says."""
    yield "| | old, s | new, s | new / old | 99% | rounds |"
    yield "|---|---|---|---|---|---|"
    for row in result["rows"]:
        found = change(row)
        if found is None:
            yield f"| {row['what']} | | | not compared: {row['not_compared']} | | |"
            continue
        old, new, rounds = interval(row["old"]).middle, interval(row["new"]).middle, len(row["new"])
        few = "" if rounds >= ROUNDS_OF_AN_INTERVAL else ", too few for 99%"
        mark = " **slower**" if row["what"] in slower(result) else ""
        yield (
            f"| {row['what']} | {old:.3g} | {new:.3g} | {found.middle:.3f}{mark} | "
            f"{found.low:.3f} to {found.high:.3f} | {rounds}{few} |"
        )
    yield ""
    replayed = {f"{name}: {how}" for row in result["rows"] for name, how in row.get("replay", {}).items()}
    if replayed:
        yield f"Steps are replayed as: {'; '.join(sorted(replayed))}."
    if failing := broken(result):
        yield f"Only the new checkout fails: {'; '.join(failing)}."
    if open_ := undecided(result):
        yield f"Not decided: {'; '.join(open_)}."
    if not any(map(_decided, result["rows"])):
        yield "Nothing was decided."
    elif slow := slower(result):
        yield f"Wholly above {SLOWER}: {'; '.join(slow)}."
    else:
        yield f"No row that was decided lies wholly above {SLOWER}."
