"""Ctrl-C, SIGTERM and kill -9 at random moments of ``fuseprop train``: it imports, reads, trains and saves.

Whatever the moment: Ctrl-C ends the command with exit code 130 and one line, SIGTERM with 143 and one line;
the file at ``--out`` is the old one or the new one, whole; and the next save leaves nothing else there.

    python tests/long/kills.py --record FILE

does that 100 times with each signal; the ordinary suite does it 10 times, with the same code.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from forks import Forks

import fuseprop
from fuseprop.storage.atomic import write_atomically

PHASES = ("import", "reading", "training", "saving")
SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "kill": signal.SIGKILL}
ENDS = {"Ctrl-C": (130, "interrupted"), "SIGTERM": (143, "terminated"), "kill": (-signal.SIGKILL, None)}
"""Exit codes, and the word in the one line that is said."""

ROWS = 5000
TRIES = 20
"""How often at most a moment is tried for until it falls before the command's end."""

LIMIT = 120
"""Seconds after which a command hangs."""

IMPORT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from fuseprop.__main__ import main
sys.argv[0] = "fuseprop"
os.write(1, b"begun\\n")
main()
"""
"""A process that says when the first line of ours is about to run: before that it is Python's."""


class Kills:
    """The command, what it makes of its files undisturbed, and how long each phase takes.

    Parameters
    ----------
    directory : Path
        An empty directory.
    forks : Forks
    seed : int
    """

    def __init__(self, directory, forks, seed):
        self.directory, self.forks, self.rng = directory, forks, random.Random(seed)
        self.place = directory / "place"
        self.place.mkdir()
        self.out = self.place / "m.safetensors"
        self.errors = directory / "stderr"
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(ROWS, 3))
        rows = (f"{a:.6f},{b:.6f},{c:.6f},{'up' if a + b * c > 0 else 'down'}\n" for a, b, c in X)
        (directory / "t.csv").write_text("a,b,c,way\n" + "".join(rows))
        self.arguments = ["train", directory / "t.csv", "--target", "way", "--epochs", 8, "--hidden", "64,64"]
        self.arguments += ["--device", "cpu", "--batch-size", 128, "--out", self.out]
        self.old = self._undisturbed("--seed", 1)
        self.new = self._undisturbed()
        self.times = self._time_phases()

    def trial(self, phase, name):
        """Send a signal at a random moment of a phase; return what happened, and what was wrong with it."""
        for attempt in range(TRIES):
            for file in self.place.iterdir():
                file.unlink()
            self.out.write_bytes(self.old)
            self.errors.write_bytes(b"")
            # A phase may take less time than it took when it was timed, on a machine with other work to do.
            moment = self.rng.uniform(0, self.times[phase]) * 0.7**attempt
            run = self._run_import if phase == "import" else self._run_fork
            code = run(phase, moment, SIGNALS[name])
            if code != 0:  # else the command was done before the signal came
                break
        return code, self._wrong(name, code)

    def _undisturbed(self, *more):
        code = self.forks.run(*self.arguments, *more)
        assert code == 0, f"the command ends with {code}"
        return self.out.read_bytes()

    def _time_phases(self):
        start = monotonic()
        self._run_import("import", None, None)
        times = {"import": monotonic() - start}
        self.forks.start(*self.arguments, marks=True)
        heard = dict(self.forks.marks())
        ends = {"reading": "training", "training": "saving", "saving": "saved"}
        return times | {phase: heard[after] - heard[phase] for phase, after in ends.items()}

    def _run_import(self, phase, moment, number):
        """Run the command as a process of its own, and interrupt it while it imports."""
        command = [sys.executable, "-c", IMPORT, *map(str, self.arguments)]
        if moment is None:
            command = [sys.executable, "-c", IMPORT, "--version"]
        with (
            self.errors.open("wb") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            process.stdout.readline()
            if moment is not None:
                sleep(moment)
                process.send_signal(number)
            process.communicate(timeout=LIMIT)
            return process.returncode

    def _run_fork(self, phase, moment, number):
        child = self.forks.start(*self.arguments, stderr=self.errors, marks=True)
        for what, value in self.forks.marks():
            if what == phase:
                sleep(moment)
                with suppress(ProcessLookupError):  # it may be done
                    os.kill(child, number)
            if what == "status":
                return value
        raise AssertionError("the child never ended")

    def _wrong(self, name, code):
        """Return in words what is not as it should be."""
        said = self.errors.read_text()
        expected, word = ENDS[name]
        lines = [line for line in said.splitlines() if word is not None and line.startswith(word)]
        wrong = []
        if code != expected:
            wrong.append(f"exit code {code}")
        if "Traceback" in said or "Exception ignored" in said or "Error" in said:
            wrong.append(f"it said {said[-600:]!r}")
        if word is not None and len(lines) != 1:
            wrong.append(f"{len(lines)} lines say that it was {word}: {said[-600:]!r}")
        if self.out.read_bytes() not in (self.old, self.new):
            wrong.append("the file is neither the old one nor the new one")
        beside = self.out.with_suffix(".interrupted.safetensors")
        for path in (self.out, beside):
            if path.exists():
                try:
                    fuseprop.load(path, device="cpu")
                except fuseprop.ModelFileError as error:
                    wrong.append(f"{path.name} cannot be loaded: {error}")
            write_atomically(path, self.old)  # the next save
        left = {path.name for path in self.place.iterdir()} - {self.out.name, beside.name}
        if left:
            wrong.append(f"the next save leaves {sorted(left)}")
        return wrong


def run(times, directory, forks, *, seed=0, say=lambda text: print(text, flush=True)):
    """Send each signal `times` times, as often in each phase; return what is to be recorded."""
    kills = Kills(Path(directory), forks, seed)
    counts, findings = {name: Counter() for name in SIGNALS}, []
    for i in range(times):
        phase = PHASES[i % len(PHASES)]
        for name in SIGNALS:
            code, wrong = kills.trial(phase, name)
            counts[name][f"{phase}: {code}"] += 1
            findings += [f"{name} while {phase}: {what}" for what in wrong]
            for what in wrong:
                say(f"{name} {i + 1} while {phase}: {what}")
        say(f"{i + 1} of {times} of each signal")
    return {
        "passed": not findings,
        "times": times,
        "seed": seed,
        "exit codes": {name: dict(sorted(count.items())) for name, count in counts.items()},
        "seconds": {phase: round(seconds, 4) for phase, seconds in kills.times.items()},
        "findings": findings,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--times", type=int, default=100, help="of each signal")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, Forks() as forks:
        made = run(given.times, directory, forks, seed=given.seed)
    given.record.write_text(json.dumps(made, indent=2) + "\n")
    return 0 if made["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
