"""Sums over processes on GPUs: what a step of several becomes, and what NCCL is asked for, by a stand-in."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
from fuseprop_cupy.device import sums as module
from fuseprop_cupy.device.nodes import Reduce
from fuseprop_cupy.device.sums import Sums, Watched, library
from fuseprop_cupy.replay import capture
from fuseprop_cupy.replay.fusion import fuse
from fuseprop_cupy.replay.plan import Plan, plan
from fuseprop_cupy.replay.replay import PlanReplay
from host_device import HostRunBackend, on_host
from host_streams import HostStreams
from nccl_standin import Nccl, NcclError
from steps import CLASSIFICATION, REGRESSION, adam, traces, training
from test_capture import hazards, same_bits, waits_of
from test_device import put_two
from test_modes import on_a_gpu
from train_together import train

from fuseprop import MomentumSGD, Network, load_backend, mlp
from fuseprop.backend import BackendUnavailable, Call, Program, span
from fuseprop.world import ALONE, Elsewhere

sys.path.append(str(Path(__file__).parents[1] / "world"))

from threads import in_threads, outcomes

MODES = ["captured", "fused", "eager"]
OPTIONS = {
    "momentum": {},
    "clipped": {"optimizer": lambda: MomentumSGD(0.1, 0.9, weight_decay=1e-3, clip_norm=0.05)},
    "adam": {"optimizer": adam, "weighted": True},
}


def epoch(world, mode, calls=(4, 3), **options):
    """An epoch's full batches in so many calls of a replay each time; its traces, and its training."""
    made = training(HostRunBackend(replay=mode), world=world, **options)
    replay = made.backend.compile(made.program(made.batches[0]))
    for times in calls:
        replay(times)
    return traces(made), made


@pytest.mark.pairs
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("loss", [CLASSIFICATION, REGRESSION])
@pytest.mark.parametrize("layers", [1, 3])
def test_every_way_to_replay_leaves_the_same_bits_in_all_processes(layers, loss, options, monkeypatch):
    monkeypatch.setattr(capture, "MOST_STEPS", 3)

    def bits(mode):
        return in_threads(
            2, lambda world: epoch(world, mode, layers=layers, loss=loss, rows=57, **OPTIONS[options])[0]
        )

    captured, fused, eager = map(bits, MODES)
    for ours, theirs, expected in zip(captured, fused, eager, strict=True):
        same_bits(ours, expected)
        same_bits(theirs, expected)
    parameters = len(eager[0]) - 3  # and moments; the others are each process's own
    same_bits(eager[0][:parameters], eager[1][:parameters])


@pytest.mark.parametrize(("size", "mode"), [*((2, mode) for mode in MODES), (3, "captured")])
def test_networks_that_several_train_are_those_of_one(size, mode):
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(61, 5)), rng.integers(0, 3, 61)

    def train(world):
        own = world.rows(61)
        backend = HostRunBackend("float64", replay=mode)
        network = Network(mlp([5, 7, 3], "tanh"), CLASSIFICATION, seed=0, backend=backend)
        history = network.fit(
            X[own], labels[own], adam(clip_norm=0.5), epochs=3, batch_size=16, validation=0.2, world=world
        )
        assert backend.not_captured is None
        weights = [array.ravel() for pair in network.weights() for array in pair]
        return [history.train_loss, history.validation_loss, *weights]

    (alone,) = in_threads(1, train)
    several = in_threads(size, train)
    bound = 1000 * np.finfo(np.float64).eps
    for found in several:
        np.testing.assert_allclose(np.hstack(found), np.hstack(alone), rtol=bound, atol=bound)
    np.testing.assert_array_equal(np.hstack(several[0]), np.hstack(several[-1]))


def program_of(world, layers, **options):
    made = training(HostRunBackend(), layers, world=world, **options)
    return made, made.program(made.batches[0])


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_a_step_of_several_takes_one_launch_more(layers):
    """The sum; and the weights of the rows are gathered as in a weighted step of one process."""

    def launches(world):
        made, program = program_of(world, layers)
        nodes = plan(made.backend, program).nodes
        (place,) = (i for i, node in enumerate(nodes) if isinstance(node, Reduce))
        assert place == len(nodes) - 2
        assert nodes[place].writes == [span(made.stack.parameters.gradients)]
        names = [each.name for each in plan(made.backend, program).facts.each]
        assert names[place] == "sum over processes"
        assert names[-1].startswith("update")
        assert "update_and_advance" in [call.operation for call in fuse(program).calls]
        return len(nodes)

    assert in_threads(2, launches) == [5 * layers + 3] * 2


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_parts_of_bias_gradients_are_added_up_before_the_sum(clip_norm):
    """One process's update finishes them, of several it would add up what the others have not."""

    def kernels(world):
        optimizer = lambda: MomentumSGD(0.1, clip_norm=clip_norm)  # noqa: E731
        made, program = program_of(world, 3, rows=1000, batch=600, optimizer=optimizer)
        return [one.name.partition("<")[0] for one in plan(made.backend, program).facts.each]

    for names in in_threads(2, kernels):
        finished = [i for i, name in enumerate(names) if name == "sum_columns"]
        assert len(finished) == 3
        assert max(finished) < names.index("sum over processes")


