"""Captured steps: in whatever order their events allow they leave the bits of the steps call by call."""

import gc
import itertools
import weakref
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from fuseprop_cupy.device.nodes import Multiply, meet
from fuseprop_cupy.diagnosis import captured_steps
from fuseprop_cupy.replay import capture
from fuseprop_cupy.replay.capture import graph_length
from fuseprop_cupy.replay.overlap import conflicts_of, in_sequence, streams_of
from fuseprop_cupy.replay.plan import plan
from host_device import HostRunBackend, on_host
from host_streams import START, HostGraph, HostStreams, at_random, beside_first
from steps import CLASSIFICATION, REGRESSION, adam, traces, training

from fuseprop import MomentumSGD
from fuseprop.backend import Call, Program, span

MODES = ["captured", "fused", "eager"]
OPTIONS = {
    "momentum": {"optimizer": lambda: MomentumSGD(0.1, 0.9)},
    "adam": {"optimizer": adam},
    "clipped": {"optimizer": lambda: MomentumSGD(0.1, 0.9, weight_decay=1e-3, clip_norm=0.05)},
    "dropout": {"dropout": 0.4},
    "weighted": {"weighted": True},
    "all of it": {"optimizer": lambda: adam(clip_norm=0.05), "dropout": 0.4, "weighted": True},
}


DEPTHS = [(2, options) for options in OPTIONS] + [
    (layers, options) for layers in (1, 3, 4) for options in ("momentum", "all of it")
]


def epoch(made, calls):
    """Take an epoch's steps, the full batches in so many calls of a replay each time; return the traces."""
    made.send(np.random.default_rng(1).permutation(made.examples.rows))
    full, last = (made.backend.compile(made.program(batch)) for batch in (made.batches[0], made.batches[-1]))
    for times in calls:
        full(times)
    last(1)
    return traces(made)


def same_bits(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.view(np.uint8), theirs.view(np.uint8))


@pytest.mark.pairs
@pytest.mark.parametrize("loss", [CLASSIFICATION, REGRESSION])
@pytest.mark.parametrize(("layers", "options"), DEPTHS)
def test_every_way_to_replay_leaves_the_same_bits(layers, loss, options, monkeypatch):
    """A partial last batch, and 11 full ones, which are no multiple of the 3 steps of a graph."""
    monkeypatch.setattr(capture, "MOST_STEPS", 3)
    made = [
        training(HostRunBackend("float32", replay=mode), layers, loss, rows=91, **OPTIONS[options])
        for mode in MODES
    ]
    captured, fused, eager = (epoch(one, [11]) for one in made)
    same_bits(fused, eager)
    same_bits(captured, eager)
    long, single, *_ = made[0].backend.seam.streams().graphs
    assert (long.launches, single.launches) == (3, 1)


@pytest.mark.parametrize("optimizer", [None, adam, lambda: MomentumSGD(0.1, clip_norm=0.05)])
def test_batches_of_many_rows(optimizer):
    """Bias gradients in parts, which the update adds up to the same bits, unless they are clipped first."""
    found = [
        epoch(training(HostRunBackend(replay=mode), 3, rows=700, batch=300, optimizer=optimizer), [2, 0])
        for mode in MODES
    ]
    same_bits(found[0], found[2])
    same_bits(found[1], found[2])


@pytest.mark.parametrize("calls", [[11], [1] * 11, [4, 7], [1, 10]], ids=str)
def test_how_steps_are_divided_among_calls_makes_no_difference(calls):
    eager = epoch(training(HostRunBackend(replay="eager"), rows=91), [11])
    same_bits(epoch(training(HostRunBackend(), rows=91), calls), eager)


def test_a_schedule_needs_no_new_graph():
    """Learning rate, momentum and decay are read from the device, and so is the order."""
    found = []
    for mode in ("captured", "eager"):
        made = training(HostRunBackend(replay=mode), rows=88)
        replay = made.backend.compile(made.program(made.batches[0]))
        for rate, decay in ((0.3, 0.0), (0.1, 1e-3), (0.01, 0.0)):
            made.optimizer.learning_rate, made.optimizer.weight_decay = rate, decay
            made.optimizer.prepare(made.stack.parameters, len(made.batches))
            made.send(np.random.default_rng(int(100 * rate)).permutation(88))
            replay(11)
        found.append(traces(made))
        if mode == "captured":
            assert [graph.launches for graph in made.backend.seam.streams().graphs] == [10, 2]
    same_bits(*found)


