"""A peer whose library takes the whole process with it when its step is timed."""

import os

from benchmarks.peers import Form, Running
from benchmarks.peers import textbook as right

NAME, MODULE, DISTRIBUTIONS = "dies", "numpy", ("numpy",)


def forms(device):
    step = right.forms(device)[0]

    def build(problem):
        running, calls = step.build(problem), []

        def run(steps):
            calls.append(steps)
            if len(calls) > 1:  # the first call is the gate's
                os._exit(3)
            running.run(steps)

        return Running(run, running.weights)

    return [Form("dies", "step", build)]
