"""Verify the kernels on this machine's GPU within a time; write benchmarks/results/hardware/*.json.

    python tests/cuda/record_hardware.py [--seconds 600] [--processes 1] [--output FOLDER]

Needs a checkout, NumPy, CuPy, nvmath-python for steps that are captured, pytest and the libraries of fuseprop
itself; no network. fuseprop need not be installed: the code is the checkout's in any case.

The record is written after each part, so that whatever ends it leaves what was found until then. What did not
fit is recorded as not run. Everything that was said stands in a folder of the record's name beside it.

With ``--processes N`` that many share the tests, and the other parts run beside them, each in all of the
time, on a machine of some more cores.

Where git cannot say which commit it is, as in a copy of a checkout, the environment variable FUSEPROP_COMMIT
names it.
"""

import argparse
import datetime
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("", "src", "backends")]

from fuseprop_cupy import CupyBackend  # noqa: E402 (found by the line above)
from fuseprop_cupy.device.kernel_list import source_hashes  # noqa: E402
from judging import judged  # noqa: E402
from left_behind import DEAD, hung_in, lines_of  # noqa: E402
from sanitizer import LIBRARY, verdict  # noqa: E402
from verification import FAILED, PASSED, RESULTS  # noqa: E402

from benchmarks.checkout import compute_sanitizer, environment  # noqa: E402
from benchmarks.timed import GRACE, Ended, marked, run  # noqa: E402
from fuseprop import BackendUnavailable  # noqa: E402
from fuseprop.storage.atomic import write_atomically  # noqa: E402

SECONDS = 600.0
TOOLS = ("memcheck", "initcheck", "racecheck", "synccheck")
SHARES = {"errors": 15, "tests": 45, "memcheck": 15, "initcheck": 9, "racecheck": 8, "synccheck": 8}
"""The parts in their order, and their parts of the time in percent. What one leaves, those after it share.

The first compiles the kernels, which CuPy keeps on disk for the others, and runs every kernel once. Memcheck
has more than the other tools because it says most; initcheck comes next, since no machine without a GPU has
its like for cuBLAS's inputs.
"""

RESERVE = GRACE + 2.0
"""Seconds that are kept: to end the last part, and to write."""

ERRORS_FOUND = 86
PRINTED = 1000
"""Findings of a tool that are printed: cuBLAS alone can make more than the hundred that are by default."""

NEED_PYTEST = ("errors", "tests")

SELECTED = ("-m", "gpu", "--backends=cupy", "--cases=all")
STAGES = (
    ("tests/cuda/test_every_kernel.py", "tests/cuda/test_modes.py", "tests/core/test_contract.py"),
    ("tests",),
)
"""What is collected and run, one after the other: the files that matter, in which no time goes to the imports
of all others, and then everything, of which the plugin runs what has not run yet."""

TOLD = 30
"""Failures whose text stands in the record; the lines beside it have all."""

COMMIT = "FUSEPROP_COMMIT"
"""The environment variable that names the commit where git does not."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

FINISHED = (0, 1, 5)
"""How pytest ends that ran all it had: nothing failed, something did, there was nothing left."""


class Time:
    """What is left of the time for the record; nothing once the record itself is asked to end."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds
        self.stopped = False
        self.left_running = []

    @property
    def left(self):
        """Seconds."""
        return 0.0 if self.stopped else max(0.0, self._end - time.monotonic())

    def part(self, share):
        """Return the time of a part, which has this share of what is left."""
        return Part(self, share * self.left)


class Part(Time):
    """The time of one part, which ends with the whole."""

    def __init__(self, whole, seconds):
        super().__init__(seconds)
        self._whole, self._start = whole, time.monotonic()

    @property
    def taken(self):
        """Seconds until now."""
        return round(time.monotonic() - self._start, 1)

    def run(self, command, log, **options):
        """Run a command in what is left; a signal to end the record ends its time too."""
        try:
            ended = run(command, self.left, log, **options)
        except KeyboardInterrupt:
            self.stopped = self._whole.stopped = True
            return Ended(None, self.taken)
        self._whole.left_running += ended.left
        return Ended(None, ended.seconds, ended.left) if self._whole.stopped else ended


