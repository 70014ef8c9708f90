"""The part `exchange` of .ci/long: networks to PyTorch and from there, with PyTorch installed for it.

    python tests/long/exchange.py --record FILE

PyTorch is some gigabytes, which the suite does not ask for: where it is not installed, it goes into a folder
of its own, which is removed at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
TESTS = "tests/exchange"


def run(report, folder):
    """Run the tests with what is in a folder too; return pytest's exit status."""
    path = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", TESTS]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if find_spec("torch") is None:
            install = [sys.executable, "-m", "pip", "install", "-q", "--target", folder, "torch>=2.6"]
            subprocess.run(install, check=True)
        report = Path(folder) / "report.xml"
        status = run(report, folder)
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
    of_torch = sum("test_torch_network" in (case.get("classname") or "") for case in cases)
    passed = status == 0 and of_torch > 0 and not skipped
    record = {
        "passed": passed,
        "exit": status,
        "cases": len(cases),
        "of PyTorch": of_torch,
        "skipped": skipped,
    }
    given.record.write_text(json.dumps(record, indent=1) + "\n")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