def test_two_programs_in_turn():
    """Two networks on one backend, whose replays take turns."""
    found = []
    for mode in ("captured", "eager"):
        backend = HostRunBackend(replay=mode)
        two = [training(backend, 2, rows=88), training(backend, 3, REGRESSION, rows=88, optimizer=adam)]
        replays = [backend.compile(made.program(made.batches[0])) for made in two]
        for times in (2, 1, 4, 3):
            for replay in replays:
                replay(times)
        found.append([array for made in two for array in traces(made)])
    same_bits(*found)


def test_a_replay_keeps_the_memory_that_its_graphs_know_by_address():
    made = training(HostRunBackend(), 2, rows=640, batch=300)
    replay = made.backend.compile(made.program(made.batches[0]))
    replay(2)
    backend = made.backend
    used = {array.data.mem.ptr for call in made.program(made.batches[0]).calls for array in arrays_of(call)}
    parameters = weakref.ref(made.stack.parameters)
    held = [weakref.ref(backend.seam._buffers[address]) for address in used]
    assert len(held) > 15
    del made
    gc.collect()
    assert parameters() is None
    assert all(buffer() is not None for buffer in held)
    del replay, backend
    gc.collect()
    assert all(buffer() is None for buffer in held)


def arrays_of(call):
    return [value for value in (*call.operands, *call.options.values()) if hasattr(value, "data")]


