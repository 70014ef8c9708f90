"""Verify the kernels on this machine's GPU, in under five minutes; write benchmarks/results/hardware/*.json.

    python tests/cuda/record_hardware.py

Needs a checkout, NumPy, CuPy, pytest and the libraries of fuseprop itself; no network. fuseprop need not be
installed: the code is the checkout's in any case.
"""

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
CODE = [str(ROOT / "src"), str(ROOT / "backends"), str(ROOT / "tests" / "cuda")]
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
ERRORS_FOUND = 86
FOUND = "errors"
WORKS = "work"
SECONDS = {"tests": 150, "tool": 30}
"""At most; with the errors of the kernels all of it stays under five minutes."""


def environment(folder):
    """Return an environment in which processes import this checkout, and find its backends."""
    paths = list(CODE)
    if not any(point.name == "cupy" for point in entry_points(group="fuseprop.backends")):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        metadata = folder / f"fuseprop-{project['version']}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: fuseprop\nVersion: {project['version']}\n")
        lines = []
        for group, points in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
        paths.append(str(folder))
    paths += [path for path in [os.environ.get("PYTHONPATH")] if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def run_tests(folder, env, arguments):
    """Run pytest; return how many tests passed, failed and were skipped, and which failed."""
    report = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS["tests"],
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"not finished after {SECONDS['tests']} s"}
    if not report.exists():
        return {"problem": f"pytest wrote no report: {(done.stdout + done.stderr)[-2000:]}"}
    cases = ElementTree.parse(report).getroot().iter("testcase")
    counts, failed = {"passed": 0, "failed": 0, "skipped": 0}, []
    for case in cases:
        kinds = {child.tag for child in case}
        kind = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        counts[kind] += 1
        if kind == "failed":
            failed.append(f"{case.get('classname')}::{case.get('name')}")
    return {**counts, "failures": failed, "exit": done.returncode}


def sanitize(tool, env, program):
    """Return the verdict of one tool of compute-sanitizer: "clean", "absent", or what it says.

    Without a summary it did not watch: some virtual machines do not let it.
    """
    if shutil.which("compute-sanitizer", path=env.get("PATH")) is None:
        return "absent"
    command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", str(ERRORS_FOUND)]
    try:
        done = subprocess.run(
            [*command, sys.executable, str(program)],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS["tool"],
        )
    except subprocess.TimeoutExpired:
        return f"did not run: not finished after {SECONDS['tool']} s"
    if done.returncode == 0 and re.search(r"SUMMARY: 0 (errors|hazards)", done.stdout):
        return "clean"
    kind = FOUND if "SUMMARY:" in done.stdout else "did not run"
    return f"{kind}: exit {done.returncode}: {(done.stdout + done.stderr).strip()[-2000:]}"


def gpu_facts():
    """Return what the record says of the machine; raises where there is no GPU."""
    import cupy
    import numpy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
    driver = (
        subprocess.run(query, capture_output=True, text=True, check=False) if shutil.which(query[0]) else None
    )
    return {
        "gpu": properties["name"].decode(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "driver": driver.stdout.strip() if driver and driver.returncode == 0 else "nvidia-smi does not say",
        "driver_cuda": runtime.driverGetVersion(),
        "runtime_cuda": runtime.runtimeGetVersion(),
        "cupy": cupy.__version__,
        "numpy": numpy.__version__,
        "python": sys.version.split()[0],
    }


def commit():
    """Return the commit, and whether files differ from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown: not a git checkout"}
    return {"commit": head.stdout.strip(), "changed_files": changes.stdout.splitlines()}


def capture(backend):
    """Return WORKS, or why steps cannot be captured here."""
    from fuseprop_cupy.diagnosis import captured_steps

    try:
        return captured_steps(backend)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def make_record(facts, backends, tests, verdicts):
    """Put a record together; `backends` are one for each dtype, `tests` and `verdicts` what was found."""
    from kernel_errors import kernel_errors
    from verification import source_hashes

    captures = {backend.dtype.name: capture(backend) for backend in backends}
    passed = (
        tests.get("exit") == 0
        and tests["passed"] > 0
        and set(captures.values()) <= {WORKS}
        and not any(verdict.startswith(FOUND) for verdict in verdicts.values())
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "verdict": "passed" if passed else "failed",
        **facts,
        **commit(),
        "sources": source_hashes(),
        "tests": tests,
        "compute_sanitizer": verdicts,
        "captured_steps": captures,
        "errors": {backend.dtype.name: kernel_errors(backend) for backend in backends},
    }


def write(record, folder):
    """Write a record under the name of its date and GPU; return the path."""
    gpu = re.sub(r"\W+", "-", record["gpu"]).strip("-").lower()
    path = folder / f"hardware-{record['date'][:10]}-{gpu}-{record['date'][11:19].replace(':', '')}.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")
    return path


def main():
    """Record this machine; the exit status is 1 where something failed, 3 where there is no GPU."""
    sys.path[:0] = CODE
    from fuseprop_cupy import CupyBackend
    from verification import RESULTS

    from fuseprop import BackendUnavailable

    try:
        backends = [CupyBackend(dtype) for dtype in ("float32", "float64")]
    except BackendUnavailable as error:
        print(f"Nothing was recorded: {error}", file=sys.stderr)
        sys.exit(3)
    with tempfile.TemporaryDirectory() as name:
        env = environment(Path(name))
        tests = run_tests(Path(name), env, ["-m", "gpu", "--backends=cupy", "tests"])
        verdicts = {tool: sanitize(tool, env, Path(__file__).with_name("train_tiny.py")) for tool in TOOLS}
        record = make_record(gpu_facts(), backends, tests, verdicts)
    print(f"{record['verdict']}: {write(record, RESULTS)}")
    sys.exit(record["verdict"] != "passed")


if __name__ == "__main__":
    main()