@dataclass
class Share:
    """What one process after the other found of its share of the tests."""

    lines: list
    crashed: dict
    processes: int
    exit: int | None
    not_collected: list
    problems: list


def run_tests(folder, env, part, stages, arguments=SELECTED, processes=1):
    """Run pytest on one list of files after the other; return what became of each test that was collected.

    Each of several processes runs a share of the tests, with one thread for the host's arithmetic. Where a
    test takes its process or the device with it, another process runs those that are left of the share.
    """
    if processes == 1:
        shares = [run_share(folder / "tests", env, part, stages, arguments)]
    else:
        env = {**env, **dict.fromkeys(THREADS, "1")}

        def run_number(i):
            words = (*arguments, f"--share={i}/{processes}")
            return run_share(folder / f"tests-{i}", env, part, stages, words)

        with ThreadPoolExecutor(processes) as pool:
            shares = list(pool.map(run_number, range(processes)))
    exits = [share.exit for share in shares]
    found = {
        "seconds": part.taken,
        "processes": sum(share.processes for share in shares),
        "exit": next((status for status in exits if status != 0), 0),
        "not_collected_in_time": list(
            dict.fromkeys(file for share in shares for file in share.not_collected)
        ),
    }
    found |= tests_of(
        [line for share in shares for line in share.lines],
        {test: why for share in shares for test, why in share.crashed.items()},
    )
    problems = [problem for share in shares for problem in share.problems]
    if problems:
        found["problem"] = problems[0]
    return found


def run_share(name, env, part, stages, arguments):
    """Run pytest on the stages, as often as it takes; what it finds and says goes to files of this name."""
    results, log = name.with_suffix(".jsonl"), name.with_suffix(".log")
    command = [sys.executable, "-u", "-m", "pytest", "-v", "--tb=short", "-p", "no:cacheprovider"]
    command += ["-p", "hardware_plugin", f"--results={results}", "--continue-on-collection-errors"]
    crashed, processes, waiting, problems = {}, 0, list(stages), []
    while waiting:
        before = lines_of(results)
        ended = part.run([*command, *arguments, *waiting[0]], log, env=env, cwd=ROOT)
        processes += 1
        lines = lines_of(results)
        here = lines[len(before) :]
        new = [] if ended.overran else _unfinished(here)
        if new:
            where = hung_in(results).read_text()[:2000]
            crashed |= dict.fromkeys(new, f"pytest ended in it with {ended.status}. {where}")
        elif ended.status not in (None, DEAD, *FINISHED):
            problems.append(f"pytest ended with {ended.status}: {_tail(log)}")
        collected = any("collected" in line for line in here)
        again = bool(new) or (ended.status == DEAD and bool(_began(here)))
        if collected and not again:
            waiting.pop(0)
        if ended.overran or not collected:
            break
    if not any("collected" in line for line in lines):
        problems.append(f"pytest collected nothing: {_tail(log)}")
    not_collected = [file for stage in waiting for file in stage]
    return Share(lines, crashed, processes, ended.status, not_collected, problems)


def _began(lines):
    return [line["began"] for line in lines if "began" in line]


def _unfinished(lines):
    done = {line["test"] for line in lines if "outcome" in line}
    return [test for test in _began(lines) if test not in done]


