"""Learn in eight minutes what a GPU that nobody has seen yet makes of this code, and what to look at first.

``python -m benchmarks.first_contact`` runs all that was prepared for a GPU, from this checkout, without a
network: each part in a time of its own, after which it is ended with all that it started. What it found until
then is kept, and the others go on. A folder under results/first_contact/ holds ``page.md``, one page that
says what to look at first; ``contact.json``, all of it; and what each part said. Both are written after each
part. Ends with 0 where all is well, with 3 where there is no GPU, and else with 1.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from . import timed
from .checkout import CODE, ROOT, compute_sanitizer, environment

sys.path[:0] = CODE

from fuseprop.benchmarks.shortening import shortened  # noqa: E402
from fuseprop.storage.atomic import write_atomically  # noqa: E402 (which need not be installed: found by the line above)

from .first_page import FAILURE, look, page  # noqa: E402
from .interruptions import as_interruptions  # noqa: E402
from .outlets import ready, say  # noqa: E402

RESULTS = Path(__file__).parent / "results"
FUSEPROP = ("-c", "from fuseprop.cli import main; main()")
TRAIN = (*FUSEPROP, "train", "digits", "--json", "--quiet", "--device")
COMPARED = ("64-64-10-b128", "784-128-10-b128", "784-512-512-10-b1024")
"""The networks of the comparison: small, of a few microseconds, and wide."""

DONE, ENDED, FAILED, NO_GPU, NOT_RUN = "done", "ended", "failed", "no GPU", "not run"


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes
    ----------
    name : str
        What it is called, as its files are.
    seconds : float
        After which it is ended.
    words : tuple of str
        What Python is called with; {folder} and {results} are put in.
    full : tuple of str
        The same with no time to keep to.
    found : str
        A pattern of the files that it leaves in the folder, or else among the results; "out" is its output.
    no_gpu : tuple of (int, str)
        The exit status and the words by which it says that there is no GPU.
    needs : str
        A module without which it cannot run.
    """

    name: str
    seconds: float
    words: tuple[str, ...]
    full: tuple[str, ...]
    found: str
    no_gpu: tuple[int, str] = (2, "cannot be p")
    needs: str = ""


_DOCTOR = (*FUSEPROP, "doctor", "--json")
_RECORD = ("tests/cuda/record_hardware.py", "--output", "{results}/hardware", "--seconds")
_PROBE = ("-m", "benchmarks.probe_gpu", "--output", "{folder}/probe")
_PROFILE = ("-m", "benchmarks.profile_step", "--output", "{folder}/profile")
_COMPARE = ("-m", "benchmarks.compare", "--device", "cuda", "--output", "{folder}/comparison")
_THREE = tuple(word for network in COMPARED for word in ("--network", network))

PARTS = (
    Part("doctor", 20, _DOCTOR, _DOCTOR, "out", (1, "")),
    Part("record", 184, (*_RECORD, "180"), (*_RECORD, "3600"), "hardware/*.json", (3, "Nothing was rec")),
    Part("probe", 60, _PROBE, _PROBE, "probe/*.json"),
    Part("profile", 30, _PROFILE, _PROFILE, "profile/*.json"),
    Part("train-cuda", 15, (*TRAIN, "cuda"), (*TRAIN, "cuda"), "out", (3, ""), "sklearn"),
    Part("train-cpu", 15, (*TRAIN, "cpu"), (*TRAIN, "cpu"), "out", (3, ""), "sklearn"),
    Part(
        "comparison",
        133,
        (*_COMPARE, "--minutes", "2", *_THREE),
        _COMPARE,
        "comparison/**/*.json",
        (2, "--device cuda:"),
    ),
)
"""All parts in their order. Their seconds, and the grace in which each is ended, are eight minutes."""


def chosen(names: Sequence[str], record_seconds: float, processes: int) -> list[Part]:
    """Return the parts of these names, or all, in order; the record has these seconds and processes."""
    words = (*_RECORD, f"{record_seconds:g}", "--processes", str(processes))
    full = (*_RECORD, "3600", "--processes", str(processes))
    return [
        replace(part, seconds=record_seconds + 4, words=words, full=full) if part.name == "record" else part
        for part in PARTS
        if not names or part.name in names
    ]


OPTIONAL = {
    "pytest": "the tests of the record, and its errors of kernels",
    "sklearn": "digits to train on, the record's tests that do, or compare with it; a peer of the comparison",
    "hypothesis": "the record's tests of gradients",
    "pandas": "the record's tests of values that are no numbers",
    "nvmath": "captured steps, without which no record passes",
    "torch": "a peer of the comparison, and the products of its floor in a graph",
    "jax": "a peer of the comparison",
    "keras": "a peer of the comparison",
    "thinc": "a peer of the comparison",
    "matplotlib": "pictures, which no part draws",
    "pytest_benchmark": "the suite `pytest benchmarks`, which no part runs",
}
"""Modules that may be missing, and what is missed then."""


def absent() -> dict[str, str]:
    """Return what is not there, and what it would have told."""
    found = {name: what for name, what in OPTIONAL.items() if find_spec(name) is None}
    if compute_sanitizer() is None:
        found["compute-sanitizer"] = "accesses outside arrays, races and uninitialized reads in the record"
    return found


