"""A peer one of whose steps leaves its process without its GPU; what is asked of CuPy is stood in for."""

import sys
from types import SimpleNamespace

from dies import failing

from fuseprop.benchmarks.peers import Form
from fuseprop.benchmarks.peers import textbook as right

NAME, MODULE, DISTRIBUTIONS = "loses", "numpy", ("numpy",)

lost = []


class Device:
    def __init__(self, number):
        assert number == 1

    def synchronize(self):
        if lost:
            raise lost[0]


sys.modules["cupy"] = SimpleNamespace(cuda=SimpleNamespace(Device=Device))


def lose():
    lost.append(RuntimeError("device-side assert triggered\nwith much more to say"))
    raise lost[0]


def refuse():
    raise ValueError("not this network")


def forms(device):
    step = right.forms("cpu")[0]

    def then(do):
        return lambda problem: failing(step.build(problem), do)

    works = then(lambda: Device(1).synchronize())
    return [
        Form("before", "step", works),
        Form("loses", "step", then(lose)),
        Form("refuses", "step", then(refuse)),
        Form("after", "step", works),
    ]