def tests_of(lines, crashed):
    """Return what the lines of `hardware_plugin` amount to; `crashed` are tests that ended their process.

    What any process has collected counts, for a later one may find less: a file that the first one imported
    may not be importable any more. `kernels` has the tests that passed and failed of those that launched a
    kernel, by its name.
    """
    told = [line for line in lines if "collected" in line]
    if not told:
        return {}
    collected = Counter()
    for line in told:
        collected |= line["collected"]  # as many of each file as any process found
    not_collected = {file: why for line in told for file, why in line["not_collected"].items()}
    ends = {line["test"]: line for line in lines if "outcome" in line}
    ends |= {test: {"outcome": FAILED, "text": why} for test, why in crashed.items()}
    counts = Counter(end["outcome"] for end in ends.values())
    failed = {test: end for test, end in ends.items() if end["outcome"] == FAILED}
    launched = {}
    for line in lines:
        if "launched" in line:
            launched.setdefault(line["test"], []).append(line["launched"])
    kernels = {}
    for test, names in launched.items():
        outcome = ends.get(test, {}).get("outcome")
        for name in names:
            found = kernels.setdefault(name, {"passed": 0, "failures": []})
            found["passed"] += outcome == PASSED
            if outcome == FAILED:
                found["failures"].append(test)
    left = collected.copy()
    left.subtract(test.partition("::")[0] for test in ends)
    return {
        "collected": collected.total(),
        **{kind: counts[kind] for kind in ("passed", "failed", "skipped")},
        "not_run": {file: number for file, number in left.items() if number > 0},
        "telling_not_run": list(
            dict.fromkeys(test for line in told for test in line["telling"] if test not in ends)
        ),
        "missing": [name for name in told[-1]["missing"] if all(name in line["missing"] for line in told)],
        "not_collected": {file: why for file, why in not_collected.items() if file not in collected},
        "interrupted": [test for test in _unfinished(lines) if test not in crashed],
        "skips": dict(Counter(end["text"] for end in ends.values() if end["outcome"] == "skipped")),
        "devices_lost": [line["device"] for line in lines if "device" in line],
        "failures": [
            {"test": test, "text": end["text"] if i < TOLD else "", "launched": launched.get(test, [])}
            for i, (test, end) in enumerate(failed.items())
        ],
        "kernels": kernels,
    }


def measure_errors(folder, env, part):
    """Return the errors of the kernels and whether steps are captured, by dtype, as far as was measured."""
    path, log = folder / "errors.jsonl", folder / "errors.log"
    program = Path(__file__).with_name("kernel_errors.py")
    ended = part.run([sys.executable, "-u", program, path], log, env=env)
    found = {"captured": {}, "errors": {}, "done": [], "seconds": part.taken, "exit": ended.status}
    for line in lines_of(path):
        dtype = line["dtype"]
        if "captured" in line:
            found["captured"][dtype] = {"works": line["captured"], "said": line["said"]}
        else:
            found["errors"][dtype] = line["errors"]
            found["done"] += [dtype] * line["done"]
    if ended.status:
        found["problem"] = f"ended with {ended.status}: {_tail(log)}"
    return found


def sanitize(tool, folder, env, program, part):
    """Return what a tool of compute-sanitizer found in a program: see `sanitizer.verdict`.

    Where cuBLAS alone has filled what is printed, its kernels are left out and the program is watched again.
    """
    found = compute_sanitizer(env.get("PATH"))
    if found is None:
        return {"verdict": "absent"}
    command = [found, "--tool", tool, "--error-exitcode", str(ERRORS_FOUND), "--print-limit", str(PRINTED)]
    excluded, apart = [], Counter()
    while True:
        log = folder / f"{tool}{'-again' if excluded else ''}.log"
        ended = part.run([*command, *excluded, sys.executable, "-u", program], log, env=env)
        text, lines = log.read_text(errors="replace"), lines_of(log)
        said = verdict(
            tool,
            text,
            status=ended.status,
            seconds=part.taken,
            watched=next((line["launched"] for line in reversed(lines) if "launched" in line), []),
            done=any("trained" in line for line in lines),
        )
        said[LIBRARY] = dict(Counter(said[LIBRARY]) + apart)
        if excluded or said["verdict"] != "undecided" or not said[LIBRARY]:
            return said
        apart = Counter(said[LIBRARY])
        names = {re.sub(r"<.*", "", where).split("::")[-1].split()[-1] for where in apart}
        excluded = ["--kernel-name-exclude", ",".join(f"kns={name}" for name in sorted(names))]


def _tail(log):
    return log.read_text(errors="replace").strip()[-2000:] if log.exists() else ""


