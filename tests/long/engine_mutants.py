"""The part `engine_mutants` of .ci/long: each small change of the compiled step's engine meets every check.

    python tests/long/engine_mutants.py --record FILE [--file rows.hpp] [--listed] [--jobs 1] [--seconds 600]

What is changed, and which checks there are, says tests/native/engine_mutants.py. With --seconds as many
mutants of each file are taken as fit, and the record says how many there are.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).parents[1] / "native")
)  # before this folder: the two files share a name

from engine_mutants import FILES, SURVIVES, examine


def record(files, **options):
    """Return what became of the mutants, in all and by file, and what is wrong."""
    try:
        found, complaints = examine(files, **options)
    except RuntimeError as error:
        return {"passed": False, "complaints": [str(error)], "mutants": 0, "files": {}}
    taken = {mutant: what for mutant, what in found.items() if what is not None}
    complaints = complaints if taken else [*complaints, "no mutant was taken"]
    by_file = {file: Counter(what for mutant, what in taken.items() if mutant.file == file) for file in files}
    return {
        "passed": not complaints,
        "mutants": len(found),
        "taken": len(taken),
        "survivors": sum(what == SURVIVES for what in taken.values()),
        "complaints": complaints,
        "files": {
            file: {"mutants": sum(mutant.file == file for mutant in found), **dict(counts.most_common())}
            for file, counts in by_file.items()
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--file", choices=FILES, action="append", help="default: all")
    parser.add_argument("--listed", action="store_true", help="only those that equivalent.toml lists")
    parser.add_argument("--jobs", type=int, help="default: one a core")
    parser.add_argument("--seconds", type=float, help="begin none after so long, default: take all")
    options = parser.parse_args()
    made = record(options.file or FILES, listed=options.listed, jobs=options.jobs, seconds=options.seconds)
    print(*made["complaints"], sep="\n")
    options.record.write_text(json.dumps(made, indent=1) + "\n")
    sys.exit(not made["passed"])


if __name__ == "__main__":
    main()