def run_part(
    part: Part, folder: Path, results: Path, env: dict[str, str], no_gpu: str, *, full: bool
) -> dict[str, Any]:
    """Run one part; return how it ended, what it said last and what it found.

    Where it is known already that there is no GPU, `no_gpu` says why, and it does not run.
    """
    limit = math.inf if full else part.seconds
    told: dict[str, Any] = {"name": part.name, "budget": None if full else part.seconds, "seconds": 0.0}
    told |= {"status": None, "left": [], "found": [], "log": f"{part.name}.log"}
    if no_gpu:
        return {**told, "state": NO_GPU, "said": no_gpu}
    if part.needs and find_spec(part.needs) is None:
        return {**told, "state": NOT_RUN, "said": f"{part.needs} is not there."}
    out, log = folder / f"{part.name}.out", folder / f"{part.name}.log"
    words = [
        word.replace("{folder}", str(folder)).replace("{results}", str(results))
        for word in (part.full if full else part.words)
    ]
    before, start = _files(part, folder, results), time.monotonic()
    try:
        ended = timed.run([sys.executable, "-u", *words], limit, log, out=out, env=env, cwd=ROOT)
    except KeyboardInterrupt:
        ended = timed.Ended(None, time.monotonic() - start)
        told["interrupted"] = True
    text = log.read_text(errors="replace").strip()
    told |= {"seconds": round(ended.seconds, 1), "status": ended.status, "left": list(ended.left)}
    told["said"] = _last_line(text)
    told["warned"] = sorted(set(re.findall(r"\w*Warning: .*", text)))
    for path in [out] if part.found == "out" else sorted(_files(part, folder, results) - before):
        try:
            told["found"].append(json.loads(path.read_text()))
        except ValueError:
            continue  # it was ended before there was anything
    told["state"] = _state(part, ended, text, told["found"])
    if part.name == "doctor" and told["state"] == NO_GPU:
        told["said"] = _backend(told["found"][0])["found"] if told["found"] else told["said"]
    return told


def _files(part: Part, folder: Path, results: Path) -> set[Path]:
    where = results if part.name == "record" else folder
    return set() if part.found == "out" else {path for path in where.glob(part.found) if path.is_file()}


def _state(part: Part, ended: timed.Ended, text: str, found: list[Any]) -> str:
    if ended.overran:
        return ENDED
    if part.name == "doctor" and found:
        gpu = _backend(found[0])
        # One that fails or computes wrong is there, and what it does to the other parts is worth knowing.
        there = gpu["ok"] or gpu["found"].startswith(("fails", "computes wrong"))
        return DONE if there else NO_GPU
    status, words = part.no_gpu
    if ended.status == status and words in text:
        return NO_GPU
    if part.name == "record" and ended.status == 1 and found and "Traceback" not in text:
        return DONE  # it has not passed, and says why itself
    return DONE if ended.status == 0 else FAILED


def _backend(report: dict[str, Any]) -> dict[str, Any]:
    """Return what doctor says of the backend on a GPU."""
    missing = {"ok": False, "found": "no backend for a GPU is installed."}
    return next((one for one in report["backends"] if one["what"] == "cupy"), missing)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return shortened(lines[-1].strip(), 300) if lines else ""


def make_contact(
    folder: Path, results: Path, *, full: bool = False, parts: Sequence[Part] = PARTS
) -> dict[str, Any]:
    """Run the parts, and write page and contact after each; an interruption ends it with the part."""
    contact: dict[str, Any] = {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "full": full,
        "absent": absent(),
        "parts": [],
    }
    no_gpu = ""
    with tempfile.TemporaryDirectory() as name:
        env = environment(Path(name))
        for part in parts:
            budget = "as long as it takes" if full else f"{part.seconds:g} s at most"
            say(f"{part.name}: {budget}")
            told = run_part(part, folder, results, env, no_gpu, full=full)
            if part.name == "doctor" and told["state"] == NO_GPU:
                no_gpu = told["said"]
            contact["parts"].append(told)
            _write(contact, folder)
            if told.get("interrupted"):
                break
            say(f"{part.name}: {told['state']} after {told['seconds']:.0f} s")
    return contact


def _write(contact: dict[str, Any], folder: Path) -> None:
    contact["look"] = look(contact)
    write_atomically(folder / "contact.json", (json.dumps(contact, indent=1) + "\n").encode())
    write_atomically(folder / "page.md", page(contact).encode())


def exit_status(contact: dict[str, Any]) -> int:
    """Return 0 where all is done, nothing failed and the record has passed, 3 without a GPU, else 1."""
    states = [part["state"] for part in contact["parts"]]
    if NO_GPU in states and DONE not in states:
        return 3
    failed = any(one["rank"] == FAILURE for one in contact["look"])
    records = [found for part in contact["parts"] if part["name"] == "record" for found in part["found"]]
    passed = all(record["verdict"] == "passed" for record in records)
    return int(failed or not passed or any(state != DONE for state in states))


@click.command(help=__doc__)
@click.option("--full", is_flag=True, help="Give every part the time that it takes.")
@click.option(
    "--part",
    "names",
    multiple=True,
    type=click.Choice([part.name for part in PARTS]),
    help="Only some, in the order of all.",
)
@click.option(
    "--record-seconds", type=click.FloatRange(10), default=180, show_default=True, help="For the record."
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="That share the record's tests, its other parts beside them: for a machine of more cores.",
)
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    help="Where the record goes, under hardware/, and the folder of this, under first_contact/.",
)
def main(full: bool, names: tuple[str, ...], record_seconds: float, processes: int, results: Path) -> None:
    """Parse the command line."""
    results = results.absolute()
    folder = results / "first_contact" / f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}"
    ready(folder, "--results")
    with as_interruptions():
        parts = chosen(names, record_seconds, processes)
        contact = make_contact(folder, results, full=full, parts=parts)
    say(page(contact), err=False)
    say(f"{folder / 'page.md'}")
    sys.exit(exit_status(contact))


if __name__ == "__main__":
    main()
