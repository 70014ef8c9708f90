"""The part `resumes` of .ci/long: trainings that are ended at random moments go on to the same bits.

    python tests/long/resumes.py --record FILE

200 are killed, 50 ended by SIGTERM. The suite ends few, by the same code: tests/faults/survival.py.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from survival import run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--terminations", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        times = {"kill": given.kills, "SIGTERM": given.terminations}
        made = run(times, directory, seed=given.seed)
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return 0 if made["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
