"""Run parts of the long tests, one after the other, and keep what each found: see `long`.

``python .ci/parts.py FOLDER PART ...`` runs tests/long/PART.py of this checkout, and writes FOLDER/PART.json:
what the part itself recorded, and with it the commit, date, machine and seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def main(folder: Path, names: list[str]) -> int:
    """Run the parts; return 1 where one did not pass."""
    sys.path.insert(0, str(ROOT))
    from fuseprop.benchmarks.machine import describe

    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    failed = []
    for name in dict.fromkeys(names):
        about = {
            "part": name,
            "commit": commit,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": describe(),
        }
        print(f"== {name}", flush=True)
        start = time.monotonic()
        found = run(name)
        seconds = time.monotonic() - start
        path = keep(folder / f"{name}.json", {**found, **about, "seconds": round(seconds, 1)})
        print(f"{name}: {'passed' if found['passed'] else 'failed'} in {seconds:.0f} s: {path}", flush=True)
        if not found["passed"]:
            failed.append(name)
    if failed:
        print(f"Not passed: {', '.join(failed)}.", file=sys.stderr)
    return int(bool(failed))


def run(name: str) -> dict[str, Any]:
    """Run one part; return its record, which says why where the part left none, or not a fitting one."""
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:  # goes with the clone, however this ends
        path = Path(folder) / f"{name}.json"
        command = [sys.executable, f"tests/long/{name}.py", "--record", str(path)]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        try:
            record = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            return {"passed": False, "error": f"it ended with {status} and left no record: {error}"}
    if not isinstance(record, dict) or not isinstance(record.get("passed"), bool):
        return {"passed": False, "error": 'its record is no object with "passed": true or false'}
    if record["passed"] != (status == 0):
        why = f'it recorded "passed" as {record["passed"]}, and ended with {status}'
        return {**record, "passed": False, "error": why}
    return record


def keep(path: Path, record: dict[str, Any]) -> Path:
    """Write a record whole, or leave the one before; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.new")
    written.write_text(json.dumps(record, indent=1) + "\n")
    return written.replace(path)


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
