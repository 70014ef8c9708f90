"""What CUDA is asked for in a capture, in which order: by a CuPy that only answers, under its real names."""

import gc
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install "fuseprop[test]"')

import cupy
from fuseprop_cupy import lanes as module
from fuseprop_cupy.device import Device
from fuseprop_cupy.lanes import Lanes
from fuseprop_cupy.nodes import Copy, Multiply
from host_lanes import HostLanes


class CUDARuntimeError(Exception):
    pass


class Machine:
    """CuPy's streams and events, and the handles: whatever they are asked is written down."""

    def __init__(self):
        self.asked = []
        self.streams = 0
        self.current = self.stream(0)
        self.cupy = SimpleNamespace(
            cuda=SimpleNamespace(
                Device=lambda ordinal: SimpleNamespace(compute_capability="90"),
                Stream=self.new_stream,
                Event=self.new_event,
                get_current_stream=lambda: self.current,
                runtime=SimpleNamespace(CUDARuntimeError=CUDARuntimeError),
            )
        )

    def stream(self, number):
        made = MagicMock(spec=cupy.cuda.Stream, name=f"stream {number}")
        made.ptr = number
        for method in ("begin_capture", "record", "wait_event", "__enter__", "__exit__"):
            getattr(made, method).side_effect = self.note(method, number, None)
        made.end_capture.side_effect = self.note("end_capture", number, MagicMock(spec=cupy.cuda.Graph))
        made.is_capturing.return_value = True
        return made

    def note(self, method, number, answer):
        def asked(*arguments):
            self.asked.append((method, number, *arguments))
            return answer

        return asked

    def new_stream(self, *, non_blocking):
        assert non_blocking
        self.streams += 1
        return self.stream(self.streams)

    def new_event(self, *, disable_timing):
        assert disable_timing
        return MagicMock(spec=cupy.cuda.Event)

    def blas(self, dtype, workspace):
        assert workspace.nbytes == 32 << 20
        number = len([each for each in self.asked if each[0] == "handle"])
        self.asked.append(("handle", number))
        return SimpleNamespace(
            use=self.note("use", number, None), product=lambda *arrays: self.note("product", number, arrays)
        )


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setitem(sys.modules, "cupy", made.cupy)
    monkeypatch.setattr(module, "Blas", made.blas)
    return made


@pytest.fixture
def lanes(machine):
    device = SimpleNamespace(
        ordinal=0, empty=lambda shape, dtype: np.empty(shape, dtype), prepare=lambda node: f"prepared {node}"
    )
    made = Lanes(device, np.dtype("float32"))
    machine.asked.clear()
    return made


def test_a_capture(machine, lanes):
    """Handles go to the capture's streams before it begins and come back after it; a graph is launched."""
    lanes.begin()
    event = lanes.record(0)
    lanes.wait(1, event)
    lanes.issue(1, lambda: machine.asked.append("asked"))
    launch = lanes.end()
    lanes.enter()
    assert machine.asked == [
        ("use", 0, 1),
        ("use", 1, 2),
        ("begin_capture", 1),
        ("record", 1, event),
        ("wait_event", 2, event),
        ("__enter__", 2),
        "asked",
        ("__exit__", 2, None, None, None),
        ("end_capture", 1),
        ("use", 0, 0),
        ("use", 1, 0),
    ]
    graph = launch._mock_parent
    launch()
    graph.launch.assert_called_once_with()


def test_handles_stay_where_they_are(machine, lanes):
    lanes.enter()
    machine.asked.clear()
    lanes.enter()
    assert machine.asked == []


def test_products_go_to_their_lanes_handle(machine, lanes):
    lanes.prepare(Multiply("a", "b", "out"), 1)()
    assert machine.asked == [("product", 1)]
    node = Copy("a", "b")
    assert lanes.prepare(node, 1) == f"prepared {node}"


@pytest.mark.parametrize("capturing", [True, False])
def test_abandoning_ends_what_has_begun_and_no_more(machine, lanes, capturing):
    lanes.abandon()
    lanes.begin()
    first = lanes._streams[0]
    first.is_capturing.return_value = capturing
    first.end_capture.side_effect = CUDARuntimeError("cudaErrorStreamCaptureInvalidated")
    lanes.abandon()
    assert first.end_capture.call_count == capturing
    lanes.begin()
    assert machine.streams == 4


def test_what_these_answers_stand_for_is_in_cupy():
    assert "disable_timing" in cupy.cuda.Event.__doc__
    assert "non_blocking" in cupy.cuda.Stream.__doc__
    assert issubclass(cupy.cuda.runtime.CUDARuntimeError, RuntimeError)
    assert callable(cupy.cuda.get_current_stream)
    assert callable(cupy.cuda.function.CIntptr)
    assert hasattr(cupy.RawKernel, "kernel")


def test_the_host_lanes_have_the_lanes_methods():
    for cls in (Lanes, HostLanes):
        assert {"prepare", "enter", "begin", "issue", "record", "wait", "end", "abandon"} == {
            name for name in vars(cls) if not name.startswith("_")
        }


def test_a_thread_has_its_lanes_on_a_stream_as_long_as_somebody_keeps_them(machine, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.device.probe", lambda ordinal: None)
    device = Device.__new__(Device)
    device._cupy, device._dtype, device.ordinal = machine.cupy, np.dtype("float32"), 0
    device._local = SimpleNamespace()
    monkeypatch.setattr(device, "empty", lambda shape, dtype: np.empty(shape, dtype))
    first = device.lanes()
    assert device.lanes() is first
    machine.current = machine.stream(9)
    assert device.lanes() is not first
    machine.current = machine.stream(0)
    assert device.lanes() is first
    handles = len([each for each in machine.asked if each[0] == "handle"])
    del first
    gc.collect()
    device.lanes()
    assert len([each for each in machine.asked if each[0] == "handle"]) == handles + 2
