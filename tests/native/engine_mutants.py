"""Change the engine one small thing at a time, and report which changes no check notices.

    python tests/native/engine_mutants.py [--file rows.hpp] [--listed] [--jobs 2] [--seconds 600]

A mutant meets the driver: its hashes, which are those of the engine as it is, and its comparison with plain
doubles. It is built for vectors of 128 bits and floats, which compiles soonest; if it survives that, under
AddressSanitizer and UBSan, for vectors of 256 and 512 bits, and under ThreadSanitizer. One that survives all
must stand in equivalent.toml with the reason why it does what the original does. The exit status is 1 if one
does not, or if an entry there names a mutant that is killed or no longer made. Where time does not suffice
for all, as many of each file are taken as fit, drawn by their hash.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine_programs import (
    DRIVER,
    FLOAT_ONLY,
    SMALL,
    UNITS,
    V3,
    Way,
    compiled,
    linked,
    merged,
    run,
    write_sources,
)

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "cuda"))

import mutations  # noqa: E402

# The file of each kind that is compiled for a change.
UNIT_OF = {
    **dict.fromkeys(
        (
            *("engine.hpp", "rows.hpp", "parameters.hpp", "products.hpp"),
            *("schedule.hpp", "dropout.hpp", "layout.hpp", "engine.cpp"),
            *("few.hpp", "inference.hpp"),
        ),
        "engine.cpp",
    ),
    **dict.fromkeys(("elementwise.cpp", "interpreter.hpp"), "elementwise.cpp"),
}
FILES = tuple(UNIT_OF)
ARGUMENTS = ("--dtype", "float")

NARROW = (V3, "-O1", "-DFUSEPROP_BITS=128")
WAYS = (
    Way("the driver", NARROW),
    Way("the address sanitizer", (*NARROW, "-fsanitize=address,undefined", "-fno-sanitize-recover=all")),
    Way("the driver with wider vectors", (V3, "-O1")),
    Way("the thread sanitizer", (*NARROW, "-fsanitize=thread")),
    Way("the driver with vectors in halves", (V3, "-O0", "-DFUSEPROP_BITS=512")),
)
SURVIVES, NOT_COMPILED = "survives", "does not compile"


def mutants(file, text):
    """Return all mutants of a file but for those of prefetches, on which no result depends."""
    return [m for m in mutations.mutants(file, text) if "__builtin_prefetch" not in m.key]


def drawn(made):
    """Return mutants in an order drawn by their hash, those of all files by turns."""
    by_file = {}
    for mutant in sorted(made, key=lambda m: hashlib.sha256(m.key.encode()).digest()):
        by_file.setdefault(mutant.file, []).append(mutant)
    turns = [(turn, file) for file, own in by_file.items() for turn in range(len(own))]
    return [by_file[file][turn] for turn, file in sorted(turns)]


class Examiner:
    """Builds mutants in a folder, beside what they have in common with the original."""

    def __init__(self, folder):
        self.folder = folder
        self.changes = merged(SMALL, FLOAT_ONLY)
        self.sources = write_sources(folder / "sources", self.changes)
        self.driver = compiled(DRIVER, self.sources, folder / "driver.o", WAYS[0])
        self.objects, self.expected = {}, {}
        for way in WAYS:
            for unit in UNITS:
                out = folder / f"{way.name}-{unit}.o".replace(" ", "-")
                self.objects[way, unit] = compiled(self.sources / unit, self.sources, out, way)
            program = linked(folder / "as-it-is", [self.driver, *(self.objects[way, u] for u in UNITS)], way)
            done = run(program, *ARGUMENTS)
            if done.returncode or done.stderr:
                raise RuntimeError(
                    f"{way.name} finds faults in the engine as it is: {done.stdout}{done.stderr}"
                )
            self.expected[way] = done.stdout

    def outcome(self, mutant):
        """Return what finds a mutant, or SURVIVES."""
        unit = UNIT_OF[mutant.file]
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            sources = Path(shutil.copytree(self.sources, folder / "sources"))
            (sources / mutant.file).write_text(mutant.text)
            for way in WAYS:
                try:
                    made = compiled(sources / unit, sources, folder / "changed.o", way)
                    others = [self.objects[way, other] for other in UNITS if other != unit]
                    program = linked(folder / "driver", [self.driver, made, *others], way)
                except AssertionError:
                    return NOT_COMPILED
                try:
                    done = run(program, *ARGUMENTS, timeout=60)
                except subprocess.TimeoutExpired:
                    return f"never ends in {way.name}"
                if done.returncode or done.stderr or done.stdout != self.expected[way]:
                    return f"killed by {way.name}"
        return SURVIVES


def examine(files=FILES, *, listed=False, jobs=None, seconds=None):
    """Make the mutants of these files and run all checks of each; return {mutant: outcome} and complaints.

    `listed` takes those alone that equivalent.toml lists. After `seconds` none is begun, and its outcome is
    None.
    """
    reasons = {
        (file, key): reason
        for file, entries in tomllib.loads((HERE / "equivalent.toml").read_text()).items()
        for key, reason in entries.items()
        if file in files
    }
    with tempfile.TemporaryDirectory() as folder:
        examiner = Examiner(Path(folder) / "mutants")
        made = drawn([m for file in files for m in mutants(file, (examiner.sources / file).read_text())])
        if listed:
            made = [m for m in made if (m.file, m.key) in reasons]
        end = float("inf") if seconds is None else time.monotonic() + seconds

        def outcome(mutant):
            return examiner.outcome(mutant) if time.monotonic() < end else None

        found = {}
        with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
            for mutant, what in zip(made, pool.map(outcome, made), strict=True):
                found[mutant] = what
                if what == SURVIVES and (mutant.file, mutant.key) not in reasons:
                    print(f"survives: {mutant.file}: {mutant.key}", file=sys.stderr)
                print(f"{len(found)} of {len(made)}", end="\r", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    by_key = {(m.file, m.key): what for m, what in found.items()}
    survivors = {key for key, what in by_key.items() if what == SURVIVES}
    stale = {key for key in reasons if by_key.get(key, "no longer made") not in (SURVIVES, None)}
    return found, [
        *(f"survives without a reason: {file}: {key}" for file, key in sorted(survivors - reasons.keys())),
        *(f"stale in equivalent.toml: {file}: {key}" for file, key in sorted(stale)),
    ]


def main():
    """Parse the command line, and exit with 1 if there are complaints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--file", choices=FILES, action="append", help="default: all")
    parser.add_argument("--listed", action="store_true", help="only those that equivalent.toml lists")
    parser.add_argument("--jobs", type=int, help="default: one a core")
    parser.add_argument("--seconds", type=float, help="begin none after so long, default: take all")
    options = parser.parse_args()
    try:
        found, complaints = examine(
            options.file or FILES, listed=options.listed, jobs=options.jobs, seconds=options.seconds
        )
    except RuntimeError as error:
        sys.exit(str(error))
    for what, count in Counter(what or "not taken" for what in found.values()).most_common():
        print(f"{count:5} {what}")
    print(*complaints, sep="\n")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
