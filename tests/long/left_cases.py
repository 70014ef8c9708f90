"""The part `left_cases` of .ci/long: the cases of the suite's tests that landings leave out.

    python tests/long/left_cases.py --record FILE [tests/core ...]

Which these are, says tests/landing.py.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
OUTCOMES = ("failure", "error", "skipped")


def run(paths, report):
    """Run what is left of the tests at some paths; return pytest's exit status."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile", "--cases=left"]
    return subprocess.run([*command, f"--junitxml={report}", *paths], cwd=ROOT, check=False).returncode


def told(report):
    """Return how many cases each file has, how they ended, and which did not pass."""
    files, ends, complaints = Counter(), Counter(), []
    for case in ElementTree.parse(report).iter("testcase"):
        end = next((outcome for outcome in OUTCOMES if case.find(outcome) is not None), "passed")
        files[case.get("classname")] += 1
        ends[end] += 1
        if end in OUTCOMES[:2]:
            complaints.append(f"{case.get('classname')}: {case.get('name')}")
    counts = {"cases": sum(ends.values()), "ends": dict(ends), "files": dict(files.most_common())}
    return {**counts, "complaints": complaints}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("paths", nargs="*", default=["tests"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        status = run(given.paths, report)
        found = told(report) if report.exists() else {"cases": 0}
    made = {"passed": status == 0 and found["cases"] > 0, "exit": status, **found}
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return int(not made["passed"])


if __name__ == "__main__":
    sys.exit(main())
