"""What checkpoints cost: one a minute, and a large one that training stands still for.

    python -m benchmarks.checkpoints [--seconds 300] [--large 12]

Two trainings of 784-512-512-10 take turns, epoch by epoch, for so many seconds in all; one writes a
checkpoint for each minute of its own. What that costs is told in two ways: by the ratio of the epochs of
both, where the noise of the machine is larger than what is looked for, and by the sum of all that checkpoints
take: the time that training stands still, and the processor's time of the thread that writes.

Then 784-4096-4096-10 is trained by Adam, with checkpoints of 320 MB. Training stands still while the state is
copied; in turns with it arrays of the same sizes are copied alone, in memory that was touched before.

The raw seconds go to `results/checkpoints/`.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from threading import Condition, Thread
from time import perf_counter, process_time, thread_time
from typing import Any

import numpy as np

from fuseprop import Adam, Checkpoint, History, MomentumSGD, Network, mlp
from fuseprop.benchmarks.intervals import Interval, ratio
from fuseprop.benchmarks.machine import describe, save, today
from fuseprop.callbacks import OnEpochEnd
from fuseprop.checkpoints import Keeper

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "checkpoints"
MINUTE = 60
OFTEN, LARGEST = 0.01, 1.5
"""What the issue of checkpoints allows: a share of a training, and copies of a checkpoint in memory."""

BATCH, ENDLESS = 128, 10**6


class Timed(Keeper):
    """A keeper that measures itself, and copies arrays of so many floats before each checkpoint.

    Attributes
    ----------
    stalls, copies, writes : list of (float, float)
        Wall seconds and the thread's own processor seconds: of training that stands still, of the copies
        alone, and of the thread that writes.
    """

    def __init__(self, checkpoint: Checkpoint, copied: Sequence[int] = ()) -> None:
        super().__init__(checkpoint)
        self.stalls: list[tuple[float, float]] = []
        self.copies: list[tuple[float, float]] = []
        self.writes: list[tuple[float, float]] = []
        self._pairs = [(np.ones(size, np.float32), np.ones(size, np.float32)) for size in copied]
        self._began = _now()

    def finish_writing(self) -> None:
        """Begin to measure: training asks for this before it copies its state."""
        super().finish_writing()
        if self._pairs:
            began = _now()
            for given, copy in self._pairs:
                np.copyto(copy, given)
            self.copies.append(_since(began))
        self._began = _now()

    def keep(self, state: dict[str, Any], *, wait: bool = False) -> None:
        """Measure until training goes on; not where it has ended."""
        super().keep(state, wait=wait)
        if not wait:
            self.stalls.append(_since(self._began))

    def _write(self, state: dict[str, Any]) -> None:
        began = _now()
        super()._write(state)
        self.writes.append(_since(began))


def _now() -> tuple[float, float]:
    return perf_counter(), thread_time()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    now = _now()
    return now[0] - began[0], now[1] - began[1]


def _ratios(first: list[tuple[float, float]], second: list[tuple[float, float]]) -> list[Interval]:
    """Return the intervals of first / second in wall seconds, and in processor seconds."""
    return [ratio([each[kind] for each in first], [each[kind] for each in second]) for kind in (0, 1)]


class Turns:
    """Lets two trainings take turns, epoch by epoch, until the time is over."""

    def __init__(self, seconds: float) -> None:
        self._condition, self._ends = Condition(), perf_counter() + seconds
        self._turn: int | None = 0

    def take(self, own: int) -> None:
        """Wait for one's own turn."""
        with self._condition:
            self._condition.wait_for(lambda: self._turn in (own, None))

    def give(self, own: int) -> bool:
        """End one's own turn; return whether the time is over, which ends the turns for both."""
        with self._condition:
            over = own == 1 and perf_counter() > self._ends
            self._turn = None if over or self._turn is None else 1 - own
            self._condition.notify_all()
            return over or self._turn is None


class Turn:
    """A callback that hands over after each epoch.

    Attributes
    ----------
    epochs : list of (float, float)
        Wall seconds and the process's processor seconds of each epoch.
    """

    def __init__(self, turns: Turns, own: int) -> None:
        self._turns, self._own = turns, own
        self.epochs: list[tuple[float, float]] = []
        self._began = 0.0, 0.0

    def start(self, epochs: int, history: History) -> None:
        """Wait."""
        self._turns.take(self._own)
        self._began = perf_counter(), process_time()

    def epoch_end(self, history: History) -> None:
        """Hand over."""
        now = perf_counter(), process_time()
        self.epochs.append((now[0] - self._began[0], now[1] - self._began[1]))
        if self._turns.give(self._own):
            history.stop("the time is over")
        self._turns.take(self._own)
        self._began = perf_counter(), process_time()

    def end(self, history: History) -> None:
        """Do nothing."""


