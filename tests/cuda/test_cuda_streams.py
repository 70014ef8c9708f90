"""What CUDA is asked for in a capture, in which order: by a CuPy that only answers, under its real names."""

import gc
import sys
import weakref
from inspect import signature
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
from fuseprop_cupy.device import streams as module
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.nodes import Copy, Multiply
from fuseprop_cupy.device.streams import Streams
from fuseprop_cupy.replay.capture import Capture
from host_streams import HostStreams


class CUDARuntimeError(RuntimeError):
    pass


class Stream:
    """One of CuPy's streams, in a `Machine`: it writes down what it is asked, and refuses where CUDA does."""

    def __init__(self, machine, number, owned=False):
        self.machine, self.ptr, self.owned = machine, number, owned
        self.state = "idle"  # or "capturing", "invalid"

    def __del__(self):
        if self.ptr in self.machine.handles.values() and self.owned:
            self.machine.dangling.append(self.ptr)

    def __eq__(self, other):
        return self.ptr == other.ptr

    __hash__ = None

    def note(self, method, *arguments):
        self.machine.asked.append((method, self.ptr, *arguments))

    def use(self):
        self.note("current")
        self.machine.current = self
        return self

    def __enter__(self):
        self.machine.entered.append(self)
        return self.use()

    def __exit__(self, *error):
        self.machine.entered.pop()
        self.machine.entered[-1].use()  # CuPy knows nothing here of a `use` since

    def record(self, event=None):
        self.note("record", event)
        return event

    def wait_event(self, event):
        self.note("wait_event", event)

    def begin_capture(self, mode=None):
        self.note("begin_capture")
        self.state = "capturing"

    def is_capturing(self):
        if self.state == "invalid":
            raise RuntimeError("the stream was capturing, but an error has invalidated the capture sequence")
        return self.state == "capturing"

    def end_capture(self):
        self.note("end_capture")
        state, self.state = self.state, "idle"
        if state == "idle":
            raise CUDARuntimeError("cudaErrorIllegalState")
        if state == "invalid":
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated")
        return MagicMock(spec=cupy.cuda.Graph)


class Machine:
    """CuPy's streams and events, and the handles: whatever they are asked is written down.

    Attributes
    ----------
    handles : dict
        The stream that each handle points to.
    dangling : list
        The streams of ours that went while a handle pointed to them.
    """

    def __init__(self):
        self.asked = []
        self.handles, self.dangling = {}, []
        self.streams = 0
        self.current = Stream(self, 0)
        self.entered = [self.current]
        self.cupy = SimpleNamespace(
            cuda=SimpleNamespace(
                Device=lambda ordinal: SimpleNamespace(compute_capability="90"),
                Stream=self.new_stream,
                Event=self.new_event,
                get_current_stream=lambda: self.current,
                runtime=SimpleNamespace(CUDARuntimeError=CUDARuntimeError),
            )
        )

    def note(self, method, number, answer):
        def asked(*arguments):
            self.asked.append((method, number, *arguments))
            return answer

        return asked

    def new_stream(self, *, non_blocking):
        assert non_blocking
        self.streams += 1
        return Stream(self, self.streams, owned=True)

    def new_event(self, *, disable_timing):
        assert disable_timing
        return MagicMock(spec=cupy.cuda.Event)

    def blas(self, dtype, workspace):
        assert workspace.nbytes == 32 << 20
        number = len([each for each in self.asked if each[0] == "handle"])
        self.asked.append(("handle", number))

        def use(stream):
            self.asked.append(("use", number, stream))
            self.handles[number] = stream

        return SimpleNamespace(use=use, product=lambda *arrays: self.note("product", number, arrays))


def put_machine(monkeypatch):
    """Put a `Machine` in the place of CuPy and cuBLAS."""
    made = Machine()
    monkeypatch.setitem(sys.modules, "cupy", made.cupy)
    monkeypatch.setattr(module, "Blas", made.blas)
    return made


def assert_nothing_dangles(machine):
    gc.collect()
    assert machine.dangling == [], "a stream went while a handle pointed to it"


@pytest.fixture
def machine(monkeypatch):
    made = put_machine(monkeypatch)
    yield made
    assert_nothing_dangles(made)


@pytest.fixture
def streams(machine):
    return streams_of(machine)


def streams_of(machine):
    """Streams of which nothing was asked yet."""
    made = Streams(machine.cupy, 0, np.dtype("float32"), np.empty, lambda node: f"prepared {node}")
    machine.asked.clear()
    return made


def test_a_capture(machine, streams):
    """Handles go to the capture's streams before it begins and come back after it; a graph is launched."""
    streams.begin()
    event = streams.record(0)
    streams.wait(1, event)
    streams.issue(1, lambda: machine.asked.append("asked"))
    joined = streams.record(1)
    streams.wait(0, joined)
    launch = streams.end()
    streams.enter()
    assert machine.asked == [
        ("use", 0, 1),
        ("use", 1, 2),
        ("begin_capture", 1),
        ("record", 1, event),
        ("wait_event", 2, event),
        ("current", 2),
        "asked",
        ("current", 0),
        ("record", 2, joined),
        ("wait_event", 1, joined),
        ("end_capture", 1),
        ("use", 0, 0),
        ("use", 1, 0),
    ]
    graph = launch._mock_parent
    launch()
    graph.launch.assert_called_once_with()


def test_handles_stay_where_they_are(machine, streams):
    streams.enter()
    machine.asked.clear()
    streams.enter()
    assert machine.asked == []


