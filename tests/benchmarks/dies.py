"""A peer one of whose steps takes the whole process with it when it is timed."""

import os

from fuseprop.benchmarks.peers import Form, Running
from fuseprop.benchmarks.peers import textbook as right

NAME, MODULE, DISTRIBUTIONS = "dies", "numpy", ("numpy",)


def forms(device):
    step = right.forms("cpu")[0]
    return [
        Form("before", "step", step.build),
        Form("dies", "step", lambda problem: failing(step.build(problem), lambda: os._exit(3))),
        Form("after", "step", step.build),
    ]


def failing(running, fail):
    """Return a training that fails after the gate's steps."""
    calls = []

    def run(steps):
        calls.append(steps)
        if len(calls) > 1:
            fail()
        running.run(steps)

    return Running(run, running.weights)
