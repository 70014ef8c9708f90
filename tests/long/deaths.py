"""The part `deaths` of .ci/long: one of four processes is killed, fifty times; all end, and it is named.

    python tests/long/deaths.py --record FILE

The ordinary suite does so three times, with the same script.
"""

import argparse
import json
import random
import re
import sys
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "world"))

from launching import HERE, launched

PROCESSES = 4
LIMIT = 10
"""Seconds in which all have ended, their start and the first steps included."""


def trial(rank):
    """Kill a process; return what was wrong, and the seconds that all took."""
    start = monotonic()
    result = launched(PROCESSES, HERE / "ends.py", "kill", rank, __file__, timeout=120)
    seconds = monotonic() - start
    named = re.findall(r"^process (\d) of \d .*has died: killed \(signal 9\)", result.stderr, re.MULTILINE)
    wrong = []
    if named != [str(rank)]:
        wrong.append(f"process {rank} was killed, and these were named: {named}")
    if result.stderr.count("to go on: type it") != 1:
        wrong.append("it was not told how to go on")
    if result.returncode == 0:
        wrong.append("the exit code is 0")
    if seconds > LIMIT:
        wrong.append(f"all took {seconds:.1f} s")
    return wrong, seconds


def record(times, seed, *, say=lambda text: print(text, flush=True)):
    """Kill one of four so many times; return what is to be recorded."""
    rng = random.Random(seed)
    findings, seconds = [], []
    for i in range(times):
        wrong, took = trial(rng.randrange(PROCESSES))
        seconds.append(round(took, 2))
        findings += wrong
        say(f"{i + 1} of {times}: {took:.1f} s{''.join(f'; {what}' for what in wrong)}")
    return {
        "passed": not findings,
        "times": times,
        "seed": seed,
        "longest": max(seconds),
        "findings": findings,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    made = record(given.times, given.seed)
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return 0 if made["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