def test_products_go_to_their_streams_handle(machine, streams):
    streams.prepare(Multiply("a", "b", "out"), 1)()
    assert machine.asked == [("product", 1)]
    node = Copy("a", "b")
    assert streams.prepare(node, 1) == f"prepared {node}"


def test_a_stream_that_the_caller_uses_stays_current(machine, streams):
    """By `use` or by `with`, and also where a call fails."""
    with Stream(machine, 8):
        chosen = Stream(machine, 9).use()
        streams.begin()
        streams.issue(1, lambda: None)
        with pytest.raises(ZeroDivisionError):
            streams.issue(0, lambda: 1 / 0)
        assert machine.current is chosen


def test_handles_are_moved_before_the_streams_of_a_capture_go(machine, streams):
    """Else a handle points to nothing, and a new stream at the address of one that is gone passes for it."""
    for _ in range(2):
        streams.begin()
        gone = [weakref.ref(stream) for stream in streams._streams]
        streams.end()
        assert machine.handles == {0: gone[0]().ptr, 1: gone[1]().ptr}
        streams.enter()
        assert machine.handles == {0: 0, 1: 0}
        assert machine.dangling == []
        gc.collect()
        assert [stream() for stream in gone] == [None, None]  # they are freed with the capture


def test_a_stream_that_a_handle_may_point_to_is_kept_where_moving_fails(machine, streams):
    """The first handle has moved and the second has not: their streams stay until both have."""
    streams.begin()
    working = streams._blas[1].use

    def fail(stream):
        raise CUDARuntimeError("CUBLAS_STATUS_NOT_INITIALIZED")

    streams._blas[1].use = fail
    streams.end()
    for _ in range(2):
        with pytest.raises(CUDARuntimeError):
            streams.enter()
        gc.collect()
        assert machine.handles == {0: 0, 1: 2}
        assert machine.dangling == []
    streams._blas[1].use = working
    streams.enter()
    assert machine.handles == {0: 0, 1: 0}


@pytest.mark.parametrize("state", ["idle", "capturing", "invalid"])
def test_abandoning_ends_what_has_begun_whatever_became_of_it(machine, streams, state):
    streams.abandon()
    streams.begin()
    first = streams._streams[0]
    first.state = state
    machine.asked.clear()
    streams.abandon()
    assert machine.asked == [("end_capture", first.ptr)]
    assert first.state == "idle"
    streams.begin()
    assert machine.streams == 4


def capture_of(streams, call):
    """A capture of one node, which is asked for by a call."""
    streams.prepare = lambda node, stream: call
    shape = {"shape": (2,), "strides": (4,), "dtype": np.dtype(np.float32), "nbytes": 8}
    arrays = (SimpleNamespace(data=SimpleNamespace(ptr=at), **shape) for at in (0, 8))
    return Capture(streams, [Copy(*arrays)])


def test_the_reason_of_a_failed_capture_is_the_one_that_is_told(machine, streams):
    """An error in a capture makes it invalid; neither asking nor ending it then hides the error."""

    def fail():
        streams._streams[0].state = "invalid"
        raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported")

    with pytest.raises(CUDARuntimeError, match="cudaErrorStreamCaptureUnsupported"):
        capture_of(streams, fail).graph(1)
    assert machine.asked[-3:] == [("end_capture", 1), ("use", 0, 0), ("use", 1, 0)]


@pytest.mark.parametrize("collects", [True, False])
def test_no_garbage_is_collected_while_a_step_is_captured(streams, collects):
    """What it finds, CUDA may not let go of then: another graph, or a handle of CuPy's."""
    found = []

    def call():
        found.append(gc.isenabled())
        return 1 / (len(found) - 1)  # the first fails

    capture = capture_of(streams, call)
    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        with pytest.raises(ZeroDivisionError):
            capture.graph(1)
        assert gc.isenabled() == collects
        capture.graph(1)
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()
    assert found == [False, False]


@pytest.mark.parametrize(
    "method", ["use", "record", "wait_event", "begin_capture", "is_capturing", "end_capture"]
)
def test_the_streams_here_are_asked_as_cupys_are(method):
    ours, theirs = (signature(getattr(cls, method)) for cls in (Stream, cupy.cuda.Stream))
    assert ours == theirs


def test_what_these_answers_stand_for_is_in_cupy():
    assert "disable_timing" in cupy.cuda.Event.__doc__
    assert "non_blocking" in cupy.cuda.Stream.__doc__
    assert issubclass(cupy.cuda.runtime.CUDARuntimeError, RuntimeError)
    assert callable(cupy.cuda.get_current_stream)
    assert callable(cupy.cuda.function.CIntptr)
    assert hasattr(cupy.RawKernel, "kernel")


def test_the_host_streams_have_the_streams_methods():
    for cls in (Streams, HostStreams):
        assert {"prepare", "enter", "begin", "issue", "record", "wait", "end", "abandon"} == {
            name for name in vars(cls) if not name.startswith("_")
        }


def test_a_thread_has_its_streams_on_the_callers_as_long_as_it_holds_them(machine, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.device.device.probe", lambda ordinal: None)
    device = Device.__new__(Device)
    device._cupy, device._dtype, device.ordinal = machine.cupy, np.dtype("float32"), 0
    device._local = SimpleNamespace()
    monkeypatch.setattr(device, "empty", lambda shape, dtype: np.empty(shape, dtype))
    first = device.streams()
    assert device.streams() is first
    machine.current = Stream(machine, 9)
    assert device.streams() is not first
    machine.current = Stream(machine, 0)
    assert device.streams() is first
    handles = len([each for each in machine.asked if each[0] == "handle"])
    del first
    gc.collect()
    device.streams()
    assert len([each for each in machine.asked if each[0] == "handle"]) == handles + 2
