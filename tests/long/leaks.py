"""The part `leaks` of .ci/long: 10,000 compiled steps, 1,000 trainings, checkpoints and forks leave nothing.

    python tests/long/leaks.py --record FILE

Each in a process of its own: no thread and no open file more than before, no file beside the last checkpoint
and the one before, and no memory that grows with their number. The suite does the same a few times.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[1] / "native"
TIMES = {"compile": 10_000, "fit": 1_000, "checkpoint": 1_000, "fork": 1_000}
EXACT = ("wrong", "threads", "descriptors")
"""What none may be left of."""

MOST = 16_000_000
"""Bytes that may be left of all: allocators keep some. A step has 2 MB of its own."""

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import leaks
say = lambda text: print(text, file=sys.stderr, flush=True)
print(json.dumps(leaks.left_by(sys.argv[2], int(sys.argv[3]), say)))
"""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--share", type=float, default=1.0, help="of the numbers of times")
    given = parser.parse_args()
    found, complaints = {}, []
    for what, times in TIMES.items():
        order = [sys.executable, "-c", SCRIPT, str(NATIVE), what, str(max(1, int(times * given.share)))]
        done = subprocess.run(order, stdout=subprocess.PIPE, text=True, check=False)
        found[what] = json.loads(done.stdout or "null")
        if found[what] is None:
            complaints.append(f"{what}: it ended with {done.returncode}")
        elif any(found[what][kind] for kind in EXACT) or found[what]["bytes"] > MOST:
            complaints.append(f"{what}: {found[what]}")
    print(*complaints, sep="\n")
    made = {"passed": not complaints, **found, "complaints": complaints}
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