def graph_of_several(world):
    _, made = epoch(world, "captured", calls=(3, 3), layers=3, rows=57)
    return made.backend.seam.streams().graphs[-1]


def test_the_sum_waits_for_the_side_stream_and_the_update_for_the_sum():
    for graph in in_threads(2, graph_of_several):
        assert hazards(graph) == []
        sums = [i for i, asked in enumerate(graph.asked) if isinstance(asked.node, Reduce)]
        assert len(sums) == 3
        assert {graph.asked[i].stream for i in sums} == {0}
        assert set(sums) <= {later for later, _ in waits_of(graph)}
        for i in sums:
            assert graph.asked[i + 1].node.kernel.name == "update"
            assert i in graph.asked[i + 1].after


def test_a_wait_that_is_missing_before_the_sum_is_found():
    for graph in in_threads(2, graph_of_several):
        for later, earlier in waits_of(graph):
            if isinstance(graph.asked[later].node, Reduce):
                graph.asked[later].after.remove(earlier)
                assert (earlier, later) in hazards(graph)
                graph.asked[later].after.add(earlier)


class Failing(HostStreams):
    """Streams of which no capture comes to anything."""

    def end(self):
        raise RuntimeError("cudaErrorStreamCaptureInvalidated")


def without_streams():
    raise BackendUnavailable("no nvmath-python")


@pytest.mark.parametrize("what", ["a capture", "the streams"])
def test_where_one_process_cannot_capture_none_does(what):
    """All say why, and go on call by call."""

    def train(world):
        made = training(HostRunBackend(), rows=57, world=world)
        device = made.backend.seam
        if world.rank == 1 and what == "a capture":
            device._streams = Failing(device)
        elif world.rank == 1:
            device.streams = without_streams
        replay = made.backend.compile(made.program(made.batches[0]))
        replay(4)
        replay(3)
        return traces(made), made.backend.not_captured

    with pytest.warns(RuntimeWarning, match="one kernel at a time"):
        (ours, first), (_, second) = in_threads(2, train)
    expected = in_threads(2, lambda world: epoch(world, "eager", rows=57)[0])
    same_bits(ours, expected[0])
    assert first == f"process 1 says {second}"
    assert second.startswith("RuntimeError: cuda" if what == "a capture" else "BackendUnavailable: no nvmath")


def sums_of(world, copies):
    """A program that adds up, after so many copies."""
    backend = HostRunBackend()
    array, other = backend.from_host(np.full(8, 1.0 + world.rank)), backend.zeros((8,))
    calls = [Call("copy", (array,), {"out": other}) for _ in range(copies)]
    replay = backend.compile(Program((*calls, Call("all_reduce", (array, world), {}))))
    return replay, lambda: backend.to_host(array)


def test_graphs_have_as_many_steps_in_all_processes(monkeypatch):
    """Though one has more nodes than the others."""
    monkeypatch.setattr(capture, "MOST_NODES", 6)

    def add_up(world):
        replay, result = sums_of(world, copies=1 + world.rank)
        replay(7)
        return result()

    for found in in_threads(2, add_up):
        np.testing.assert_array_equal(found, 3.0 * 2**6)


def test_other_numbers_of_steps_are_refused_in_all_processes():
    def add_up(world):
        replay, _ = sums_of(world, copies=0)
        replay(2 + world.rank)

    for rank, error in enumerate(outcomes(2, add_up)):
        assert isinstance(error, RuntimeError)
        assert f"take {2 + rank}, where the fewest are 2 and the most 3" in str(error)


def test_the_stand_in_notices_a_sum_that_others_do_not_make():
    def add_up(world):
        backend = HostRunBackend()
        array = backend.zeros((4,))
        for _ in range(1 + world.rank):
            backend.all_reduce(array, world)

    with pytest.raises(AssertionError, match="process 1 calls gathered, but"):
        in_threads(2, add_up)


