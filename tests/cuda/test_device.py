"""The only part of the backend that a machine without a GPU cannot run: each method gets as far as CUDA.

A wrong name, or arguments that CuPy does not take, fail before that. On a machine with a GPU the contract
runs these methods for good: pytest -m gpu --backends=cupy.
"""

import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
import cupy_private
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.kernel_list import kernels
from fuseprop_cupy.device.nodes import Copy, Multiply, Reduce, Run
from host_device import HostRunBackend
from two_threads import in_threads

from fuseprop.world import ALONE

INSUFFICIENT_DRIVER = 35


def has_driver():
    try:
        return cupy.cuda.runtime.getDeviceCount() > 0
    except RuntimeError:
        return False


def softmax(a, b):
    """A launch."""
    kernel = kernels(np.dtype("float32"))["softmax<float>"]
    return Run(kernel, (1,), (a, b, np.int64(2), np.int64(2), np.int32(2)))


CALLS = {
    "enter": lambda device, a, b: device.enter(),
    "empty": lambda device, a, b: device.empty((2, 3), np.dtype("float32")),
    "adopt": lambda device, a, b: device.adopt(a),
    "fill_zero": lambda device, a, b: device.fill_zero(a),
    "upload": lambda device, a, b: device.upload(np.ones((2, 2), np.float32), a),
    "download": lambda device, a, b: device.download(a),
    "copy": lambda device, a, b: device.copy(a, b),
    "multiply": lambda device, a, b: device.multiply(a, a.T, b),
    "prepare": lambda device, a, b: device.prepare(softmax(a, b))(),
    "prepare, a product": lambda device, a, b: device.prepare(Multiply(a, a.T, b))(),
    "prepare, a copy": lambda device, a, b: device.prepare(Copy(a, b))(),
    "prepare, a sum": lambda device, a, b: device.prepare(Reduce(a, ALONE))(),
    "connect": lambda device, a, b: device.connect(ALONE),
    "reduce": lambda device, a, b: device.reduce(a, ALONE),
    "streams": lambda device, a, b: device.streams(),
    "current_stream": lambda device, a, b: device.current_stream(),
    "synchronize": lambda device, a, b: device.synchronize(),
    "allocated": lambda device, a, b: device.allocated(),
    "memory": lambda device, a, b: device.memory(),
    "provenance": lambda device, a, b: device.provenance(),
    "release": lambda device, a, b: device.release(),
    "described": lambda device, a, b: device.described(),
    "run": lambda device, a, b: device.run(
        softmax(a, b).kernel, (1,), (a, b, np.int64(2), np.int64(2), np.int32(2))
    ),
}


@pytest.mark.skipif(has_driver(), reason="this machine has a GPU: the contract runs there")
@pytest.mark.parametrize("name", CALLS)
def test_every_method_reaches_cuda(name, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.device.device.probe", lambda ordinal: None)
    memory = np.zeros((2, 2, 2), np.float32)
    a, b = (cupy_private.array_over(memory, half.ctypes.data, (2, 2), memory.dtype) for half in memory)
    with pytest.raises((cupy.cuda.runtime.CUDARuntimeError, ImportError)) as raised:
        CALLS[name](Device(0, np.dtype("float32")), a, b)
    without_cublas = ("multiply" in name or "product" in name) and "libcublas" in str(
        raised.value
    )  # not in the extra `test`
    assert without_cublas or raised.value.status == INSUFFICIENT_DRIVER


def test_every_method_is_called():
    assert {name for name in vars(Device) if not name.startswith("_")} == {
        name.partition(",")[0] for name in CALLS
    }


class TwoDevices:
    """A CuPy with two devices: which one is current is each thread's own affair, and the first at first."""

    def __init__(self):
        local = threading.local()
        stream = SimpleNamespace(ptr=0)  # the default one, at the same address for all threads

        def use(ordinal):
            local.current = ordinal
            self.set += 1

        self.set = 0
        self.current = lambda: getattr(local, "current", 0)
        self.ndarray = np.ndarray
        self.cuda = SimpleNamespace(
            Device=lambda ordinal: SimpleNamespace(use=lambda: use(ordinal), compute_capability="90"),
            runtime=SimpleNamespace(getDevice=self.current),
            alloc_pinned_memory=None,
            get_current_stream=lambda: stream,
        )


@pytest.fixture
def two(monkeypatch):
    return put_two(monkeypatch)


def put_two(monkeypatch):
    """Put a `TwoDevices` in the place of CuPy; return it and a `Device` for each."""
    made = TwoDevices()
    monkeypatch.setitem(sys.modules, "cupy", made)
    monkeypatch.setattr("fuseprop_cupy.device.device.probe", lambda ordinal: None)
    return made, [Device(ordinal, np.dtype("float32")) for ordinal in (0, 1)]


def test_a_device_is_current_whatever_was_in_between(two):
    """Another backend, or the user's own code, may have made another one current."""
    cupy, (first, second) = two
    for device in (first, second, first, second, second):
        device.enter()
        assert cupy.current() == device.ordinal
    cupy.cuda.Device(0).use()
    second.enter()
    assert cupy.current() == 1


def test_a_device_is_not_set_where_it_is_current(two):
    cupy, (_, second) = two
    for _ in range(3):
        second.enter()
    assert cupy.set == 1


def test_a_device_is_current_in_every_thread(two):
    """Each thread begins with the first device, whatever others have done."""
    cupy, (_, second) = two
    second.enter()

    def enter():
        before = cupy.current()
        second.enter()
        return before, cupy.current()

    assert in_threads(enter, enter) == [(0, 1), (0, 1)]


class Streams:
    """A thread's streams, which only are."""

    def __init__(self, cupy, ordinal, dtype, empty, prepare):
        self.thread = threading.get_ident()


def test_every_thread_has_streams_of_its_own(two, monkeypatch):
    """On the default stream too, whose address all threads share."""
    monkeypatch.setattr("fuseprop_cupy.device.device.Streams", Streams)
    _, (first, second) = two

    def take():
        kept = first.streams(), second.streams()
        assert first.streams() is kept[0]
        assert {streams.thread for streams in kept} == {threading.get_ident()}
        return kept

    here, (one, other) = take(), in_threads(take, take)
    assert len({id(streams) for pair in (here, one, other) for streams in pair}) == 6


def test_every_thread_has_a_temporary_array_of_its_own():
    backend = HostRunBackend()
    scratch = [backend._scratch(8), *in_threads(lambda: backend._scratch(8), lambda: backend._scratch(8))]
    assert len({array.data.ptr for array in scratch}) == 3
    assert backend._scratch(4) is scratch[0]


def test_every_stream_has_a_temporary_array_of_its_own():
    """One stream would write over the partial sums that another has yet to add up."""
    backend = HostRunBackend()
    device, first, second = backend.seam, SimpleNamespace(ptr=8), SimpleNamespace(ptr=9)
    device.current = first
    sums = backend._scratch(8)
    device.current = second
    others = backend._scratch(8)
    assert others.data.ptr != sums.data.ptr
    assert backend._scratch(8) is others
    assert backend._local.stream is second  # its address is not to be another stream's meanwhile
    device.current = first
    assert backend._scratch(4) is not others