def test_a_step_allocates_nothing_and_reads_nothing_back(monkeypatch):
    made = training(HostRunBackend(), 3, rows=91)
    device = made.backend.seam
    replay = made.backend.compile(made.program(made.batches[0]))
    before = device.allocations
    monkeypatch.setattr(device, "download", lambda array: pytest.fail("it waits for the device"))
    monkeypatch.setattr(device, "upload", lambda source, out: pytest.fail("it waits for the host"))
    replay(5)
    assert device.allocations == before


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_no_more_is_asked_for_than_the_plan_says(layers, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.operations.dense.MOST_TILES", 0)  # products are cuBLAS's
    made = training(HostRunBackend(replay="fused"), layers)
    device = made.backend.seam
    replay = made.backend.compile(made.program(made.batches[0]))
    device.launched.clear()
    device.products = 0
    replay(2)
    assert len(device.launched) + device.products == 2 * (5 * layers + 1)
    assert device.products == 2 * (3 * layers - 1)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_gradients_of_parameters_are_computed_beside_those_of_inputs(layers):
    made = training(HostRunBackend(), layers)
    nodes = plan(made.backend, made.program(made.batches[0])).nodes
    chosen = streams_of(nodes, conflicts_of(nodes))
    beside = [node for node, stream in zip(nodes, chosen, strict=True) if stream]
    _, *above = made.stack.parameters.layers
    gradients = [made.stack.parameters.layers[-1].bias_gradient, *(p.weight_gradients for p in above[::-1])]
    assert [node.writes for node in beside] == [[span(array)] for array in gradients]


def captured_graph(layers=3, streams=None, **options):
    """A graph of three steps, its training, and what the nodes wait for."""
    made = training(HostRunBackend(), layers, rows=91, **options)
    if streams is not None:
        made.backend.seam._streams = streams(made.backend.seam)
    replay = made.backend.compile(made.program(made.batches[0]))
    replay(3)
    replay(3)
    return made, made.backend.seam.streams().graphs[-1]


def hazards(graph):
    """Pairs of nodes whose order matters and which no event orders."""
    before = []
    for asked in graph.asked:
        before.append(asked.after.union(*(before[i] for i in asked.after)))
    return [
        (i, j)
        for j, later in enumerate(graph.asked)
        for i, earlier in enumerate(graph.asked[:j])
        if i not in before[j] and meet(earlier.node, later.node)
    ]


@pytest.mark.parametrize(("layers", "options"), DEPTHS)
def test_no_two_nodes_race(layers, options):
    _, graph = captured_graph(layers, **OPTIONS[options])
    assert hazards(graph) == []
    assert {asked.stream for asked in graph.asked} == {0, 1}


def test_graphs_run_in_other_orders_than_they_were_written_down():
    made, graph = captured_graph()
    orders = []
    for _ in range(3):
        made.send(np.arange(91))
        graph()
        orders.append(tuple(graph.taken))
    assert len(set(orders)) == 3


def waits_of(graph):
    """Each wait for another stream: which node waits, and for which."""
    return [
        (j, i)
        for j, asked in enumerate(graph.asked)
        for i in sorted(asked.after)
        if graph.asked[i].stream != asked.stream
    ]


def test_a_wait_that_is_missing_is_found():
    """Each fork and each join dropped in turn: two nodes race, and in some order other bits come out."""
    made, graph = captured_graph(3)
    waits = waits_of(graph)
    streams = [(graph.asked[j].stream, graph.asked[i].stream) for j, i in waits]
    assert streams.count((1, 0)) == 2 * 3  # a fork for each of two weight gradients
    assert streams.count((0, 1)) == 3  # a join of each step
    state = [made.stack.parameters.values, *made.optimizer.moments, made.state.losses]
    start = [made.backend.to_host(array) for array in state]

    def outcome(order):
        for array, host in zip(state, start, strict=True):
            made.backend.from_host(host, out=array)
        made.send(np.arange(91))
        for array in made.batches[0].scratch:  # what an earlier run has left there would be right
            on_host(array).fill(0)
        graph._orders = iter([order])
        graph()
        return traces(made)

    expected = outcome(beside_first)
    same_bits(outcome(at_random(5)), expected)
    for later, earlier in waits:
        graph.asked[later].after.remove(earlier)
        assert (earlier, later) in hazards(graph)
        found = [outcome(order) for order in (beside_first, latest_beside)]
        assert any(
            (ours.view(np.uint8) != theirs.view(np.uint8)).any()
            for other in found
            for ours, theirs in zip(other, expected, strict=True)
        ), (later, earlier)
        graph.asked[later].after.add(earlier)


def latest_beside(ready, graph):
    return min(ready, key=lambda i: (graph[i].stream, i))


def test_each_node_writes_what_it_says_and_nothing_else():
    """What the waits are derived from: every byte of the device is looked at, around every node."""
    backend = HostRunBackend()
    made = training(backend, 3, dropout=0.4, weighted=True, optimizer=lambda: adam(clip_norm=0.05))
    for node in plan(backend, made.program(made.batches[0])).nodes:
        before = {address: buffer.copy() for address, buffer in backend.seam._buffers.items()}
        backend.seam.prepare(node)()
        for address, old in before.items():
            buffer = backend.seam._buffers[address]
            for byte in np.flatnonzero(buffer != old):
                place = buffer.ctypes.data + byte
                assert any(span.start <= place < span.stop for span in node.writes), node


def test_what_is_read_is_waited_for_whichever_node_wrote_it():
    """A chain that goes from stream to stream, by hand: views of one buffer, and a product over another."""
    backend = HostRunBackend()
    flat = backend.zeros((64,))
    a, b, c = flat[:16].reshape((4, 4)), flat[16:32].reshape((4, 4)), flat[32:48].reshape((4, 4))
    other = backend.zeros((4, 4))
    nodes = [Multiply(a, a, b), Multiply(a, a, c), Multiply(c, c, other), Multiply(other, b, a)]
    conflicts = conflicts_of(nodes)
    assert streams_of(nodes, conflicts) == [1, 0, 0, 0]
    steps = in_sequence(conflicts, [1, 0, 0, 0], 2)
    assert [placed.after for placed in steps.placed] == [(-1,), (), (), (0,), (3,), (), (), (4,)]
    assert steps.joins == ()
    behind = in_sequence(conflicts_of([*nodes[:2], Multiply(b, b, other)]), [1, 1, 0], 1)
    assert behind.placed[2].after == (0,)  # not the last of the other stream, which it has nothing to do with
    assert behind.joins == (1,)
    alone = in_sequence(conflicts_of(nodes[:2]), [1, 0], 1)
    assert alone.joins == (0,)


class Failing(HostStreams):
    """Streams of which a capture comes to nothing."""

    def end(self):
        raise RuntimeError("cudaErrorStreamCaptureInvalidated")


class Interrupted(HostStreams):
    """Streams on which Ctrl-C comes in a capture, once."""

    interrupted = False

    def record(self, stream):
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        return super().record(stream)


def test_what_cannot_be_captured_is_fused_and_says_so_once():
    expected = epoch(training(HostRunBackend(replay="eager"), rows=91), [11])
    made = training(HostRunBackend(), rows=91)
    backend = made.backend
    backend.seam._streams = Failing(backend.seam)
    assert backend.not_captured is None
    with pytest.warns(RuntimeWarning, match=r"launched one kernel at a time.*Invalidated.*doctor"):
        found = epoch(made, [11])
    same_bits(found, expected)
    assert backend.not_captured == "RuntimeError: cudaErrorStreamCaptureInvalidated"
    same_bits(epoch(training(backend, rows=91), [11]), expected)  # without another warning


@pytest.fixture
def small(monkeypatch):
    """A trial of a small network by cuBLAS, where it is only the doctor that is looked at."""
    monkeypatch.setattr("fuseprop_cupy.replay.trial.SIZES", (20, 16, 10))
    monkeypatch.setattr("fuseprop_cupy.operations.dense.MOST_TILES", 0)


def graphs_of_the_doctor():
    """Those of three steps and of one; the first step is call by call."""
    backend = HostRunBackend()
    assert captured_steps(backend) == "work"
    graphs = backend.seam.streams().graphs
    assert [graph.launches for graph in graphs] == [2, 3]
    for graph in graphs:
        assert {asked.stream for asked in graph.asked} == {0, 1}
        assert hazards(graph) == []
    return graphs


def test_the_doctor_captures_steps_with_forks_and_joins(small):
    graphs_of_the_doctor()


@pytest.mark.long
def test_the_doctor_captures_large_products_and_small_ones():
    _, graph = graphs_of_the_doctor()
    products = [asked.node for asked in graph.asked if isinstance(asked.node, Multiply)]
    assert [product.out.shape for product in products] == [(32, 640), (32, 10), (784, 640)]
    ours = [asked.node for asked in graph.asked if asked.node.is_product and asked.node not in products]
    assert [product.sizes for product in ours] == [(640, 32, 10), (32, 10, 640)]


def test_the_doctor_tells_why_steps_cannot_be_captured(small):
    backend = HostRunBackend()
    backend.seam._streams = Failing(backend.seam)
    with pytest.raises(RuntimeError, match="launched one kernel at a time: RuntimeError: cudaErrorStream"):
        captured_steps(backend)


def tf32(array):
    """An array rounded to 10 bits of mantissa, as its owner's."""
    bits = np.ascontiguousarray(on_host(array)).view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(np.float32)


def test_the_doctor_finds_products_that_are_rounded(small, monkeypatch):
    def rounded(device, a, b, out):
        on_host(out)[...] = tf32(a) @ tf32(b)

    monkeypatch.setattr("host_device.HostDevice.multiply", rounded)
    with pytest.raises(RuntimeError, match=r"compute wrong: .* eps from NumPy, 100 are allowed"):
        captured_steps(HostRunBackend())


def test_the_doctor_finds_steps_that_come_out_otherwise_each_time(small, monkeypatch):
    products = itertools.count()

    def drifting(device, a, b, out):
        on_host(out)[...] = on_host(a) @ on_host(b) * np.float32(1 + next(products) % 7 * 2e-7)

    monkeypatch.setattr("host_device.HostDevice.multiply", drifting)
    with pytest.raises(RuntimeError, match="leave other bits each time"):
        captured_steps(HostRunBackend())


def test_the_doctor_finds_a_wait_that_is_missing(small, monkeypatch):
    """By the numbers alone, as on a GPU; here the other stream comes first, or last, for sure."""

    class Heedless(HostStreams):
        def wait(self, stream, event):
            super().wait(stream, {START} if stream == 0 else event)

        def end(self):
            self._last[0] = len(self._asked) - 1  # what is not waited for is not noticed either
            self.graphs.append(HostGraph(self._asked, [latest_beside], self.device.nccl, 0))
            self._asked = None
            return self.graphs[-1]

    backend = HostRunBackend()
    backend.seam._streams = Heedless(backend.seam)
    with pytest.raises(RuntimeError, match="compute wrong"):
        captured_steps(backend)


def test_without_streams_products_are_cupys_own(monkeypatch):
    expected = epoch(training(HostRunBackend(replay="eager"), rows=91), [11])
    made = training(HostRunBackend(), rows=91)

    def none():
        raise ImportError("no nvmath")

    monkeypatch.setattr(made.backend.seam, "streams", none)
    with pytest.warns(RuntimeWarning, match="ImportError: no nvmath"):
        found = epoch(made, [11])
    same_bits(found, expected)
    fused = training(HostRunBackend(replay="fused"), rows=91)
    monkeypatch.setattr(fused.backend.seam, "streams", none)
    same_bits(epoch(fused, [11]), expected)  # replay="fused" makes no graphs: no warning
    assert fused.backend.not_captured is None


def test_an_interrupted_capture_can_be_had_again():
    made = training(HostRunBackend(), rows=91)
    made.backend.seam._streams = Interrupted(made.backend.seam)
    replay = made.backend.compile(made.program(made.batches[0]))
    with pytest.raises(KeyboardInterrupt):
        replay(5)
    assert made.backend.to_host(made.state.cursor) == [8]  # the step before the capture
    replay(4)
    assert made.backend.to_host(made.state.cursor) == [40]
    assert made.backend.not_captured is None


def test_another_stream_gets_a_capture_of_its_own():
    eager = epoch(training(HostRunBackend(replay="eager"), rows=91), [11])
    made = training(HostRunBackend(), rows=91)
    device = made.backend.seam
    made.send(np.random.default_rng(1).permutation(91))
    full, last = (made.backend.compile(made.program(batch)) for batch in (made.batches[0], made.batches[-1]))
    streams = [HostStreams(device), HostStreams(device)]
    for number, times in ((0, 3), (1, 3), (1, 5)):
        device._streams = streams[number]
        full(times)
    last(1)
    same_bits(traces(made), eager)
    assert [len(each.graphs) for each in streams] == [1, 2]  # of one step; of one and of three


def test_the_length_of_graphs():
    """Few launches in all, and no more nodes in a graph than its making is worth."""
    assert graph_length(12, 468) == 52
    assert graph_length(12, 64) == 64
    assert graph_length(12, 67) == 33  # two launches and a step left over; 64 would leave three
    assert graph_length(22, 1000) == 40
    assert graph_length(2000, 100) == 1
    assert graph_length(0, 7) == 7
    assert graph_length(12, 1) == 1


def test_an_empty_program_and_no_times_do_nothing():
    backend = HostRunBackend()
    backend.compile(Program(()))(3)
    made = training(backend)
    replay = backend.compile(made.program(made.batches[0]))
    replay(0)
    assert backend.to_host(made.state.cursor) == [0]


def test_a_product_alone_is_a_step():
    backend = HostRunBackend("float64")
    a, out = backend.from_host(np.arange(9.0).reshape(3, 3)), backend.zeros((3, 3))
    for call in (Call("matmul", (a, a.T), {"out": out}), Call("matmul", (a.T, a), {"out": out})):
        backend.compile(replace(Program((call,)), scratch=()))(3)
        first, second = (backend.to_host(operand) for operand in call.operands)
        np.testing.assert_array_equal(backend.to_host(out), first @ second)


def test_a_way_to_replay_that_is_none():
    with pytest.raises(ValueError, match=r'replay must be "captured", "fused" or "eager", got \'graph\''):
        HostRunBackend(replay="graph")
