"""Scenarios in which calls fail: each in a child of a process that has the shim before the C library."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from crashes import Disk, losses, snapshot
from shim import ALWAYS, ERRORS, KINDS, ONCE, Fault, Shim

LIMIT = 60
"""Seconds after which a child hangs."""


@dataclass
class Found:
    """What a child found.

    Attributes
    ----------
    counts : dict of str to int
        How many calls of each kind there were.
    struck : int
        How many of them were made to fail.
    error : str
        The type of what was raised; "" where nothing was.
    warned : list of str
    wrong : list of str
        What is not as it should be, in words.
    states : int
        Without a fault: in how many ways a loss of power may leave the files.
    order : list of str
        What was written, synchronized, linked and renamed, one after the other.
    """

    counts: dict = field(default_factory=dict)
    struck: int = 0
    error: str = ""
    warned: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    states: int = 0
    order: list = field(default_factory=list)


class Faulty:
    """A process that runs scenarios in children, one after the other. Used in a ``with`` block.

    Parameters
    ----------
    library : Path
        As `shim.build` returns it.
    """

    def __init__(self, library):
        self._environment = os.environ | {"LD_PRELOAD": str(library)}

    def __enter__(self):
        command = [sys.executable, str(Path(__file__))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment
        )
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def run(self, scenario, fault=None):
        """Run a scenario of `scenarios.SCENARIOS` in a child, with a fault; return what was `Found`."""
        order = {"scenario": scenario, "fault": None if fault is None else asdict(fault)}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        told = json.loads(self._process.stdout.readline())
        if isinstance(told, int):
            return Found(wrong=[f"the child ended with {told} and found nothing"])
        return Found(**told)

    def run_all(self, scenario, *, thorough=False, kinds=KINDS, most=None):
        """Run a scenario without a fault, and then once for each; return what was found, by fault.

        Of more than `most` faults so many are taken, at equal distances.
        Thorough is: each call fails in all ways, once and forever. Else it fails in one of these, by turns.
        """
        undisturbed = self.run(scenario)
        found = {None: undisturbed}
        all_ = list(faults(undisturbed.counts, thorough=thorough, kinds=kinds))
        number = len(all_) if most is None else min(most, len(all_))
        for fault in (all_[i * len(all_) // number] for i in range(number)):
            found[fault] = self.run(scenario, fault)
            if not found[fault].struck:
                found[fault].wrong.append("the call that was to fail was never made")
        return found


def faults(counts, *, thorough, kinds=KINDS):
    """Yield the faults for so many calls of each kind."""
    for kind in kinds:
        ways = [(error, times) for times in (ONCE, ALWAYS) for error in ERRORS[kind]]
        for number in range(1, counts.get(kind, 0) + 1):
            for error, times in ways if thorough else [ways[number % len(ways)]]:
                yield Fault(kind, number, error, times)


def complaints(found):
    """Return what is wrong of what `run_all` found, a line each."""
    return [f"{fault or 'undisturbed'}: {what}" for fault, one in found.items() for what in one.wrong]


def _serve():
    """Fork for each line of standard input."""
    from scenarios import SCENARIOS
    from wrong_writers import WRONG

    known = SCENARIOS | WRONG
    told = os.dup(1)
    os.dup2(2, 1)
    made = {}
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        name = order["scenario"]
        if name not in made:
            made[name] = known[name]()
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                _run(made[name], Path(os.path.realpath(folder)), order["fault"], write)
            os.close(write)
            with open(read, "rb") as answers:  # noqa: PTH123
                answer = answers.read()
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(told, (answer or str(status).encode()) + b"\n")


def _run(scenario, place, given, answers):
    """Be a child: run the scenario, say what was found, and end."""
    signal.alarm(LIMIT)
    try:
        fault = None if given is None else Fault(**given)
        found = in_scenario(scenario, place, fault)
    except BaseException:
        found = Found(wrong=[traceback.format_exc()[-3000:]])
    try:
        os.write(answers, json.dumps(asdict(found)).encode())
    finally:
        os._exit(0)


def in_scenario(scenario, place, fault):
    """Run a scenario in this process, with files in an empty directory; return what was `Found`."""
    shim, raised = Shim(), None
    scenario.prepare(place)
    before = snapshot(place)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        shim.watch(place, scenario.least)
        if fault is not None:
            shim.fail(fault)
        try:
            scenario.act(place, shim.mark)
        except Exception as error:
            raised = error
        shim.heal()
        counts = {kind: count for kind, count in shim.counts().items() if kind in scenario.kinds}
        found = Found(counts, shim.struck())
        calls = shim.trace()
        shim.rest()
    found.order = ordered(calls, place)
    found.warned = [str(warning.message) for warning in told]
    found.error = "" if raised is None else type(raised).__name__
    if fault is None:
        if raised is not None or told:
            found.wrong.append(f"undisturbed, it raises {raised!r} and warns {found.warned}")
        found.wrong += _wrong_after_losses(scenario, place, before, calls, found)
    found.wrong += scenario.wrong(place, raised, found.warned, fault)
    return found


def ordered(calls, place):
    """Return what was written, synchronized, linked and renamed; repetitions are told once."""
    told = []
    for call in calls:
        if call.kind in ("write", "link", "rename") and not call.error:
            told.append(call.kind)
        elif call.kind == "sync" and not call.error:
            told.append("sync directory" if call.path == str(place) else "sync file")
    return [what for i, what in enumerate(told) if i == 0 or told[i - 1] != what]


def _wrong_after_losses(scenario, place, before, calls, found):
    """Return what a loss of power after any of the calls may leave that is not whole."""
    disk = Disk(before)
    for call in calls:
        disk.apply(call)
    wrong = Counter()
    if disk.contents() != snapshot(place):
        wrong["files are written by calls that are not recorded"] += 1
    for number, mark, left in losses(before, calls, *(str(place / name) for name in scenario.names)):
        found.states += 1
        why = scenario.is_lost(mark, *left)
        if why:
            call = calls[number - 1]
            wrong[f"a loss of power after call {number} ({call.kind} {Path(call.path).name}): {why}"] += 1
    return list(wrong)


if __name__ == "__main__":
    _serve()