def often(seconds: float, folder: Path) -> dict[str, Any]:
    """Train twice in turns for so many seconds in all; return what was measured."""
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((30_000, 784), np.float32), rng.integers(0, 10, 30_000)
    turns = Turns(seconds)
    # The clock goes on in the turns of the other one: a minute of its own takes two.
    keeper = Timed(Checkpoint(folder / "often.safetensors", f"{2 * MINUTE} s"))
    callbacks = [Turn(turns, own) for own in (0, 1)]

    def train(turn: Turn, checkpoint: Keeper | None) -> None:
        network = Network(mlp([784, 512, 512, 10]), "softmax_cross_entropy", seed=0, device="cpu")
        network.fit(
            *(X, labels, MomentumSGD(0.01, 0.9)),
            epochs=ENDLESS,
            batch_size=BATCH,
            callbacks=[turn],
            checkpoint=checkpoint,
        )

    other = Thread(target=train, args=(callbacks[1], None))
    other.start()
    train(callbacks[0], keeper)
    other.join()
    with_, without = (turn.epochs[1:] for turn in callbacks)  # the first loads what later ones find loaded
    count = min(len(with_), len(without))
    wall, processor = _ratios(with_[:count], without[:count])
    stall, writing = (mean(each[0] for each in keeper.stalls), mean(each[1] for each in keeper.writes))
    return {
        "network": "784-512-512-10",
        "epochs_with": with_,
        "epochs_without": without,
        "stalls": keeper.stalls,
        "writes": keeper.writes,
        "file_bytes": keeper.path.stat().st_size,
        "epoch_ratio_wall": vars(wall),
        "epoch_ratio_processor": vars(processor),
        "share_of_a_minute": (stall + writing) / MINUTE,
        "allowed": OFTEN,
    }


def large(checkpoints: int, folder: Path) -> dict[str, Any]:
    """Train the large network until there are so many checkpoints; return what was measured."""
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((2 * BATCH, 784), np.float32), rng.integers(0, 10, 2 * BATCH)
    network = Network(mlp([784, 4096, 4096, 10]), "softmax_cross_entropy", seed=0, device="cpu")
    # Parameters, two moments, and the best weights.
    copied = 4 * [network.stack.parameters.count]
    keeper = Timed(Checkpoint(folder / "large.safetensors", "0.1 s"), copied)

    def stop(history: History) -> None:
        if len(keeper.stalls) >= checkpoints:
            history.stop("enough")

    callbacks = [OnEpochEnd(stop)]
    network.fit(
        X, labels, Adam(1e-5), epochs=ENDLESS, batch_size=BATCH, callbacks=callbacks, checkpoint=keeper
    )
    # The copy before the first stall touched the memory of the training; the last one has no stall.
    copies = keeper.copies[: len(keeper.stalls)]
    wall, processor = _ratios(keeper.stalls, copies)
    return {
        "network": "784-4096-4096-10",
        "copied_bytes": 4 * sum(copied),
        "file_bytes": keeper.path.stat().st_size,
        "stalls": keeper.stalls,
        "copies": copies,
        "writes": keeper.writes,
        "copies_a_stall_wall": vars(wall),
        "copies_a_stall_processor": vars(processor),
        "allowed": LARGEST,
    }


def main() -> None:
    """Measure both, print what they come to, and write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300, help="of the two trainings in turns")
    parser.add_argument("--large", type=int, default=12, help="how many large checkpoints")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where the record goes")
    given = parser.parse_args()
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    record: dict[str, Any] = {"date": today(), "commit": commit, "machine": describe()}
    measure: dict[str, Callable[[Path], dict[str, Any]]] = {
        "large": lambda folder: large(given.large, folder),
        "often": lambda folder: often(given.seconds, folder),
    }
    for name, measured in measure.items():
        with tempfile.TemporaryDirectory() as folder:
            record[name] = measured(Path(folder))
        print("\n".join(_said(name, record[name])), flush=True)  # noqa: T201
        save(record, given.folder)


def _said(name: str, found: dict[str, Any]) -> list[str]:
    stall, write = (1e3 * median(each[0] for each in found[kind]) for kind in ("stalls", "writes"))
    lines = [f"{found['network']}: training stands still for {stall:.1f} ms, writing takes {write:.0f} ms"]
    if name == "large":
        for kind in ("wall", "processor"):
            of = found[f"copies_a_stall_{kind}"]
            lines.append(f"  {of['middle']:.2f} copies ({of['low']:.2f} to {of['high']:.2f}), {kind} seconds")
        return lines
    for kind in ("wall", "processor"):
        of = found[f"epoch_ratio_{kind}"]
        lines.append(
            f"  epochs {of['middle']:.3f} times those without ({of['low']:.3f} to {of['high']:.3f}), {kind}"
        )
    return [*lines, f"  {100 * found['share_of_a_minute']:.3f}% of a minute for each checkpoint"]


if __name__ == "__main__":
    main()
