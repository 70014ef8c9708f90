"""The same trainings in two checkouts, side by side: do they leave the same bits?

    python tests/long/same_bits.py --against COMMIT [--record FILE] [--only TEXT] [--exact]

runs what `tests/trainings.py` lists in the code of that commit and in that of the working tree, each in a
process of its own with one BLAS thread (or --threads). Weights, gradients and training losses must be equal
bit by bit, and so must the texts (warnings, errors, reasons, counts, the best epochs); validation losses,
scores and predictions must agree within |a - b| <= 1000 eps max(1, |old|), and with --exact bit by bit too.
--first is Python code that the new process executes first: what sets a size on which last digits depend, or
makes a mistake on purpose.

No number is kept: BLAS gives other bits on other machines. By default the commit is HEAD^, so that the part
of .ci/long compares with what stood before the last landing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trainings import read

from benchmarks.checkouts import side_by_side
from benchmarks.origin import VARIABLE

ROOT = Path(__file__).resolve().parents[2]

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

SHOWN = 40
"""How many differences are printed; the record has them all."""


def compare(old, new, *, exact=False):
    """Return what differs, each in words that begin with the training's title, and how much was compared."""
    counts, findings = Counter(), []
    for title in old.keys() | new.keys():
        if title not in new:
            findings.append(f"{title}: only the old checkout ran it")
            continue
        if title not in old:  # it trains with a formula that came later
            counts["trainings of the new alone"] += 1
            continue
        before, after = old[title], new[title]
        counts["trainings"] += 1
        for kind in ("exact", "close", "text"):
            found, count = _different(getattr(before, kind), getattr(after, kind), kind, before.dtype, exact)
            findings += [f"{title}: {what}" for what in found]
            counts += count
    return sorted(findings), counts


def _different(old, new, kind, dtype, exact):
    """Return what differs among the values of one kind, and how many of them are equal."""
    findings, counts = [], Counter()
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in old or name not in new:
            findings.append(f"{name} is only in the {'old' if name in old else 'new'}")
        elif kind == "text":
            counts["texts"] += 1
            if old[name] != new[name]:
                findings.append(f"{name} was {old[name]!r:.600} and is {new[name]!r:.600}")
        else:
            a, b = old[name], new[name]
            if a.shape != b.shape or a.dtype != b.dtype:
                findings.append(f"{name} was {a.dtype} {a.shape} and is {b.dtype} {b.shape}")
                continue
            same = a.tobytes() == b.tobytes()
            counts[f"{kind} arrays"] += 1
            counts[f"{kind} arrays with the same bits"] += same
            if not same and (kind == "exact" or exact or not _within(a, b, dtype)):
                findings.append(f"{name} {_furthest(a, b, dtype)}")
    return findings, counts


def _errors(a, b, dtype):
    """Return |a - b| in parts of the parity bound; 0 where both are the same infinity or no number."""
    bound = 1000 * np.finfo(dtype).eps * np.maximum(1, np.abs(a, dtype=np.float64))
    with np.errstate(invalid="ignore"):
        errors = np.abs(a.astype(np.float64) - b.astype(np.float64)) / bound
    errors = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, errors)
    return np.where(np.isnan(errors), np.inf, errors)


def _within(a, b, dtype):
    return bool((_errors(a, b, dtype) <= 1).all())


def _furthest(a, b, dtype):
    errors = np.atleast_1d(_errors(a, b, dtype))
    i = int(errors.argmax())
    return (
        f"differs in {np.count_nonzero(errors)} of {errors.size} numbers, the most in number {i}: it was "
        f"{np.ravel(a)[i]!r} and is {np.ravel(b)[i]!r}, {errors.ravel()[i]:.3g} of the parity bound"
    )


def left_by(checkouts, folder, *, threads, only, first, say):
    """Run the trainings of both checkouts beside each other, and return what they left."""
    running = []
    for name, checkout in checkouts.items():
        paths = [checkout.folder / "src", checkout.folder / "backends", ROOT]
        environment = {key: value for key, value in os.environ.items() if key != "FUSEPROP_DEVICE"}
        environment |= dict.fromkeys(THREADS, str(threads)) | {VARIABLE: str(checkout.folder)}
        environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
        file = folder / f"{name}.npz"
        command = [sys.executable, ROOT / "tests" / "trainings.py", file, "--only", only, "--name", name]
        command += ["--first", first] if name == "new" else []
        running.append((name, file, subprocess.Popen(command, env=environment, cwd=folder)))
    ended = {name: process.wait() for name, _, process in running}
    made = {}
    for name, file, _ in running:
        if ended[name]:
            say(f"the {name} checkout ended with {ended[name]}")
            return None
        made[name] = read(file)
    return made


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", default="HEAD^", metavar="COMMIT", help="the old one [HEAD^]")
    parser.add_argument("--record", type=Path, help="the JSON file for what was found")
    parser.add_argument("--only", default="", metavar="TEXT", help="trainings with this text in their titles")
    parser.add_argument("--threads", type=int, default=1, help="of BLAS, in each process [1]")
    parser.add_argument("--exact", action="store_true", help="all numbers must have the same bits")
    parser.add_argument("--first", default="", metavar="CODE", help="what the new process executes first")
    given = parser.parse_args()

    def say(text):
        print(text, flush=True)

    with side_by_side(given.against, ROOT) as (old, new), tempfile.TemporaryDirectory() as folder:
        say(f"old: {old.title}")
        say(f"new: {new.title}")
        made = left_by(
            {"old": old, "new": new},
            Path(folder),
            threads=given.threads,
            only=given.only,
            first=given.first,
            say=say,
        )
    about = {"old": old.commit, "new": new.commit, "changed": list(new.changed)}
    about |= {"threads": given.threads, "only": given.only, "exact": given.exact, "first": given.first}
    if made is None:
        record = {"passed": False, **about, "error": "a checkout did not run to its end"}
    else:
        findings, counts = compare(made["old"], made["new"], exact=given.exact)
        for finding in findings[:SHOWN]:
            say(finding)
        if len(findings) > SHOWN:
            say(f"and {len(findings) - SHOWN:,} more differences")
        say(", ".join(f"{count:,} {what}" for what, count in counts.items()))
        say(f"{len(findings):,} differences" if findings else "no difference")
        passed = not findings and counts["trainings"] > 0
        record = {"passed": passed, **about, "counts": dict(counts), "findings": findings}
    if given.record is not None:
        given.record.write_text(json.dumps(record, indent=1) + "\n")
    return 0 if record["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
