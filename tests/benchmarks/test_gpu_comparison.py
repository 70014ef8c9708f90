"""A comparison on a GPU, without one: its rounds in time, whose time is told, who is absent, the tables."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import benchmarks.compare
from benchmarks.compare import LIMITS, main
from benchmarks.report import section
from fuseprop.benchmarks import sets, turns
from fuseprop.benchmarks.device import Stopwatch
from fuseprop.benchmarks.gate import Gate
from fuseprop.benchmarks.machine import describe
from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.peers.fuseprop import slower_ways
from fuseprop.benchmarks.problem import SCAN, make_problem
from fuseprop.benchmarks.sets import joined

GPU = Path("/dev/nvidia0")


class Answering:
    """A peer in this process: every round takes it some seconds of a clock that only it moves."""

    def __init__(self, clock, builds=1.0, takes=2.0, **told):
        self.name, self.clock, self.told, self.asked = "answering", clock, told, []
        self.hello = {"forms": [{"name": "one", "table": "step", "note": ""}]}
        self.builds, self.takes = builds, takes

    def ask(self, do, **request):
        self.asked.append((do, request))
        self.clock[0] += {"build": self.builds, "time": self.takes}.get(do, 0.0)
        return {
            "build": {"gate": {"passed": True, "reference": 0.5}},
            "time": {"steps": 4, "seconds": 8.0, **self.told},
        }.get(do, {})


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(turns.time, "monotonic", lambda: now[0])
    return now


def measured(peers, seconds):
    return turns.measure(peers, "2-8-1-b4", "sigmoid", rounds=21, block=0.02, seconds=seconds, pause=0.0)


@pytest.mark.parametrize(("seconds", "rounds"), [(1000.0, 21), (9.5, 2), (9.0, 2), (8.9, 1), (0.1, 1)])
def test_rounds_are_as_many_as_end_in_time(clock, seconds, rounds):
    """1 second each to build, and 2 + 1.5 a round: of 9 seconds 7 are left, for two rounds."""
    peers = [Answering(clock), Answering(clock, takes=1.5)]
    assert [len(row["times"]) for row in measured(peers, seconds)] == [rounds, rounds]


def test_where_no_time_is_left_nobody_is_asked(clock):
    peer = Answering(clock)
    (row,) = measured([peer], -1.0)
    assert row["skipped"] == "no time was left"
    assert row["times"] == []
    assert peer.asked == []


def test_the_float64_training_of_the_gate_is_done_once(clock):
    peers = [Answering(clock), Answering(clock)]
    measured(peers, 100.0)
    first, second = (peer.asked[0][1]["reference"] for peer in peers)
    assert (first, second) == (None, 0.5)


def test_what_a_gpu_tells_beside_the_time_is_kept(clock):
    rows = measured([Answering(clock, host=0.25, device=1.5)], 6.0)
    assert rows[0]["times"] == [2.0, 2.0]
    assert rows[0]["device"] == [1.5, 1.5]
    both = joined(rows, measured([Answering(clock, host=0.5, device=2.5)], 6.0))
    assert both[0]["device"] == [1.5, 1.5, 2.5, 2.5]
    assert both[0]["host"] == [0.25, 0.25, 0.5, 0.5]
    assert len(both[0]["times"]) == 4


def test_a_known_reference_gives_the_same_verdict():
    problem = make_problem(CASES["2-8-1-b4"], "sigmoid")
    trained, told = Gate(problem), Gate(problem, Gate(problem).reference)
    assert told.verdict(problem.weights) == trained.verdict(problem.weights)
    assert not told.verdict(problem.weights)["passed"]


def test_the_stopwatch_tells_the_host_from_the_device():
    order, marks = [], iter([1.0, 9.0])

    def stamp():
        order.append("mark")
        return next(marks)

    watch = Stopwatch(lambda: order.append("wait"), stamp, lambda a, b: b - a)
    told = watch.apart(lambda steps: order.append(steps), 8)
    assert told["device"] == pytest.approx(8.0 / 32)
    assert told["host"] >= 0
    assert order == ["wait", "mark", 32, "mark", "wait"]
    assert Stopwatch(lambda: None).apart(lambda steps: order.append(steps), 64).keys() == {"host"}
    assert order[-1] == 64


def test_a_gpu_that_is_not_there_ends_the_command():
    if GPU.exists():
        pytest.skip("this machine has a GPU")
    done = CliRunner().invoke(main, ["--device", "cuda"])
    assert done.exit_code == 2
    assert "Error: --device cuda:" in done.output
    assert "cpu" in done.output


@pytest.mark.parametrize(
    ("device", "widest", "limits"),
    [("cpu", "1024x4-10-b1024", LIMITS["cpu"]), ("cuda:1", "4096x4-b4096", LIMITS["cuda"])],
)
def test_the_device_chooses_networks_and_limits(monkeypatch, tmp_path, device, widest, limits):
    asked = []

    def compare(device, cases, activations, modules, **options):
        asked.append((device, cases[-1].id, options["sets"], options["minutes"], options["sizes"]))
        return {"machine": describe() | {"gpu": {"name": "A GPU"}}, "date": "2026-01-01", "minutes": 1.0}

    monkeypatch.setattr(benchmarks.compare, "compare", compare)
    monkeypatch.setattr(benchmarks.compare, "load_backend", lambda device: None)
    done = CliRunner().invoke(main, ["--device", device, "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert asked == [(device, widest, limits["sets"], limits["minutes"], device == "cpu")]
    assert [path.name for path in tmp_path.iterdir()] == ["a-gpu-2026-01-01.json"]


def test_what_was_compared_is_kept_until_all_of_it_is_there(monkeypatch, tmp_path):
    began = {"machine": describe() | {"gpu": {"name": "A GPU"}}, "date": "2026-01-01"}

    def ended(device, cases, activations, modules, *, keep, **options):
        keep(began)
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmarks.compare, "compare", ended)
    monkeypatch.setattr(benchmarks.compare, "load_backend", lambda device: None)
    arguments = ["--device", "cuda", "--output", str(tmp_path)]
    assert CliRunner().invoke(main, arguments).exit_code != 0
    kept = tmp_path / "unfinished" / "a-gpu-2026-01-01.json"
    assert json.loads(kept.read_text()) == began
    monkeypatch.setattr(benchmarks.compare, "compare", lambda *a, **options: began | {"minutes": 1.0})
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert (tmp_path / kept.name).exists()
    assert not kept.exists()


@pytest.mark.parametrize("peer", ["fuseprop", "textbook", "pytorch", "jax"])
def test_who_finds_no_gpu_is_absent_and_says_why(peer):
    if GPU.exists():
        pytest.skip("this machine has a GPU")
    process = turns.Peer(f"fuseprop.benchmarks.peers.{peer}", "cuda")
    process.close()
    assert len(process.missing) > 10


@pytest.mark.parametrize("peer", ["scikit_learn", "thinc", "keras"])
def test_who_has_nothing_for_a_gpu_has_no_rows(peer):
    """Or is not installed."""
    process = turns.Peer(f"fuseprop.benchmarks.peers.{peer}", "cuda")
    process.close()
    assert process.missing or process.hello["forms"] == []


def test_the_tables_of_a_gpu():
    result = {
        "date": "2026-01-01",
        "device": "cuda",
        "precision": "strict float32",
        "rounds": 2,
        "sets": 1,
        "minutes": 8.0,
        "machine": describe() | {"gpu": {"name": "A GPU", "driver": 1, "cuda": 2, "cupy": "3"}},
        "peers": [
            {"name": "fuseprop", "version": "0.1.0", "absent": None},
            {"name": "PyTorch", "version": "", "absent": "No module named 'torch'"},
        ],
        "networks": [
            {
                "network": "4096x4-b4096",
                "activation": "sigmoid",
                "rows": [
                    row("fuseprop", "step", [3e-2, 3e-2], device=[2.9e-2] * 2, host=[1e-5] * 2, launches=26),
                    row("fuseprop eager", "step", [4e-2, 4e-2], device=[3.9e-2] * 2, host=[2e-4] * 2),
                    row("JAX scan", "step", [], skipped="64 steps take too long for one call"),
                    row("CuPy products", "products", [2e-2, 2e-2]),
                    row("CuPy copy", "copy", [1e-3, 1e-3]),
                    row("CuPy launch", "launch", [2e-6, 2e-6]),
                ],
            }
        ],
        "footprint": [],
        "calls": [],
    }
    text, drawings = section("a-gpu", result)
    assert "Again: `python -m benchmarks.compare --device cuda`." in text
    assert "Absent: PyTorch (No module named 'torch')." in text
    assert "| 4096x4, 4096 | fuseprop eager | 40,000 | 39,000 | 200 | - | 1.90 [1.90, 1.90] |" in text
    assert "| 4096x4, 4096 | fuseprop | 30,000 | 29,000 | 10.0 | 26 | 1.43 [1.43, 1.43] |" in text
    assert "products + bytes + launch, µs" in text
    assert "20,000 (CuPy) + 1,000 (CuPy) + 2.00 (CuPy)" in text
    assert drawings.keys() == {f"a-gpu-sigmoid-{plot}.svg" for plot in ("time", "ratio", "floor")}


def row(name, table, times, **more):
    return {"peer": name, "name": name, "table": table, "note": "", "times": times, **more}


def test_ours_is_shown_in_every_way_that_a_backend_offers():
    class Three:
        def __init__(self, dtype, device, replay="captured"):
            self.chosen = dtype, device, replay

    class One:
        def __init__(self, dtype, device):
            pass

    ways = slower_ways(Three, "cuda:1")
    assert [opened().chosen for opened in ways.values()] == [
        ("float32", "cuda:1", "fused"),
        ("float32", "cuda:1", "eager"),
    ]
    assert list(ways) == ["fused", "eager"]
    assert slower_ways(One, "cpu") == {}
    assert list(slower_ways(Three, "cpu")) == ["calls"]


class Compiling(Answering):
    """A peer with some forms, each of which takes its time to build; a round takes what its steps do."""

    seconds = 0.0

    def __init__(self, clock, name, builds):
        super().__init__(clock)
        self.name, self.forms, self.missing = name, builds, None
        self.hello = {"forms": [{"name": f"{name} {i}", "table": "step", "note": ""} for i in builds]}

    def ask(self, do, **request):
        if do == "build":
            self.seconds = max(0.05, 3e-14 * SCAN * CASES[request["case"]].step_flops)
            self.clock[0] += self.forms[request["form"]]
        if do == "time":
            self.clock[0] += self.seconds
        return super().ask("told" if do != "build" else "", **request) | (
            {"steps": 1, "seconds": 1.0} if do == "time" else {}
        )

    def close(self):
        pass


def test_a_whole_comparison_ends_in_time(clock, monkeypatch):
    """PyTorch's compiler takes 15 seconds a network, and JAX's 3, three times."""
    builds = {
        "fuseprop": [2.0, 1.0, 1.0, 2.0, 2.0],
        "textbook": [1.0] * 5,
        "pytorch": [1.0, 15.0, *[1.0] * 7],
        "jax": [3.0] * 3,
    }
    monkeypatch.setattr(sets, "Peer", lambda module, device: Compiling(clock, module, builds[module]))
    limits, networks = (
        LIMITS["cuda"],
        [{"network": case.id, "activation": "sigmoid", "rows": []} for case in CASES.values()],
    )
    start = clock[0]
    sets.measure_all(
        networks,
        "cuda",
        list(builds),
        rounds=21,
        seconds=60 * limits["minutes"],
        pause=0.0,
        say=lambda what: None,
    )
    assert clock[0] - start < 9 * 60
    assert limits["sets"] == 1
    assert all(row["times"] for network in networks for row in network["rows"])
