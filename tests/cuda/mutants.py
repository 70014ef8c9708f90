"""Change the kernels one small thing at a time, and report which changes no check notices.

    python tests/cuda/mutants.py [--file losses.cu] [--listed] [--jobs 2]

A mutant meets the executed rung, its quickest tests first, and if it survives that, the sanitizers and the
compiled rung. One that survives all must stand in equivalent.toml with the reason why it does what the
original does. The exit status is 1 if one does not, if a check could not run, or if an entry there names a
mutant that is killed or no longer made.
"""

import argparse
import os
import signal
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

import host_device
import own
import pytest
from cupy.cuda.compiler import CompileException
from fuseprop_cupy.device.kernel_list import KERNELS
from host_compiler import kernels_of, read
from host_kernels import HostKernels, every_kernel
from mutations import mutants
from recorded import record
from replay import SANITIZERS, build, replay
from test_compiled import problems

HERE = Path(__file__).parent
FILES = [*sorted(path.name for path in KERNELS.glob("*.cu*")), own.FILE]

OUTCOMES = {
    -signal.SIGPROF: "never ends",
    0: "survives",
    1: "killed by the executed rung",
    2: "killed by the address sanitizer",
    3: "killed by the thread sanitizer",
    4: "killed by the compiled rung",
    5: "does not compile",
    6: "no verdict: a check could not run",
}
CRASHED = "crashes"


class QuickestFirst:
    """A pytest plugin: sorts tests by what they took at first, and lets each take ten times that."""

    def __init__(self):
        self.seconds = {}

    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0))

    def pytest_runtest_logstart(self, nodeid):
        if nodeid in self.seconds:
            limit(2 + 10 * self.seconds[nodeid])

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration


def limit(seconds):
    """End this process once it has computed this long, however busy the machine is; 0 ends that."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def executed(plugin):
    """Run the executed rung in this process; return pytest's exit status."""
    return pytest.main(
        [
            *("-qq", "-x", "--tb=no", "-p", "no:cacheprovider", "--cases=all"),
            str(HERE / "test_executed.py"),
            *("-W", "ignore:Module already imported"),  # by this process, which tests many times
        ],
        plugins=[plugin],
    )


def compiled(mutant):
    """What the compiled rung finds on one architecture."""
    text = own.source().replace(without_includes(read(mutant.file)), without_includes(mutant.text))
    assert text != own.source()
    try:
        return problems("float32", 90, text) + problems("float64", 90, text)
    except CompileException as error:
        return [str(error)]


def without_includes(text):
    """Return a file as `source` has it."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith('#include "'))


def outcome(mutant, plugin):
    """Run all checks of a mutant, in a process of its own; return a key of OUTCOMES."""
    changed = {mutant.file: mutant.text}
    try:
        built = HostKernels(every_kernel(), changed, flags=("-w",))
    except AssertionError:
        return 5
    limit(4)
    try:
        recorder = record(built)  # in half a second it kills most
    except Exception:
        return 1
    host_device.host_kernels = lambda: built
    status = executed(plugin)
    if status == pytest.ExitCode.TESTS_FAILED:
        return 1
    assert status == pytest.ExitCode.OK
    limit(0)
    listed = kernels_of(mutant.file, every_kernel())
    with tempfile.TemporaryDirectory() as folder:
        for number, sanitizer in enumerate(SANITIZERS, start=2):
            program = build(Path(folder), listed, sanitizer, changed)
            if replay(program, recorder.recording(listed)):
                return number
    return 4 if compiled(mutant) else 0


def start(mutant, plugin):
    """Fork a process for a mutant, which may crash or never end; return its number."""
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            os._exit(outcome(mutant, plugin))
        finally:
            os._exit(6)
    return child


def outcomes(made, plugin, jobs):
    """Run all mutants, `jobs` at a time; return the outcome of each."""
    found, running, waiting = {}, {}, list(reversed(made))
    while waiting or running:
        if waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[start(mutant, plugin)] = mutant
            continue
        child, status = os.wait()
        mutant = running.pop(child)
        found[mutant] = OUTCOMES.get(os.waitstatus_to_exitcode(status), CRASHED)
        if found[mutant] == OUTCOMES[0]:
            print(f"\rsurvives: {mutant.file}: {mutant.key}", file=sys.stderr)
        print(f"\r{len(found)} of {len(made)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def report(found, reasons):
    """Print what became of the mutants; return the complaints."""
    for what, count in Counter(found.values()).most_common():
        print(f"{count:5} {what}")
    survivors = {(mutant.file, mutant.key) for mutant, what in found.items() if what == OUTCOMES[0]}
    for file, key in sorted(survivors & reasons.keys()):
        print(f"equivalent: {file}: {key}\n    {reasons[file, key]}")
    return [
        *(f"{what}: {mutant.file}: {mutant.key}" for mutant, what in found.items() if what == OUTCOMES[6]),
        *(f"survives without a reason: {file}: {key}" for file, key in sorted(survivors - reasons.keys())),
        *(f"stale in equivalent.toml: {file}: {key}" for file, key in sorted(reasons.keys() - survivors)),
    ]


def examine(files=FILES, *, listed=False, jobs=None):
    """Make the mutants of these files and run all checks of each; return {mutant: outcome} and complaints.

    `listed` takes those alone that equivalent.toml lists. Raises RuntimeError where the checks fail on the
    kernels as they are.
    """
    plugin = QuickestFirst()
    if executed(plugin):
        raise RuntimeError("The executed rung fails on the kernels as they are: mend that first.")
    made = [mutant for file in files for mutant in mutants(file, read(file))]
    reasons = {
        (file, key): reason
        for file, entries in tomllib.loads((HERE / "equivalent.toml").read_text()).items()
        for key, reason in entries.items()
        if file in files
    }
    if listed:
        made = [mutant for mutant in made if (mutant.file, mutant.key) in reasons]
    found = outcomes(made, plugin, jobs or os.cpu_count())
    return found, report(found, reasons)


def main():
    """Parse the command line, and exit with 1 if there are complaints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--file", choices=FILES, action="append", help="default: all")
    parser.add_argument("--listed", action="store_true", help="only those that equivalent.toml lists")
    parser.add_argument("--jobs", type=int, help="default: one a core")
    options = parser.parse_args()
    try:
        _, complaints = examine(options.file or FILES, listed=options.listed, jobs=options.jobs)
    except RuntimeError as error:
        sys.exit(str(error))
    print(*complaints, sep="\n")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
