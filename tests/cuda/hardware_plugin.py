"""A pytest plugin for the record of a GPU: the most telling tests first, and a line for each as it happens.

``pytest -p hardware_plugin --results FILE`` appends JSON lines to FILE, each on the disk before anything else
happens, so that a pytest that is killed, or that a kernel takes with it, has lost nothing:

* ``{"collected": {file: tests}, "telling": [tests], "missing": [modules], "not_collected": {file: why}}``,
  first: the tests that matter are telling, a module that matters and has none is missing;
* ``{"began": test}``; before the first launch of each kernel in it ``{"test": test, "launched": kernel}``;
* ``{"test": test, "outcome": "passed" | "failed" | "skipped", "seconds": s, "text": why}``;
* ``{"device": error}`` where the GPU takes no more work of this process, which then ends with DEAD.

With ``--share 2/10`` every tenth is run, from the third on: ten processes with a share each run all.

A test that takes more than ``--most`` seconds, such as one that waits for a kernel which never ends, ends the
process too. What FILE tells already is not run again: the tests that are left run in the next process.
"""

import faulthandler
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from launched import noted
from left_behind import DEAD, Lines, hung_in, lines_of

FIRST = (
    ("test_every_kernel", "test_modes", "fuseprop.testing.contract.replay"),
    ("fuseprop.testing.contract",),
    ("test_trajectory", "test_training", "test_gradients"),
)
"""Modules in the order in which their tests are run; the others come last.

First every kernel, and what no machine without a GPU can tell: steps that are captured, fused and eager train
alike, and a replay does what its calls do. Then the contract of every backend. Then whole trainings
beside references. Within each, every test function runs with its first parameters before any runs with its
second ones: what a kernel does wrong, it hardly does wrong for the last parameters alone.
"""

MATTERS = 2
"""How many entries of FIRST must have run whole for a record to pass."""

FATAL = {214, 700, 702, 710, *range(714, 720)}
"""CUDA errors (cudaErrorIllegalAddress, cudaErrorLaunchFailure, ...) after which a process can only end."""

LONGEST = 4000
"""Characters that are kept of why a test failed: the last ones."""


def pytest_addoption(parser):
    parser.addoption("--results", metavar="FILE", type=Path, help="JSON lines; see hardware_plugin.")
    parser.addoption("--most", metavar="SECONDS", type=float, default=40.0, help="For one test.")
    parser.addoption("--share", metavar="I/N", default="0/1", help="Every N-th test, from number I on.")


def pytest_configure(config):
    if config.getoption("--results") is not None:
        results = Results(config.getoption("--results"), config.getoption("--most"))
        config.pluginmanager.register(results, "hardware results")


def device_error():
    """Return why the GPU takes no more work of this process, or None."""
    import cupy

    try:
        cupy.cuda.runtime.deviceSynchronize()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return str(error) if error.status in FATAL else None
    return None


def is_of(module, name):
    """Return whether a module is the one of this name, or in the package."""
    return module == name or module.startswith(f"{name}.")


def tier(item):
    """Return how many entries of FIRST come before that of a test."""
    listed = (
        place
        for place, names in enumerate(FIRST)
        if any(is_of(item.function.__module__, name) for name in names)
    )
    return next(listed, len(FIRST))


def in_order(items):
    """Return tests, the most telling first."""
    met = Counter()
    places = []
    for item in items:
        function = item.function.__module__, item.function.__qualname__
        places.append((tier(item), met[function]))
        met[function] += 1
    return [items[i] for i in sorted(range(len(items)), key=places.__getitem__)]


class Results:
    """Writes the lines of one run."""

    def __init__(self, path, most):
        self._known = {line["began"] for line in lines_of(path) if "began" in line}
        self._lines = Lines(path)
        self._hung, self._most = hung_in(path).open("w"), most
        self._not_collected = {}
        self._test = None
        self._launched = set()
        self._reports = []
        self._began = 0.0
        self._watching = ExitStack()

    def pytest_sessionstart(self):
        self._watching.enter_context(noted(self._note))

    def pytest_unconfigure(self):
        self._watching.close()
        self._lines.close()
        self._hung.close()

    def pytest_collectreport(self, report):
        if not report.passed:
            lines = str(report.longreprtext).strip().splitlines()
            self._not_collected[report.nodeid] = lines[-1] if lines else "no reason was given"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        modules = {item.function.__module__ for item in items}
        matter = [name for names in FIRST[:MATTERS] for name in names]
        self._lines.write(
            collected=dict(Counter(item.nodeid.partition("::")[0] for item in items)),
            telling=[item.nodeid for item in items if tier(item) < MATTERS],
            missing=[name for name in matter if not any(is_of(module, name) for module in modules)],
            not_collected=self._not_collected,
        )
        first, of = map(int, config.getoption("--share").split("/"))
        items[:] = [item for item in in_order(items)[first::of] if item.nodeid not in self._known]

    def _note(self, kernel):
        if self._test is not None and kernel not in self._launched:
            self._launched.add(kernel)
            self._lines.write(test=self._test, launched=kernel)

    def pytest_runtest_logstart(self, nodeid):
        self._test, self._launched, self._reports = nodeid, set(), []
        self._began = time.monotonic()
        self._lines.write(began=nodeid)
        faulthandler.dump_traceback_later(self._most, exit=True, file=self._hung)

    def pytest_runtest_logreport(self, report):
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid):
        faulthandler.cancel_dump_traceback_later()
        failed = [report for report in self._reports if report.failed]
        skipped = [report for report in self._reports if report.skipped]
        outcome = "failed" if failed else "skipped" if skipped else "passed"
        seconds = round(time.monotonic() - self._began, 3)
        text = "\n".join(report.longreprtext for report in failed)[-LONGEST:]
        if not failed and skipped:
            reason = skipped[0].longrepr
            text = reason[2] if isinstance(reason, tuple) else str(reason)
        self._lines.write(test=nodeid, outcome=outcome, seconds=seconds, text=text)
        self._test = None
        error = device_error() if failed else None
        if error is not None:
            self._lines.write(device=error)
            pytest.exit(f"the device takes no more work: {error}", returncode=DEAD)
