"""The only part of the backend that a machine without a GPU cannot run: each method gets as far as CUDA.

A wrong name, or arguments that CuPy does not take, fail before that. On a machine with a GPU the contract
runs these methods for good: pytest -m gpu --backends=cupy.
"""

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
import cupy_private
from fuseprop_cupy.catalog import kernels
from fuseprop_cupy.device import Device
from fuseprop_cupy.nodes import Copy, Multiply, Run

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
    "lanes": lambda device, a, b: device.lanes(),
    "synchronize": lambda device, a, b: device.synchronize(),
    "memory": lambda device, a, b: device.memory(),
    "release": lambda device, a, b: device.release(),
    "run": lambda device, a, b: device.run("softmax<float>", (1,), (128,), (a, b, np.int64(2), np.int32(2))),
}


@pytest.mark.skipif(has_driver(), reason="this machine has a GPU: the contract runs there")
@pytest.mark.parametrize("name", CALLS)
def test_every_method_reaches_cuda(name, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.device.probe", lambda ordinal: None)
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
