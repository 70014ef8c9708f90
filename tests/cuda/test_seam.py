"""What the seam hands over, taken by CuPy's and NVIDIA's own functions, up to the missing driver.

They convert arguments before they ask for a driver: a wrong type, or one argument too many, fails here.
"""

from functools import partial
from inspect import signature
from types import SimpleNamespace

import cupy_private
import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')
pytest.importorskip("nvmath", reason='needs nvmath-python, not a GPU: pip install -e ".[test]"')

import cupy
from fuseprop_cupy.device.blas import Blas
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.kernel_list import kernels
from fuseprop_cupy.device.launch import NULL
from fuseprop_cupy.device.nodes import Run
from nvmath.bindings import cublas
from test_device import has_driver

DTYPES = [np.dtype("float32"), np.dtype("float64")]
BYTES = {"int": 4, "long long": 8, "float": 4, "double": 8, "pointer": 8}
WITHOUT_A_DRIVER = pytest.mark.skipif(has_driver(), reason="this machine has a GPU: the contract runs there")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_number_is_as_wide_for_cuda_as_its_parameter(dtype):
    for kernel in kernels(dtype).values():
        for parameter in kernel.parameters:
            width = cupy_private.width(NULL if parameter.pointer else parameter.dtype.type(1))
            c_type = "pointer" if parameter.pointer else parameter.c_type
            assert width == BYTES[c_type], (kernel.name, parameter)


@WITHOUT_A_DRIVER
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_prepared_launch_is_taken_by_cupys_function(dtype, monkeypatch):
    """Addresses, numbers and null pointers of every kernel; the driver refuses a function that is none."""
    monkeypatch.setattr("fuseprop_cupy.device.device.probe", lambda ordinal: None)
    device = Device(0, dtype)
    function = cupy_private.function_without_code()
    monkeypatch.setattr(device, "_function", lambda kernel: SimpleNamespace(kernel=function))
    host = np.zeros(1, dtype)
    array = cupy_private.array_over(host, host.ctypes.data, host.shape, host.dtype)
    for kernel in kernels(dtype).values():
        arguments = tuple(
            (NULL if parameter.optional else array) if parameter.pointer else parameter.dtype.type(1)
            for parameter in kernel.parameters
        )
        launch = device.prepare(Run(kernel, (1, 1), arguments))
        on = SimpleNamespace(ptr=0)  # its own argument, so that CuPy need not ask the driver for the stream
        with pytest.raises(RuntimeError):
            launch(0, on)
        with pytest.raises(TypeError):
            partial(launch.func, *launch.args[:2], ["not a number"])(0, on)


@WITHOUT_A_DRIVER
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("turned", [False, True])
def test_a_product_is_taken_by_nvidias_function(dtype, turned, monkeypatch):
    library = SimpleNamespace(
        **{name: getattr(cublas, name) for name in ("set_stream", "set_workspace", "gemm_ex")},
        **{name: getattr(cublas, name) for name in ("ComputeType", "Operation", "GemmAlgo")},
        create=lambda: 77,
    )
    monkeypatch.setattr("fuseprop_cupy.device.blas.import_cublas", lambda: library)
    monkeypatch.setattr("fuseprop_cupy.device.blas._spare", {})
    host = np.zeros((2, 2), dtype)
    array = cupy_private.array_over(host, host.ctypes.data, host.shape, host.dtype)
    blas = Blas(dtype, array)
    for call in (blas.product(array, array.T if turned else array, array), partial(blas.use, 9)):
        with pytest.raises(RuntimeError, match=r"driver|cublas"):
            call()


def test_cublas_numbers_are_those_of_its_header():
    """`cublas_api.h` and `library_types.h`: the bindings may number otherwise, the library does not."""
    found = cublas.ComputeType.COMPUTE_32F, cublas.ComputeType.COMPUTE_64F, cublas.GemmAlgo.DFALT
    assert [int(number) for number in found] == [68, 70, -1]
    assert (int(cublas.Operation.N), int(cublas.Operation.T)) == (0, 1)
    assert (cupy.cuda.runtime.CUDA_R_32F, cupy.cuda.runtime.CUDA_R_64F) == (0, 1)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (cupy.cuda.Stream.__init__, {"non_blocking": True}),
        (cupy.cuda.Event.__init__, {"disable_timing": True}),
        (cupy.cuda.Event.__init__, {}),
    ],
)
def test_streams_and_events_are_made_so(function, options):
    signature(function).bind(None, **options)


@pytest.mark.parametrize("method", ["launch", "upload"])
def test_a_graph_is_launched_on_the_current_stream_or_another(method):
    assert getattr(cupy.cuda.Graph, method).__doc__.startswith(f"Graph.{method}(self, stream=None)")
