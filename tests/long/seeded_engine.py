"""The part `seeded_engine` of .ci/long: each mistake that is made in the engine is found by the one it names.

    python tests/long/seeded_engine.py --record FILE [--name "a lost NaN"]

The mistakes stand in tests/native/engine_mistakes.py. The suite takes one of each finder.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "native"))

from engine_mistakes import MISTAKES
from engine_seeded import Programs, noticed


def wrong_with(mistake, programs, as_it_is):
    """Return what is wrong: that it is not found, cannot be made, or does not end; None if it is found."""
    try:
        found, _ = noticed(mistake, programs, as_it_is)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return f"{mistake.name}: {error}"
    return None if found else f"{mistake.name} in {mistake.file}: not found by {mistake.found_by}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--name", action="append", choices=[mistake.name for mistake in MISTAKES])
    given = parser.parse_args()
    taken = [mistake for mistake in MISTAKES if not given.name or mistake.name in given.name]
    complaints = []
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(Path(folder))
        as_it_is = programs.as_it_is()
        for mistake in taken:
            wrong = wrong_with(mistake, programs, as_it_is)
            print(wrong or f"{mistake.name}: found by {mistake.found_by}", flush=True)
            complaints += [wrong] if wrong else []
    made = {"passed": not complaints, "mistakes": len(taken), "complaints": complaints}
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