def test_the_stand_in_notices_a_sum_that_only_one_has_captured():
    def add_up(world):
        array = (backend := HostRunBackend()).zeros((4,))
        backend.all_reduce(array, world)
        if world.rank:
            backend.seam.nccl.graph = 0, 1
        backend.all_reduce(array, world)

    with pytest.raises(AssertionError, match="ask for different sums"):
        in_threads(2, add_up)


def test_one_process_adds_up_nothing():
    backend = HostRunBackend()
    array = backend.from_host(np.arange(4.0))
    backend.all_reduce(array, ALONE)
    np.testing.assert_array_equal(backend.to_host(array), np.arange(4.0))
    assert backend.seam.nccl.log == []
    assert plan(backend, Program((Call("all_reduce", (array, ALONE), {}),))).nodes == ()


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda b: np.zeros(4, np.float32), TypeError, "array on cuda:0, got ndarray"),
        (lambda b: b.zeros((4,), np.dtype("float64")), TypeError, "float32, got float64"),
        (lambda b: b.zeros((4, 3)).T, ValueError, "C-contiguous"),
    ],
)
def test_what_nccl_would_misread_is_refused(make, error, text):
    backend = HostRunBackend()
    with pytest.raises(error, match=f"all_reduce: array must be .*{text}"):
        backend.all_reduce(make(backend), ALONE)


def connected(change=lambda device, world: None):
    """What becomes of two processes that connect, after `change(device, world)`."""

    def connect(world):
        device = HostRunBackend().seam
        change(device, world)
        device.connect(world)
        device.connect(world)
        return device

    return outcomes(2, connect)


def test_a_world_and_a_device_have_one_communicator():
    for device in connected():
        assert device.nccl.log == ["made"]


def test_two_processes_on_one_gpu_are_refused():
    def share(device, world):
        device.bus = "0000:81:00.0"

    for error in connected(share):
        assert isinstance(error, BackendUnavailable)
        assert "processes 0 and 1 compute on the same GPU, 0000:81:00.0 of" in str(error)
        assert 'device="cpu"' in str(error)


def test_gpus_of_the_same_address_in_two_machines_are_two(monkeypatch):
    def apart(device, world):
        device.bus = "0000:81:00.0"
        device.nccl.world = world
        connect = device._sums.connect

        def elsewhere(*given):
            monkeypatch.setattr(module.platform, "node", lambda: f"node{world.rank}")
            connect(*given)

        device._sums.connect = elsewhere

    assert [device.nccl.log for device in connected(apart)] == [["made"]] * 2


def test_other_versions_of_nccl_are_refused():
    def change(device, world):
        device.nccl.version = 22707 + world.rank

    for error in connected(change):
        assert isinstance(error, BackendUnavailable)
        assert "process 0 has 22707, process 1 has 22708" in str(error)


def test_without_nccl_in_one_process_all_are_refused():
    def lack(device, world):
        def missing():
            raise BackendUnavailable("no NCCL here")

        if world.rank == 1:
            device._sums._load = missing

    other, own = connected(lack)
    assert isinstance(own, BackendUnavailable)
    assert isinstance(other, Elsewhere)
    assert "process 1 of 2 has failed: BackendUnavailable: no NCCL here" in str(other)


def test_cupy_without_nccl_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", SimpleNamespace(available=False))
    monkeypatch.setattr("cupy.cuda.nccl", SimpleNamespace(available=False), raising=False)
    monkeypatch.setattr(module, "install_nccl", lambda: "pip install nccl")
    with pytest.raises(BackendUnavailable, match=r"finds no libnccl.so.2 .*Type: pip install nccl\."):
        library()


class Awaited:
    """A stream whose work is done when it was looked at so often."""

    def __init__(self, looks=3):
        self.looks, self.waits = looks, 0

    @property
    def done(self):
        self.looks -= 1
        return self.looks <= 0

    def synchronize(self):
        self.waits += 1


def one_communicator():
    """A world of one process with a communicator all the same, which ends where a test says so; its NCCL."""
    nccl = Nccl()
    nccl.world = ALONE
    sums = Sums(lambda: nccl)
    sums.connect(ALONE, 0, lambda: "0000:01:00.0")
    module.atexit.unregister(sums.close)
    return sums, nccl


@pytest.fixture
def one():
    return one_communicator()


class Holder:
    def __init__(self, log):
        self.log = log

    def release(self):
        self.log.append("released")


