"""So many threads for everybody: in the environment, in cores, in what stands beside a result."""

import os

import pytest
from click.testing import CliRunner

from benchmarks.compare import main
from benchmarks.tables import about
from fuseprop.benchmarks.machine import slug
from fuseprop.benchmarks.threads import VARIABLES, TooMany, _choice, limited, machine

binds = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="binds no process to cores here")


@binds
def test_threads_and_cores_are_limited_and_given_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    cores = os.sched_getaffinity(0)
    with limited(1):
        assert {os.environ[name] for name in VARIABLES} == {"1"}
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == cores
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    with limited(None):
        assert os.sched_getaffinity(0) == cores
        assert os.environ["OMP_NUM_THREADS"] == "7"


@binds
def test_more_threads_than_cores_are_refused(tmp_path):
    with pytest.raises(TooMany, match="would take turns"), limited(4096):
        pass
    done = CliRunner().invoke(main, ["--threads=4096", "--quick", f"--output={tmp_path}"])
    assert done.exit_code == 2, done.output
    assert "--threads 4096: there are" in done.output


def test_hyperthreads_of_one_core_come_last(monkeypatch):
    monkeypatch.setattr("fuseprop.benchmarks.threads._siblings", lambda core: str(core % 2))
    assert _choice({0, 1, 2, 3}, 1) == {3}
    assert _choice({0, 1, 2, 3}, 2) == {2, 3}
    assert _choice({0, 1, 2, 3}, 3) == {1, 2, 3}
    assert _choice({0, 1, 3}, 2) == {0, 3}
    assert _choice(set(), 2) == set()


def test_a_result_says_how_many():
    one = machine(1)
    assert one["threads"] == 1
    assert one["cores"] == machine(None)["cores"]
    assert all(pool["num_threads"] == 1 for pool in one["blas"])
    assert one["compiled"].get("threads", 1) == 1
    assert slug(one).endswith("-1-thread")
    assert "threads" not in machine(None)
    result = {
        "device": "cpu",
        "machine": one,
        "peers": [],
        "networks": [{"activation": "sigmoid"}, {"activation": "relu"}],
        "precision": "strict float32",
        "rounds": 2,
        "sets": 1,
        "minutes": 1.0,
    }
    text = about(result)
    assert "Everybody has 1 thread." in text
    again = "python -m benchmarks.compare --threads 1 --activation sigmoid --activation relu"
    assert f"Again: `{again}`." in text