def gpu_facts():
    """Return what the record says of the machine; raises where there is no GPU."""
    import cupy
    import numpy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
    driver = (
        subprocess.run(query, capture_output=True, text=True, check=False, timeout=10)
        if shutil.which(query[0])
        else None
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
    """Return the commit, and whether files differ from it.

    What the environment says of a copied checkout counts: the history that came with it may be older.
    """
    if told := os.environ.get(COMMIT):
        return {"commit": told, "commit_from": COMMIT}
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown: not a git checkout"}
    return {"commit": head.stdout.strip(), "changed_files": changes.stdout.splitlines()}


def make_record(facts, path, seconds, processes=1):
    """Run all parts in so many seconds, and write the record to `path` after each; return it as it ended.

    More processes than one share the tests, and all parts run at once. An interruption ends what runs, whose
    findings are kept; the others are recorded as not run.
    """
    whole = Time(seconds - RESERVE)
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    parts = [part for part in SHARES if part not in TOOLS or compute_sanitizer()]
    record = {
        "format": 2,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        **facts,
        **commit(),
        "sources": source_hashes(),
        "compute_sanitizer": {tool: {"verdict": "absent"} for tool in TOOLS if tool not in parts},
        "unfinished": list(parts),
    }
    write(judged(record), path)
    with tempfile.TemporaryDirectory() as name:
        env = environment(Path(name))
        by_turns = _one_by_one if processes == 1 else _all_at_once
        for part, found in by_turns(parts, folder, env, whole, processes):
            (record["compute_sanitizer"] if part in TOOLS else record)[part] = found
            record["unfinished"].remove(part)
            record["left_running"] = whole.left_running
            write(judged(record), path)
    return judged(record)


def _one_by_one(parts, folder, env, whole, processes):
    """Yield each part and what it found. The time is divided among them."""
    for i, part in enumerate(parts):
        time_of_it = whole.part(SHARES[part] / sum(SHARES[other] for other in parts[i:]))
        if whole.stopped:
            break
        say(f"{part}: {time_of_it.left:.0f} s at most")
        yield part, measure(part, folder, env, time_of_it, processes)


def _all_at_once(parts, folder, env, whole, processes):
    """Yield each part and what it found, as each ends. Each has all of the time."""
    mark = f"FUSEPROP_RECORD_{uuid4().hex}"
    env = {**env, mark: "1"}
    say(f"{', '.join(parts)}: {whole.left:.0f} s at most")
    with ThreadPoolExecutor(len(parts)) as pool:
        left = {pool.submit(measure, part, folder, env, whole.part(1), processes): part for part in parts}
        while left:
            try:
                for done in as_completed(dict(left)):
                    yield left.pop(done), done.result()
            except KeyboardInterrupt:
                whole.stopped = True
                for pid in marked(mark):  # a command in another thread hears no signal
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)


def measure(part, folder, env, time_of_it, processes):
    """Return what one part finds in its time."""
    if part in NEED_PYTEST and find_spec("pytest") is None:
        return {"absent": "pytest is not installed."}
    if part == "errors":
        return measure_errors(folder, env, time_of_it)
    if part == "tests":
        return run_tests(folder, env, time_of_it, STAGES, processes=processes)
    return sanitize(part, folder, env, Path(__file__).with_name("train_tiny.py"), time_of_it)


def write(record, path):
    """Write a record, whole at any moment."""
    write_atomically(path, (json.dumps(record, indent=2) + "\n").encode())


def path_of(facts, folder):
    """Return where the record of a GPU goes that is made now."""
    gpu = re.sub(r"\W+", "-", facts["gpu"]).strip("-").lower()
    now = datetime.datetime.now(datetime.UTC)
    return folder / f"hardware-{now:%Y-%m-%d}-{gpu}-{now:%H%M%S}.json"


def say(what):
    """Report progress."""
    print(what, file=sys.stderr, flush=True)


def main(words=None):
    """Record this machine; the exit status is 0 only where it passed, and 3 where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="For all of it. [default: %(default)s]"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="A folder. [default: %(default)s]")
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        help="That share the tests, beside the rest. [default: %(default)s]",
    )
    given = parser.parse_args(words)
    if given.processes < 1:
        parser.error(f"--processes: expected a number from 1 on, got {given.processes}.")
    if not 2 * RESERVE <= given.seconds < math.inf:
        parser.error(f"--seconds: expected a number from {2 * RESERVE:g} on, got {given.seconds:g}.")
    try:
        CupyBackend("float32")
    except BackendUnavailable as error:
        say(f"Nothing was recorded: {error}")
        sys.exit(3)
    facts = gpu_facts()
    path = path_of(facts, given.output)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a record that is ended keeps what was found
    record = make_record(facts, path, given.seconds, given.processes)
    print(f"{record['verdict']}: {path}")
    for sentence in record["because"]:
        print(f"  {sentence}")
    sys.exit(record["verdict"] != PASSED)


if __name__ == "__main__":
    main()
