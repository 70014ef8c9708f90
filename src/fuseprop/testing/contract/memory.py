"""The contract of memory: allocations, transfers, views, and what a backend says of itself."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuseprop.backend import INTEGER, AnyBackend, Backend, BackendUnavailable
from fuseprop.backend.seam import option
from fuseprop.testing.contract.calls import Calls
from fuseprop.testing.contract.parity import assert_equal


class MemoryContract:
    """What a backend is, and how arrays come and go."""

    def test_attributes(self, backend: AnyBackend) -> None:
        """A backend says what it is and where it computes."""
        assert backend.name
        assert backend.name == backend.name.strip()
        assert backend.device
        assert backend.dtype in (np.float32, np.float64)

    def test_signatures_are_the_protocols(self, backend: AnyBackend) -> None:
        """Every method takes exactly the parameters of the protocol: names, kinds and defaults."""
        for name, method in inspect.getmembers(Backend, inspect.isfunction):
            if name.startswith("_"):
                continue
            expected = inspect.signature(method).parameters.values()
            actual = inspect.signature(getattr(type(backend), name)).parameters.values()
            assert [(p.name, p.kind, p.default) for p in actual] == [
                (p.name, p.kind, p.default) for p in expected
            ], name

    def test_unknown_dtype_is_refused(self, backend: AnyBackend) -> None:
        """Only float32 and float64 are dtypes."""
        with pytest.raises(ValueError, match="float16"):
            type(backend)(dtype="float16")  # type: ignore[call-arg]

    def test_unknown_device_is_unavailable(self, backend: AnyBackend) -> None:
        """A device that does not exist is never replaced by another."""
        with pytest.raises(BackendUnavailable, match="nowhere"):
            type(backend)(dtype="float32", device="nowhere:7")  # type: ignore[call-arg]

    @pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2**18 + 1,)])
    def test_allocation(self, backend: AnyBackend, shape: tuple[int, ...]) -> None:
        """New arrays have the shape and dtype asked for; zeros are zero."""
        for make in (backend.empty, backend.zeros):
            assert (make(shape).shape, make(shape).dtype) == (shape, backend.dtype)
            assert make(shape, INTEGER).dtype == INTEGER
        assert not backend.to_host(backend.zeros(shape)).any()
        assert not backend.to_host(backend.zeros(shape, INTEGER)).any()

    def test_host_arrays_go_there_and_back(self, backend: AnyBackend) -> None:
        """Values, any strides, cast to the dtype; the round trip is a copy."""
        host = np.arange(24, dtype=np.float64).reshape(4, 6)
        for source in (host, host.T, host[::2, ::3], np.asfortranarray(host), host.astype(np.int32)):
            array = backend.from_host(source)
            assert array.dtype == backend.dtype
            back = backend.to_host(array)
            assert back.dtype == backend.dtype
            np.testing.assert_array_equal(back, source)
        assert backend.from_host(np.array([1, 2]), dtype=INTEGER).dtype == INTEGER

    @pytest.mark.parametrize("size", [3, 5000])
    def test_nothing_is_shared_with_the_host(self, backend: AnyBackend, size: int) -> None:
        """The backend goes on using neither the host array that it was given nor the one that it returned."""
        host = np.ones(size, backend.dtype)
        array = backend.from_host(host)
        host[:] = 2
        back = backend.to_host(array)
        back[:] = 3
        np.testing.assert_array_equal(backend.to_host(array), 1)

    def test_arrays_of_others(self, backend: AnyBackend) -> None:
        """NumPy arrays of any strides and dtype, and objects that speak DLPack, keep their values."""
        host = np.arange(24, dtype=np.float64).reshape(4, 6)
        frozen = host.astype(backend.dtype)
        frozen.flags.writeable = False
        for source in (host, host.T, host[::2, ::3], host.astype(np.float32), frozen, _Foreign(host)):
            shared = backend.share(source)
            assert shared.dtype == backend.dtype
            np.testing.assert_array_equal(backend.to_host(shared), getattr(source, "values", source))

    def test_arrays_on_the_host_are_shared_as_they_are(self, backend: AnyBackend) -> None:
        """What has the dtype, C-contiguous, is not copied: what its owner changes there is seen.

        A backend with ``host_memory = False`` may copy: its device has memory of its own.
        """
        if not option(backend, "host_memory"):
            pytest.skip(f"{backend.name} cannot compute where the host's arrays are")
        for wrap in (np.asarray, _Foreign):
            host = _aligned(24, backend.dtype).reshape(4, 6)
            host[...] = np.arange(24).reshape(4, 6)
            shared = backend.share(wrap(host))
            host[2] = -1
            what = f"share({'a NumPy array' if wrap is np.asarray else 'an array that speaks DLPack'} "
            what += f"{backend.dtype} (4, 6)), changed in row 2 by its owner: a copy was made"
            assert_equal(backend.to_host(shared), host, what)

    def test_arrays_on_the_device_are_shared_as_they_are(self, backend: AnyBackend) -> None:
        """Where a backend's own arrays speak DLPack, others of its device that do are not copied."""
        own = backend.from_host(np.arange(24.0).reshape(4, 6))
        if not hasattr(own, "__dlpack__"):
            pytest.skip(f"the arrays of {backend.name} do not speak DLPack")
        shared = backend.share(_Foreign(own))
        backend.from_host(np.full((1, 6), -1.0), out=own[2:3])
        what = f"share(an array of {backend.device} that speaks DLPack), changed in row 2: a copy was made"
        assert_equal(backend.to_host(shared), backend.to_host(own), what)

    def test_from_host_into_an_array(self, backend: AnyBackend) -> None:
        """The array itself receives the values, and keeps its dtype; another shape is refused."""
        out = backend.zeros((2, 3))
        view = out[1:2]
        backend.from_host(np.arange(6, dtype=np.float64).reshape(2, 3), out=out)
        np.testing.assert_array_equal(backend.to_host(view), [[3, 4, 5]])
        numbers = backend.zeros((2,), INTEGER)
        backend.from_host(np.array([5, 6]), out=numbers)
        np.testing.assert_array_equal(backend.to_host(numbers), [5, 6])
        with pytest.raises(ValueError, match="shape"):
            backend.from_host(np.zeros((3, 2)), out=out)
        np.testing.assert_array_equal(backend.to_host(out), [[0, 1, 2], [3, 4, 5]])

    @pytest.mark.parametrize("n", [3, 2**20])
    def test_host_arrays_come_in_turn(self, backend: AnyBackend, n: int) -> None:
        """Calls before an upload read the old values, and the host array may be changed right after it."""
        calls = Calls(backend)
        host, there = np.empty(n, backend.dtype), backend.empty((n,))
        kept = [backend.empty((n,)) for _ in range(6)]
        for number, out in enumerate(kept):
            host[:] = number
            backend.from_host(host, out=there)
            calls.copy(there, out=out)
        host[:] = -1
        for number, out in enumerate(kept):
            calls.assert_equal(out, number)

    def test_copy(self, backend: AnyBackend) -> None:
        """Copies are independent."""
        calls = Calls(backend)
        source = backend.from_host(np.arange(5.0))
        out = backend.empty((5,))
        calls.copy(source, out=out)
        backend.from_host(np.zeros(5), out=source)
        backend.synchronize()
        calls.assert_equal(out, np.arange(5))

    def test_views_share_memory(self, backend: AnyBackend) -> None:
        """Rows, reshaped views and views of views share the memory of their array."""
        flat = backend.zeros((24,))
        block = flat[4:16].reshape((3, 4))
        backend.from_host(np.arange(12.0).reshape(3, 4), out=block)
        backend.from_host(np.full((1, 4), 9.0), out=block[1:2])
        expected = np.zeros(24)
        expected[4:16] = [0, 1, 2, 3, 9, 9, 9, 9, 8, 9, 10, 11]
        np.testing.assert_array_equal(backend.to_host(flat), expected)
        assert (block.shape, block.T.shape, block[1:3].shape) == ((3, 4), (4, 3), (2, 4))


def _aligned(size: int, dtype: Any) -> NDArray[Any]:
    """Return an array that begins at a multiple of 64 bytes, which some libraries ask of what they share."""
    dtype = np.dtype(dtype)
    raw = np.zeros(64 + size * dtype.itemsize, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * dtype.itemsize].view(dtype)


class _Foreign:
    """An array of another library: it speaks DLPack and nothing else."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __dlpack__(self, **options: Any) -> object:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, number = self.values.__dlpack_device__()
        return kind, number