def test_an_error_is_found_while_the_host_waits(one):
    sums, nccl = one
    holder = Holder(nccl.log)
    sums.hold(holder)
    sums.watch(Awaited())
    nccl.failed = "NCCL_ERROR_REMOTE_ERROR"
    with pytest.raises(
        RuntimeError, match=r"no longer add up \(NCCL_ERROR_REMOTE_ERROR\).*NCCL_DEBUG=INFO"
    ) as e:
        sums.watch(Awaited(10**9))
    assert isinstance(e.value.__cause__, NcclError)
    assert nccl.log == ["made", "released", "aborted"]
    sums.watch(Awaited(10**9))  # there is nothing to look after any more


def test_who_adds_up_nothing_waits_as_ever():
    awaited = Awaited(10**9)
    Sums(Nccl).watch(awaited)
    event = Watched(awaited)
    assert not event.done
    event.synchronize()
    assert awaited.waits == 1


@pytest.mark.parametrize("failed", [False, True])
def test_graphs_go_before_communicators_at_the_end(one, failed, monkeypatch):
    sums, nccl = one
    holder = Holder(nccl.log)
    sums.hold(holder)
    monkeypatch.setattr(sys, "last_value", KeyError() if failed else None, raising=False)
    sums.close()
    sums.close()
    assert nccl.log == ["made", "released", "aborted" if failed else "destroyed", "released"]


def test_a_forked_child_leaves_its_parents_communicators(one, monkeypatch):
    sums, nccl = one
    monkeypatch.setattr("fuseprop_cupy.device.probe._forked", True)
    sums.close()
    assert nccl.log == ["made"]


def test_steps_whose_sums_have_ended_are_not_taken():
    def add_up(world):
        backend = HostRunBackend()
        array = backend.from_host(np.ones(4))
        replay = backend.compile(Program((Call("all_reduce", (array, world), {}),)))
        replay(3)
        assert len(backend.seam.streams().graphs) == 1
        backend.seam._sums.close()
        module.atexit.unregister(backend.seam._sums.close)
        assert backend.seam.nccl.log == ["made", "destroyed"]
        np.testing.assert_array_equal(on_host(array), 2.0**3)
        replay(1)

    for error in outcomes(2, add_up):
        assert isinstance(error, RuntimeError)
        assert "sums over processes have ended" in str(error)


def test_a_sum_goes_to_the_stream_that_is_current(monkeypatch):
    """In a capture, that of the capture; outside of one, the caller's."""
    two, (device, _) = put_two(monkeypatch)
    asked = []
    device._sums = SimpleNamespace(connect=lambda *given: None, add=lambda *given: asked.append(given))
    two.cuda.runtime.deviceGetPCIBusId = lambda ordinal: f"0000:0{ordinal}:00.0"
    call = device.prepare(Reduce("array", ALONE))
    for stream in (0x10, 0x20):
        two.cuda.get_current_stream = lambda stream=stream: SimpleNamespace(ptr=stream)
        call()
    assert asked == [("array", ALONE, 0, 0x10), ("array", ALONE, 0, 0x20)]


def together(kind, processes=2):
    """What each of some processes of MPI says that trained together."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    found = str(mpiexec) if mpiexec.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip('needs an MPI: pip install -e ".[mpi]"')
    script = Path(__file__).with_name("train_together.py")
    done = subprocess.run(
        [found, "-n", str(processes), sys.executable, script, kind],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_processes_of_mpi_add_up_in_graphs():
    done = {"sum": [3.0 * 2**9] * 4, "launches": [4, 1], "log": ["made"]}
    assert together("host") == [done] * 2


def nccl_or_skip():
    try:
        library()
    except BackendUnavailable as error:
        pytest.skip(str(error))


@on_a_gpu
def test_nccl_itself_adds_up_what_one_process_has(backend):
    """In a world of one, for which the core never asks: call by call, in graphs, and while the host waits."""
    nccl_or_skip()
    array = backend.from_host(np.arange(1000.0))
    backend.seam.enter()
    backend.seam.connect(ALONE)
    nodes = (Reduce(array, ALONE),)
    replay = PlanReplay(backend.seam, Plan(Program(()), nodes), captures=True, report=pytest.fail)
    for times in (1, 5, 5):
        replay.run(times)
        backend.synchronize()
    np.testing.assert_array_equal(backend.to_host(array), np.arange(1000.0))
    replay.release()


@on_a_gpu
def test_two_gpus_learn_what_the_cpu_learns(backend):
    nccl_or_skip()
    if cupy.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("needs two GPUs")
    first, second = together("cuda")
    assert first == second
    assert first["not_captured"] is None
    (alone,) = in_threads(1, lambda world: train(world, load_backend("cpu", "float64")))
    np.testing.assert_allclose(first["losses"], alone["losses"], rtol=1e-9)
