"""Fits and predictions on the folds of tables, one after the other, each timed by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from .datasets import Data
from .folds import Fold, folds
from .generated import two_moons
from .learners import Learner, goes_with, score
from .record import Record, Row, key


def measure(
    tables: Iterable[Data],
    learners: Mapping[str, Learner],
    record: Record,
    *,
    splits: int,
    repeats: int,
    seed: int,
    minutes: float | None = None,
    say: Callable[[str], None] = print,
) -> bool:
    """Measure what the record lacks, and add it; return whether all is there at the end.

    All tables are done once before any is repeated, and who goes first changes with the fold. After so many
    `minutes` no further fit is begun.
    """
    end = None if minutes is None else time.monotonic() + 60 * minutes
    tables = list(tables)
    done = record.done()
    warm = False
    for repeat in range(repeats):
        for data in tables:
            missing = [
                (row, fit) for row, fit in _rows(data, learners, repeat, splits) if key(row) not in done
            ]
            if not missing:
                continue
            if not warm:
                _warm_up(learners)
                warm = True
            frame = data.load()
            divided = [each for each in folds(data, frame, splits, repeat + 1, seed) if each.repeat == repeat]
            for row, fit in missing:
                if end is not None and time.monotonic() > end:
                    say("No time is left: the same command goes on from here.")
                    return False
                size = {"rows": len(frame), "features": frame.shape[1] - 1}
                record.append({**row, **size, **_one(data, frame, divided[row["fold"]], fit)})
            say(f"{data.name}, repeat {repeat + 1}: {_means(record.rows, data.name, repeat)}")
    return True


def _rows(
    data: Data, learners: Mapping[str, Learner], repeat: int, splits: int
) -> Iterator[tuple[Row, Learner]]:
    """Yield the beginnings of a table's rows in a repeat, in turn, each with who learns."""
    names = [name for name in learners if goes_with(name, data)]
    for number in range(splits):
        first = (repeat * splits + number) % len(names)
        for name in names[first:] + names[:first]:
            yield {"table": data.name, "repeat": repeat, "fold": number, "learner": name}, learners[name]


def _one(data: Data, frame: Any, fold: Fold, fit: Learner) -> Row:
    """Return score, seconds and load of one fit and its prediction, or the error that ended it."""
    rows, test = frame.iloc[fold.train], frame.iloc[fold.test]
    features = test.drop(columns=data.target)
    seed = 1000 * fold.repeat + fold.number
    load = round(os.getloadavg()[0], 2)
    start = time.perf_counter()
    try:
        fitted = fit(data, rows, seed)
        learned = time.perf_counter()
        answer = fitted.answer(features)
        answered = time.perf_counter()
        found = score(data, test[data.target], answer)
    except Exception as error:  # whatever it is, it is this learner's, and the others go on
        return {"error": f"{type(error).__name__}: {error}"[:300], "load": load}
    return {
        "score": round(found, 6),
        "fit": round(learned - start, 4),
        "predict": round(answered - learned, 4),
        "load": load,
        **fitted.kept,
    }


def _warm_up(learners: Mapping[str, Learner]) -> None:
    """Have everybody import and compile what is needed once in a process."""
    frame = two_moons().iloc[:100]
    data = Data("warm-up", two_moons, "y", "accuracy")
    for fit in learners.values():
        with suppress(Exception):  # settings that do not go with classes
            fit(data, frame, 0).answer(frame.drop(columns="y"))


def _means(rows: list[Row], table: str, repeat: int) -> str:
    by_learner: dict[str, list[float]] = {}
    for row in rows:
        if (row["table"], row["repeat"]) == (table, repeat):
            by_learner.setdefault(row["learner"], []).append(row.get("score", float("nan")))
    return ", ".join(f"{name} {sum(each) / len(each):.4f}" for name, each in by_learner.items())
