"""The part `resumes` of .ci/long: 200 trainings that are killed at random moments and go on to the same bits.

    python tests/long/resumes.py --record FILE

The ordinary suite does it with 20, by the same code: tests/faults/survival.py.
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
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        made = run(given.times, directory, seed=given.seed)
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return 0 if made["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
