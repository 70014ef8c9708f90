"""Change the engine one small thing at a time, and report which changes no check notices.

    python tests/native/engine_mutants.py [--file rows.hpp] [--listed] [--jobs 2] [--sample 4]

A mutant meets the driver: its hashes, which are those of the engine as it is, and its comparison with plain
doubles. It is built for vectors of 128 bits and floats, which compiles soonest; if it survives that, under
AddressSanitizer and UBSan, for wider vectors and under ThreadSanitizer. One that survives
all must stand in equivalent.toml with the reason why it does what the original does. The exit status is 1 if
one does not, or if an entry there names a mutant that is killed or no longer made.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
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

from mutations import mutants  # noqa: E402

# The file of each kind that is compiled for a change.
UNIT_OF = {
    **dict.fromkeys(
        (
            *("engine.hpp", "rows.hpp", "parameters.hpp", "products.hpp"),
            *("schedule.hpp", "dropout.hpp", "layout.hpp", "engine.cpp"),
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
)
SURVIVES, NOT_COMPILED = "survives", "does not compile"


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
                    done = run(program, *ARGUMENTS, timeout=30)
                except subprocess.TimeoutExpired:
                    return f"never ends in {way.name}"
                if done.returncode or done.stderr or done.stdout != self.expected[way]:
                    return f"killed by {way.name}"
        return SURVIVES


def examine(files=FILES, *, listed=False, jobs=None, sample=1):
    """Make the mutants of these files and run all checks of each; return {mutant: outcome} and complaints.

    `listed` takes those alone that equivalent.toml lists, `sample` every that many-th.
    """
    reasons = {
        (file, key): reason
        for file, entries in tomllib.loads((HERE / "equivalent.toml").read_text()).items()
        for key, reason in entries.items()
        if file in files
    }
    with tempfile.TemporaryDirectory() as folder:
        examiner = Examiner(Path(folder) / "mutants")
        made = [m for file in files for m in mutants(file, (examiner.sources / file).read_text())]
        made = [m for m in made if (m.file, m.key) in reasons] if listed else made[::sample]
        found = {}
        with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
            for mutant, what in zip(made, pool.map(examiner.outcome, made), strict=True):
                found[mutant] = what
                if what == SURVIVES and (mutant.file, mutant.key) not in reasons:
                    print(f"survives: {mutant.file}: {mutant.key}", file=sys.stderr)
                print(f"{len(found)} of {len(made)}", end="\r", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    survivors = {(m.file, m.key) for m, what in found.items() if what == SURVIVES}
    stale = reasons.keys() - survivors if sample == 1 else set()
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
    parser.add_argument("--sample", type=int, default=1, help="every that many-th alone")
    options = parser.parse_args()
    try:
        found, complaints = examine(
            options.file or FILES, listed=options.listed, jobs=options.jobs, sample=options.sample
        )
    except RuntimeError as error:
        sys.exit(str(error))
    for what, count in Counter(found.values()).most_common():
        print(f"{count:5} {what}")
    print(*complaints, sep="\n")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
