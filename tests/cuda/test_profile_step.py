"""The profile of a step, on kernels that are executed by the host: every launch once, by itself."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are a package at the top of the checkout

import json
from itertools import count

from click.testing import CliRunner
from host_device import HostRunBackend

from benchmarks import profile_step
from benchmarks.profile_step import Profile, main, tables
from fuseprop.backend import BackendUnavailable
from fuseprop.benchmarks.device import Stopwatch
from fuseprop.benchmarks.networks import ALL_CASES, CASES
from fuseprop.benchmarks.problem import make_problem

CASE = CASES["64-32-10-b32"]


@pytest.fixture
def ticking(monkeypatch):
    """A watch by which each second mark comes 6 seconds after the first, and graphs of three launches."""
    monkeypatch.setattr(profile_step, "TIMES", 3)
    monkeypatch.setattr(profile_step, "LAUNCHES", 2)
    monkeypatch.setattr(profile_step, "cupy_stopwatch", watch)
    return watch()


def watch():
    marks = count(step=6)
    return Stopwatch(lambda: None, lambda: next(marks), lambda start, end: end - start)


def test_every_launch_is_measured_alone_and_the_step_whole(ticking):
    backend = HostRunBackend()
    problem = make_problem(CASE, "sigmoid", device="cuda")
    profile = Profile(backend, problem, ticking).record()
    assert [launch["name"] for launch in profile["launches"]] == [
        "take_batch<float>",
        "product 32 x 64 x 32",
        "bias_activation<float, Sigmoid>",
        "product 32 x 32 x 10",
        "softmax_cross_entropy<float>",
        "sum_slices<float>",
        "product 32 x 32 x 10",
        "product 32 x 10 x 32",
        "activation_backward<float, Sigmoid>",
        "product 64 x 32 x 32",
        "update<float, Momentum>",
    ]
    assert all(launch["seconds"] == 6 / 2 / 3 for launch in profile["launches"])
    assert sum(launch.get("flops", 0) for launch in profile["launches"]) == CASE.step_flops
    assert profile["steps"] == {"1": 6 / problem.batches, "2": 6 / problem.batches}
    alone = backend.seam.streams().graphs[: len(profile["launches"])]
    for graph, launch in zip(alone, profile["launches"], strict=True):
        kinds = {
            "product" if asked.node.is_product else asked.node.kernel.expression for asked in graph.asked
        }
        assert len(graph.asked) == 3
        assert kinds == {launch["name"].partition(" ")[0] if "flops" in launch else launch["name"]}


@pytest.mark.parametrize("network", ["2-8-1-b4", "2-8-1-b4-full"])
def test_between_two_marks_a_step_is_replayed_and_nothing_else(network):
    """No rewind, and no capture: an epoch's graph, of 64 steps, takes milliseconds to be made."""
    backend, problem = HostRunBackend(), make_problem(ALL_CASES[network], "sigmoid", device="cuda")
    marks = []

    def mark():
        marks.append((len(backend.seam.streams().graphs), int(backend.to_host(cursor)[0])))
        return len(marks)

    profile = Profile(backend, problem, Stopwatch(lambda: None, mark, lambda start, end: end - start))
    cursor = profile._stepper.training.state.cursor
    profile._together(2)
    (graphs,) = {graphs for graphs, _ in marks}
    assert graphs >= 1
    assert [at for _, at in marks] == [0, len(problem.X)] * profile_step.LAUNCHES


def test_every_launch_finds_the_cursor_within_the_rows(ticking):
    """Where an epoch is one batch, a step that was taken before must not stand in the way."""
    problem = make_problem(CASE, "sigmoid", device="cuda")
    one = type(problem)(
        CASE,
        "sigmoid",
        problem.X[:32],
        problem.labels[:32],
        problem.order[problem.order < 32],
        problem.weights,
    )
    backend = HostRunBackend()
    profile = Profile(backend, one, ticking)
    at = []
    run = backend.seam.run
    cursor = profile._stepper.training.state.cursor
    backend.seam.run = lambda kernel, *rest: (
        at.append((kernel.name, int(backend.to_host(cursor)[0]))) or run(kernel, *rest)
    )
    profile.record()
    assert {place for name, place in at if name in ("take_batch", "softmax_cross_entropy")} == {0}


def test_what_fails_in_a_graph_leaves_the_streams_free(ticking):
    backend = HostRunBackend()
    profile = Profile(backend, make_problem(CASE, "sigmoid", device="cuda"), ticking)

    def fails():
        raise MemoryError("out of memory")

    with pytest.raises(MemoryError):
        profile._alone(fails)
    assert profile.record()["launches"]


def test_the_record_and_its_table(ticking, monkeypatch, tmp_path):
    monkeypatch.setattr(profile_step, "load_backend", lambda device: HostRunBackend())
    done = CliRunner().invoke(main, ["--network", CASE.id, "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    (path,) = tmp_path.iterdir()
    (profile,) = json.loads(path.read_text())["profiles"]
    assert tables(profile) in done.output
    assert "| product 32 x 64 x 32 | 1,000,000 | 0.000000131 TFLOP/s |" in tables(profile)
    assert "| all of them, one after the other | 11,000,000 |" in tables(profile)
    assert "| the step as it is replayed, on one stream |" in tables(profile)
    assert "| the step as it is replayed, on 2 streams |" in tables(profile)


@pytest.mark.parametrize("streams", [1, 2])
def test_a_step_is_replayed_on_as_many_streams_as_are_asked_for(ticking, monkeypatch, tmp_path, streams):
    backend = HostRunBackend()
    monkeypatch.setattr(profile_step, "load_backend", lambda device: backend)
    arguments = ["--network", CASE.id, "--output", str(tmp_path), "--streams", str(streams)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    (profile,) = json.loads(next(tmp_path.iterdir()).read_text())["profiles"]
    assert profile["steps"].keys() == {str(streams)}
    whole = [graph for graph in backend.seam.streams().graphs[len(profile["launches"]) :] if graph.launches]
    assert {asked.stream for graph in whole for asked in graph.asked} == set(range(streams))


def test_what_was_profiled_is_kept_when_a_later_network_fails(ticking, monkeypatch, tmp_path):
    backend = HostRunBackend()
    monkeypatch.setattr(profile_step, "load_backend", lambda device: backend)
    record = Profile.record
    asked = []

    def second_fails(self, *arguments):
        asked.append(self)
        return record(self, *arguments) if len(asked) == 1 else 1 / 0

    monkeypatch.setattr(Profile, "record", second_fails)
    networks = ["--network", CASE.id, "--network", "2-8-1-b4"]
    done = CliRunner().invoke(main, [*networks, "--output", str(tmp_path)])
    assert isinstance(done.exception, ZeroDivisionError)
    (profile,) = json.loads(next(tmp_path.iterdir()).read_text())["profiles"]
    assert profile["network"] == CASE.id


def test_without_a_gpu_it_says_what_is_missing_and_ends_with_2(monkeypatch, tmp_path):
    def refuse(device):
        raise BackendUnavailable("no NVIDIA driver was found")

    monkeypatch.setattr(profile_step, "load_backend", refuse)
    done = CliRunner().invoke(main, ["--output", str(tmp_path / "new")])
    assert done.exit_code == 2
    assert done.output == "cuda cannot be profiled: no NVIDIA driver was found\n"
    assert not (tmp_path / "new").exists()
