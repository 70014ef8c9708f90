"""Reads damaged files of a format in a process that is watched: each ends in one error, or in an answer.

    python tests/fuzzing/fuzzer.py model 1234        # makes case 1234 again, and says what becomes of it

A case is made from its number alone. Every fiftieth is a whole file, which must be read.
"""

import importlib
import json
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

FORMATS = ("model", "checkpoint", "npz", "csv", "gz", "jsonl", "parquet", "onnx")
LIMIT_SECONDS, START_SECONDS = 10, 300
LIMIT_BYTES = 100_000_000
"""What reading may take beside as much as the file has."""

ADDRESS_SPACE = 2 << 30
"""What a worker may ask for beside what it has: more than any file of ours is worth."""

WHOLE_EVERY = 50


@dataclass
class Outcome:
    """What became of some cases of a format."""

    format: str
    cases: int = 0
    ends: Counter = field(default_factory=Counter)
    findings: list[dict] = field(default_factory=list)
    peak_bytes: int = 0
    seconds: float = 0.0

    def as_dict(self):
        """For a record."""
        return {
            "cases": self.cases,
            **self.ends,
            "findings": self.findings,
            "peak_bytes": self.peak_bytes,
            "seconds": round(self.seconds, 1),
        }


def case(format_, number, seeds):
    """The bytes of a case, and whether they are a whole file."""
    cases = importlib.import_module(f"{format_}_cases")
    rng = random.Random(f"{format_} {number}")
    whole = rng.choice(seeds)
    return (whole, True) if number % WHOLE_EVERY == 0 else (cases.make(rng, whole), False)


def fuzz(format_, count, first=0, *, progress=lambda number: None):
    """Run cases `first` to `first + count`; start another worker where one is killed, dies or hangs."""
    outcome = Outcome(format_)
    started = time.monotonic()
    number, end = first, first + count
    while number < end:
        number = _watched(outcome, number, end, progress)
    outcome.seconds = time.monotonic() - started
    return outcome


def _watched(outcome, first, end, progress):
    """Run cases in one worker for as long as that lives; return the first that is left."""
    current, tail = first, b""
    command = [sys.executable, __file__, "--work", outcome.format, str(first), str(end)]
    with tempfile.TemporaryFile() as errors:
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        started = False
        while True:
            # The import of scikit-learn and the whole files at the start have their own limit, and so has
            # the end of a worker, which is no case.
            limit = LIMIT_SECONDS if started and current < end else START_SECONDS
            ready, _, _ = select.select([worker.stdout], [], [], limit)
            chunk = os.read(worker.stdout.fileno(), 1 << 16) if ready else b""
            if not chunk:
                break
            started = True
            *lines, tail = (tail + chunk).split(b"\n")
            for line in lines:
                told = json.loads(line)
                if isinstance(told, int):
                    current = told
                    progress(current)
                else:
                    outcome.cases += 1
                    outcome.ends[told["end"]] += 1
                    outcome.peak_bytes = max(outcome.peak_bytes, told["bytes"])
                    if "finding" in told:
                        outcome.findings.append({"case": current, "what": told["finding"]})
                    current += 1
        if not ready:
            worker.kill()
        worker.stdout.close()
        code = worker.wait()
        if ready and code == 0:
            return end
        errors.seek(0)
        last = errors.read()[-2000:].decode(errors="replace")
    what = f"exit code {code}: {last}" if ready else f"no end within {limit} s"
    outcome.cases += 1
    outcome.ends["died" if ready else "hung"] += 1
    outcome.findings.append({"case": current, "what": what})
    if not started:
        raise RuntimeError(f"the worker did not start: {what}")
    return current + 1


def _work(format_, first, end):
    """Be a worker: say each number, then what became of the case."""
    cases = importlib.import_module(f"{format_}_cases")
    seeds = cases.seeds()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{cases.SUFFIX}"
        for whole in seeds:  # what is loaded and allocated once
            path.write_bytes(whole)
            cases.check(path, whole, is_whole=True)
        before = _status("VmSize")
        resource.setrlimit(resource.RLIMIT_AS, (before + ADDRESS_SPACE, before + ADDRESS_SPACE))
        for number in range(first, end):
            print(number, flush=True)
            data, is_whole = case(format_, number, seeds)
            path.write_bytes(data)
            print(number, flush=True)  # what was made in time is read in time
            _forget_peak()
            resident = _status("VmRSS")
            told = _told(cases, path, data, is_whole)
            told["bytes"] = max(0, _status("VmHWM") - resident)
            if "finding" not in told and told["bytes"] > len(data) + LIMIT_BYTES:
                told["finding"] = f"{told['bytes']:,} bytes of memory for {len(data):,} bytes"
            print(json.dumps(told), flush=True)


def _told(cases, path, data, is_whole):
    """Read a case; return how it ended, with the finding where that is not as it should be."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cases.check(path, data, is_whole=is_whole)
    except cases.REFUSAL as error:
        message = str(error)
        wrong = [
            words
            for words, is_so in {
                "a whole file is refused": is_whole,
                "memory ran out": isinstance(error.__cause__, MemoryError),
                "the message cannot be printed": not message.isprintable(),
                "the message is long": len(message) > 2000,
                "the message does not name the file": path.name not in message,
                "the message is no sentence": not message.endswith((".", "?", '"', ")")),
            }.items()
            if is_so
        ]
        return {"end": "refused", **({"finding": f"{', '.join(wrong)}: {message[:500]}"} if wrong else {})}
    except BaseException:
        return {"end": "failed", "finding": traceback.format_exc()[-3000:]}
    return {"end": "read"}


def _status(key):
    """A number of bytes that Linux knows of this process."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{key}:")[1].split()[0]) * 1024


def _forget_peak():
    """Let the peak of memory begin at what is taken now."""
    Path("/proc/self/clear_refs").write_text("5")


def _again(format_, number):
    cases = importlib.import_module(f"{format_}_cases")
    data, is_whole = case(format_, number, cases.seeds())
    path = Path(tempfile.mkdtemp()) / f"case{cases.SUFFIX}"
    path.write_bytes(data)
    print(f"{path}: {len(data):,} bytes{', a whole file' if is_whole else ''}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cases.check(path, data, is_whole=is_whole)
    print("read")


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        _work(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        _again(sys.argv[1], int(sys.argv[2]))
