"""Whether several processes were started, from the environment; and refusals where they are apart."""

import os
import subprocess
import sys

import pytest

from fuseprop import __main__
from fuseprop.world import launch
from fuseprop.world.launch import Launch


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"PMI_RANK": "2", "PMI_SIZE": "4"}, (2, 4)),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "3", "PMIX_RANK": "1"}, (1, 3)),
        ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "8"}, (5, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, None),  # the shell of sbatch
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1", "PMI_RANK": "1", "PMI_SIZE": "2"}, (1, 2)),
        ({"PMI_RANK": "1"}, None),
        ({"PMI_RANK": "", "PMI_SIZE": "x"}, None),
    ],
)
def test_the_environment_says_who_was_started(variables, expected):
    found = launch.launched(variables)
    told = None if found is None else (found.rank, found.size)
    assert told == expected


def test_the_entry_point_knows_the_same_variables():
    assert tuple(rank for rank, _, _ in launch.LAUNCHERS) == __main__.RANKS


@pytest.mark.parametrize(("started", "known", "refused"), [(2, 1, True), (2, 2, False), (1, 1, False)])
def test_processes_that_do_not_know_each_other_are_refused(monkeypatch, started, known, refused):
    monkeypatch.setattr(launch, "launched", lambda: Launch(0, started, "mpiexec of X"))
    if not refused:
        launch.check_together(known, "Y")
        return
    with pytest.raises(RuntimeError, match=r"mpiexec of X has started 2 processes, .* another MPI \(Y 1\)"):
        launch.check_together(known, "Y \n 1")


def test_a_world_is_refused_where_the_launcher_is_of_another_mpi():
    started = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}
    result = subprocess.run(
        [sys.executable, "-c", "from fuseprop.world import World; World()"],
        env={**os.environ, **started},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RuntimeError: mpiexec of Open MPI has started 2 processes" in result.stderr
