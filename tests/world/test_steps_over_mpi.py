"""Compiled steps of processes that `mpiexec` starts: one network, and cores that they share."""

from pathlib import Path

import pytest
from fuseprop_numpy.compiled.library import NotCompiled, library
from launching import launched

SCRIPT = Path(__file__).with_name("steps_over_mpi.py")

try:
    library()
except NotCompiled as why:
    pytest.skip(f"steps are not compiled here: {why}", allow_module_level=True)


def test_two_processes_train_one_network_on_their_share_of_the_cores():
    ended = launched(2, SCRIPT)
    assert ended.returncode == 0, ended.stderr
    assert "2 processes have one network" in ended.stdout
