"""The part `mutants` of .ci/long: each small change of each kernel file meets every check.

    python tests/long/mutants.py --record FILE [--file losses.cu] [--listed]

What is changed, and which checks there are, says tests/cuda/mutants.py.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "cuda"))  # before this folder: the two files share a name

from mutants import FILES, OUTCOMES, examine


def record(files, *, listed):
    """Return what became of the mutants, in all and by file, and what is wrong."""
    try:
        found, complaints = examine(files, listed=listed)
    except RuntimeError as error:
        return {"passed": False, "complaints": [str(error)], "mutants": 0, "files": {}}
    complaints = complaints if found else [*complaints, "no mutant was made"]
    by_file = {file: Counter(what for mutant, what in found.items() if mutant.file == file) for file in files}
    return {
        "passed": not complaints,
        "mutants": len(found),
        "survivors": sum(what == OUTCOMES[0] for what in found.values()),
        "complaints": complaints,
        "files": {file: dict(counts.most_common()) for file, counts in by_file.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--file", choices=FILES, action="append", help="default: all")
    parser.add_argument("--listed", action="store_true", help="only those that equivalent.toml lists")
    options = parser.parse_args()
    made = record(options.file or FILES, listed=options.listed)
    print(*made["complaints"], sep="\n")
    options.record.write_text(json.dumps(made, indent=1) + "\n")
    sys.exit(not made["passed"])


if __name__ == "__main__":
    main()
