"""What peers run on a GPU, as far as a CPU can run it: the recorded steps, the scan, and who is absent."""

from functools import partial

import pytest

from fuseprop.benchmarks.gate import Gate
from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.problem import SCAN, make_problem

NETWORKS = ["2-8-1-b4", "64-32-10-b32"]


def problem_of(network, activation="sigmoid"):
    return make_problem(CASES[network], activation, device="cuda")


def passes(problem, running):
    gate = Gate(problem)
    running.run(gate.steps)
    verdict = gate.verdict(running.weights())
    assert verdict["error"] < verdict["bound"] / 10, verdict


@pytest.mark.parametrize("steps", [1, SCAN])
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("network", NETWORKS)
def test_pytorchs_recorded_steps_pass_the_gate(monkeypatch, network, activation, steps):
    """Recorded once and only replayed: the cursor finds every batch, all buffers stay where they are."""
    pytest.importorskip("torch", reason='needs PyTorch: pip install -e ".[peers]"')
    from recorded_graph import stand_in

    from fuseprop.benchmarks.peers.pytorch_steps import Training, graph

    here = stand_in(monkeypatch)
    problem = problem_of(network, activation)
    running = graph(Training(problem, "cpu"), steps)
    assert running.unit == steps
    assert len(here.waited) == 1  # for the stream that warmed up
    passes(problem, running)


@pytest.mark.parametrize("table", ["products", "copy", "launch"])
def test_what_pytorchs_floor_is_made_of_can_be_recorded(monkeypatch, table):
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install -e ".[peers]"')
    from recorded_graph import stand_in

    from fuseprop.benchmarks.peers import pytorch

    stand_in(monkeypatch)
    for name in ("init", "set_device", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device: tensor)
    for name, new in (("ones", torch.ones), ("zeros", torch.zeros)):
        monkeypatch.setattr(torch, name, lambda size, device, new=new: new(size))
    made, recorded = [], pytorch.recorded
    monkeypatch.setattr(pytorch, "recorded", lambda call, times: made.append(times) or recorded(call, times))
    (form,) = [form for form in pytorch.forms("cuda") if form.table == table]
    running = form.build(problem_of("64-32-10-b32"))
    running.run(2 * running.unit)
    assert made == [SCAN]


def test_what_a_graph_does_not_see_shows(monkeypatch):
    """The stand-in forgets what a graph forgets: rows that Python picks stay those of the recording."""
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install -e ".[peers]"')
    from recorded_graph import stand_in

    from fuseprop.benchmarks.peers.pytorch_steps import Training, graph

    stand_in(monkeypatch)
    problem = problem_of("64-32-10-b32")
    training, picked = Training(problem, "cpu"), []
    learn = training.step

    def step(rows):
        picked.append(torch.tensor(rows.tolist()))
        return learn(picked[-1])

    training.step = step
    running, gate = graph(training, 1), Gate(problem)
    running.run(gate.steps)
    assert not gate.verdict(running.weights())["passed"]


def test_what_was_recorded_lives_as_long_as_its_graph(monkeypatch):
    """And the stand-in tells where it does not: a graph alone keeps no memory but its own."""
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install -e ".[peers]"')
    from recorded_graph import stand_in

    from fuseprop.benchmarks.peers.pytorch_steps import recorded

    stand_in(monkeypatch)
    counter = torch.zeros(1)

    def count(ones):
        counter.add_(ones)

    replay = recorded(partial(count, torch.ones(1)), 2)
    counter.zero_()
    replay()
    assert float(counter) == 2
    graph = replay.graph
    del replay
    with pytest.raises(AssertionError, match="freed"):
        graph.replay()


@pytest.mark.parametrize("network", NETWORKS)
def test_jax_passes_the_gate_and_tells_the_hosts_time(network):
    pytest.importorskip("jax", reason='needs JAX: pip install -e ".[peers]"')
    from fuseprop.benchmarks.device import Stopwatch
    from fuseprop.benchmarks.peers import jax as peer

    problem = problem_of(network)
    for form in peer.forms("cpu"):
        if form.table == "step":
            running = form.build(problem)
            passes(problem, running)
            told = Stopwatch(lambda: None).apart(running.enqueue, running.unit)
            assert told.keys() == {"host"}
