"""The part `faults` of .ci/long: each call of each scenario of tests/faults fails, in every way.

    python tests/long/faults.py --record FILE

The ordinary suite lets few of them fail, in one way each, with the same code.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

import shim
from faulty import Faulty, complaints
from scenarios import SCENARIOS


def record(faulty, scenarios, *, say=lambda text: print(text, flush=True)):
    """Let calls fail in every way; return what is to be recorded."""
    made, findings = {}, []
    for name in scenarios:
        found = faulty.run_all(name, thorough=True)
        undisturbed = found[None]
        findings += [f"{name}: {what}" for what in complaints(found)]
        ends = Counter(one.error or ("warned" if one.warned else "nothing told") for one in found.values())
        made[name] = {
            "calls": undisturbed.counts,
            "faults": len(found) - 1,
            "ends": dict(sorted(ends.items())),
            "states after a loss of power": undisturbed.states,
        }
        say(f"{name}: {made[name]}")
    for what in findings:
        say(what)
    return {"passed": not findings, "scenarios": made, "findings": findings}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Faulty(shim.build(folder)) as faulty:
        made = record(faulty, SCENARIOS)
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return 0 if made["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
