"""A peer whose step takes longer to be built than anyone waits."""

import time

from fuseprop.benchmarks.peers import Form

NAME, MODULE, DISTRIBUTIONS = "never ready", "numpy", ("numpy",)


def forms(device):
    return [Form("never ready", "step", lambda problem: time.sleep(600))]
