"""The CuPy backend's own code, executed: the whole contract over it, and everything it refuses.

What every kernel computes stands in `test_executed.py`. Of the contract a landing takes as many cases as have
every value, and .ci/long the others: fibers take their time.
"""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
from fuseprop_cupy.device.device import Device
from host_device import HostDevice, HostRunBackend

from fuseprop import MomentumSGD, Network, load_backend, mlp
from fuseprop.backend import INTEGER, BackendUnavailable, OutOfMemory
from fuseprop.formulas import ACTIVATIONS, ADAM, LOSSES, MOMENTUM
from fuseprop.testing import BackendContract
from fuseprop.testing.contract import memory


@pytest.fixture
def backend(request):
    return HostRunBackend(request.param)


@pytest.fixture
def float32():
    return HostRunBackend("float32")


@pytest.mark.values
@pytest.mark.parametrize("backend", ["float32", "float64"], indirect=True)
class TestContract(BackendContract):
    @pytest.fixture(autouse=True)
    def one_for_several(self, monkeypatch):
        """Let one process stand for several, on one GPU, as the contract's sums have it."""
        monkeypatch.setattr("fuseprop_cupy.device.sums._check", lambda places: None)

    @pytest.fixture(autouse=True)
    def on_a_gpu(self, monkeypatch):
        """Let arrays of CuPy's say that they are on a GPU: it would ask the driver."""
        asked = memory._Foreign.__dlpack_device__
        monkeypatch.setattr(
            memory._Foreign,
            "__dlpack_device__",
            lambda self: (2, 0) if isinstance(self.values, cupy.ndarray) else asked(self),
        )


def matrix(backend, *shape, dtype=None):
    return backend.zeros(shape, dtype)


REFUSED = {
    "a host array": (
        lambda b: np.zeros((2, 3), "float32"),
        TypeError,
        "array on cuda:0, got ndarray.*from_host",
    ),
    "another dtype": (
        lambda b: matrix(b, 2, 3, dtype=np.dtype("float64")),
        TypeError,
        "float32, got float64",
    ),
    "integers": (lambda b: matrix(b, 2, 3, dtype=INTEGER), TypeError, "float32, got int64"),
    "a transposed view": (lambda b: matrix(b, 3, 2).T, ValueError, "C-contiguous.*Only matmul"),
    "nothing": (lambda b: None, AttributeError, "shape"),
    "another shape": (lambda b: matrix(b, 3, 2), ValueError, r"must have shape \(3, 2\), got \(2, 3\)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_kernel_would_misread_is_refused(float32, what):
    make, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        float32.softmax(make(float32), out=matrix(float32, 2, 3))


def test_uploads_into_a_transposed_view_are_refused(float32):
    with pytest.raises(ValueError, match="from_host needs a C-contiguous out"):
        float32.from_host(np.zeros((3, 2)), out=matrix(float32, 2, 3).T)


def test_copies_are_of_equal_dtype_and_contiguous(float32):
    a, b = matrix(float32, 3, 3), matrix(float32, 3, 3, dtype=np.dtype("float64"))
    with pytest.raises(TypeError, match="equal dtypes, got float64 and float32"):
        float32.copy(b, out=a)
    with pytest.raises(ValueError, match="C-contiguous"):
        float32.copy(a.T, out=a)


def test_an_array_of_another_device_is_refused(float32, monkeypatch):
    foreign = HostRunBackend("float32", "cuda:1")
    with pytest.raises(TypeError, match=r"must be on cuda:1, got an array on cuda:0"):
        foreign.softmax(matrix(float32, 2, 3), out=matrix(float32, 2, 3))


def test_a_dtype_that_no_kernel_has_is_refused(float32):
    source = matrix(float32, 4, 3, dtype=np.dtype("float64"))
    order, cursor = matrix(float32, 4, dtype=INTEGER), matrix(float32, 1, dtype=INTEGER)
    with pytest.raises(TypeError, match=r"float32 backend has no kernel take_rows<double>"):
        float32.take_rows(source, order, cursor, out=matrix(float32, 2, 3, dtype=np.dtype("float64")))
    with pytest.raises(TypeError, match="out must be float32, got int64"):
        float32.take_rows(matrix(float32, 4, 3), order, cursor, out=matrix(float32, 2, 3, dtype=INTEGER))


def arrays(backend):
    """Arrays of four rows, and some that are one row short."""
    return SimpleNamespace(
        whole=matrix(backend, 4, 3),
        other=matrix(backend, 4, 3),
        turned=matrix(backend, 3, 4),
        rows=matrix(backend, 4),
        short=matrix(backend, 3),
        one_each=matrix(backend, 1, 4),
        cursor=matrix(backend, 1, dtype=INTEGER),
        labels=matrix(backend, 4, dtype=INTEGER),
    )


GELU, HUBER = ACTIVATIONS["gelu"]().formula, LOSSES["huber"]().formula

MISFITS = {
    "copy": lambda b, a: b.copy(a.rows, out=a.short),
    "take_rows": lambda b, a: b.take_rows(a.whole, a.labels, a.cursor, out=a.turned),
    "take_rows, cursor": lambda b, a: b.take_rows(a.whole, a.labels, a.labels, out=a.other),
    "put_rows": lambda b, a: b.put_rows(a.whole, a.cursor, out=a.rows),
    "advance": lambda b, a: b.advance(a.labels, 1),
    "matmul": lambda b, a: b.matmul(a.whole, a.whole, out=a.other),
    "matmul, out": lambda b, a: b.matmul(a.whole, a.turned, out=a.other),
    "bias_activation": lambda b, a: b.bias_activation(a.whole, a.rows, GELU, out=a.other),
    "bias_activation, kept": lambda b, a: b.bias_activation(a.whole, None, GELU, out=a.whole, kept=a.turned),
    "activation_backward": lambda b, a: b.activation_backward(
        a.whole, a.whole, GELU, out=a.other, bias_gradient=a.rows
    ),
    "dropout": lambda b, a: b.dropout(a.whole, 0.5, 0, a.cursor, out=a.turned),
    "dropout, step": lambda b, a: b.dropout(a.whole, 0.5, 0, a.labels, out=a.other),
    "loss_of_rows": lambda b, a: b.loss_of_rows(
        a.whole, a.whole, a.rows, HUBER, 0.5, losses=a.short, gradient=a.other
    ),
    "loss_of_rows, gradient": lambda b, a: b.loss_of_rows(
        a.whole, a.whole, a.rows, HUBER, 0.5, losses=a.rows, gradient=a.turned
    ),
    "loss_of_rows, target": lambda b, a: b.loss_of_rows(
        a.whole, a.turned, a.rows, HUBER, 0.5, losses=a.rows, gradient=a.other
    ),
    "loss_of_rows, weights": lambda b, a: b.loss_of_rows(
        a.whole, a.whole, a.short, HUBER, 0.5, losses=a.rows, gradient=a.other
    ),
    "clip_norm": lambda b, a: b.clip_norm(a.rows, 1.0, norm=a.short),
    "softmax_cross_entropy": lambda b, a: b.softmax_cross_entropy(
        a.whole, a.labels, a.rows, losses=a.rows, gradient=a.turned
    ),
    "softmax": lambda b, a: b.softmax(a.whole, out=a.turned),
    "argmax_equals": lambda b, a: b.argmax_equals(a.whole, a.labels, out=a.short),
    "threshold_equals": lambda b, a: b.threshold_equals(a.whole, a.whole[:3], 0, 0, out=a.rows),
    "sum_squares": lambda b, a: b.sum_squares(a.rows, out=a.short),
    "update": lambda b, a: b.update(a.rows, a.rows, a.short, a.rows, ADAM, decay_ranges=[]),
    "update, moments": lambda b, a: b.update(a.rows, a.rows, a.whole, a.rows, ADAM, decay_ranges=[]),
    "update, settings": lambda b, a: b.update(a.rows, a.rows, a.one_each, a.rows, MOMENTUM, decay_ranges=[]),
}


@pytest.mark.parametrize("call", MISFITS)
def test_arrays_that_do_not_fit_are_refused_before_any_launch(float32, call):
    with pytest.raises(ValueError, match=r"must (have shape|be equal)"):
        MISFITS[call](float32, arrays(float32))
    assert float32._device.launched == []


def test_a_wrong_number_of_arguments_is_refused(float32):
    launch = float32._launches["softmax<float>"]
    with pytest.raises(TypeError, match=r"softmax<float> takes 5 arguments, got 2"):
        launch(1, matrix(float32, 2, 3), matrix(float32, 2, 3))


def test_numbers_are_cast_to_the_parameters_types(float32, monkeypatch):
    seen = []
    monkeypatch.setattr(float32._device, "run", lambda kernel, grid, arguments: seen.extend(arguments))
    y, rows = matrix(float32, 4, 3), matrix(float32, 4)
    float32.loss_of_rows(y, y, rows, HUBER, np.float64(1) / 3, losses=rows, gradient=matrix(float32, 4, 3))
    numbers = [argument for argument in seen if not isinstance(argument, cupy.ndarray | np.uintp)]
    assert [type(number) for number in numbers] == [*[np.float32] * 3, np.int64, np.int64, np.int32]
    assert numbers[3:] == [4, 3, 4]


def test_host_arrays_are_cast_as_numpy_casts_them(float32):
    out = matrix(float32, 2, dtype=INTEGER)
    with pytest.raises(TypeError, match="Cannot cast"):
        float32.from_host(np.array([1.5, 2.5]), out=out)
    strided = np.arange(12.0).reshape(3, 4).T[::2]
    np.testing.assert_array_equal(float32.to_host(float32.from_host(strided)), strided)


@pytest.mark.parametrize("device", ["cpu", "cuda:", "cuda:x", "cuda:-1", "1", ""])
def test_devices_that_are_none(device):
    with pytest.raises(BackendUnavailable, match='computes on "cuda" or "cuda:N"'):
        HostRunBackend("float32", device)


def test_names():
    backend = HostRunBackend("float64", "cuda")
    assert (backend.name, backend.device, backend.dtype) == ("cupy", "cuda:0", np.float64)
    with pytest.raises(ValueError, match=r'dtype must be.*"float16"|float16'):
        HostRunBackend("float16")


def test_out_of_memory_says_how_much_and_what_to_try(float32, monkeypatch):
    def full(shape, dtype):
        raise cupy.cuda.memory.OutOfMemoryError(2**40, 0, 0)

    monkeypatch.setattr(float32._device, "empty", full)
    for call in (float32.empty, float32.zeros, lambda shape: float32.from_host(np.zeros(shape))):
        with pytest.raises(
            OutOfMemory, match=r"\(512, 1024\) float32 \(2\.0 MiB\): 1,024\.0 of 1,024\.0 MiB are free"
        ) as raised:
            call((512, 1024))
        assert raised.value.asked == 4 * 512 * 1024
        assert raised.value.room() == 2**30


def trained(backend, epochs):
    """A small network on two spirals of points, and its history."""
    rng = np.random.default_rng(0)
    angle = np.sqrt(rng.uniform(size=200)) * 6
    side = rng.integers(0, 2, 200)
    X = np.stack([angle * np.cos(angle + np.pi * side), angle * np.sin(angle + np.pi * side)], axis=1) / 6
    network = Network(mlp([2, 24, 12, 2], "tanh"), "softmax_cross_entropy", seed=0, backend=backend)
    optimizer = MomentumSGD(0.1, 0.9, weight_decay=1e-5, nesterov=True)
    history = network.fit(X, side, optimizer, epochs=epochs, batch_size=24, validation=0.2)
    return network, history


@pytest.mark.parametrize(("epochs", "accuracy"), [(6, 0.75), pytest.param(60, 0.95, marks=pytest.mark.long)])
def test_a_network_learns_through_the_backends_code(epochs, accuracy):
    network, history = trained(HostRunBackend("float64"), epochs)
    reference, expected = trained(load_backend("cpu", "float64"), epochs)
    assert history.train_metric[-1] > accuracy
    np.testing.assert_allclose(history.train_loss, expected.train_loss, rtol=1e-9)
    np.testing.assert_allclose(history.validation_loss, expected.validation_loss, rtol=1e-9)
    for ours, theirs in zip(network.weights(), reference.weights(), strict=True):
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-9)
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-9)


def test_an_epoch_allocates_nothing_and_reads_back_once(float32, monkeypatch):
    """Everything that the history wants comes in one piece; the first epoch may still grow its scratch."""
    rng, per_epoch, downloads = np.random.default_rng(0), [], []
    network = Network(mlp([5, 300, 3]), "softmax_cross_entropy", seed=0, backend=float32)
    device = float32._device
    download = device.download
    monkeypatch.setattr(device, "download", lambda array: downloads.append(1) or download(array))

    class Count:
        def start(self, epochs, history):
            pass

        def epoch_end(self, history):
            per_epoch.append((device.allocations, len(downloads)))

        def end(self, history):
            pass

    X, labels = rng.normal(size=(600, 5)), rng.integers(0, 3, 600)
    network.fit(X, labels, epochs=3, batch_size=400, callbacks=[Count()])
    assert per_epoch[2][0] == per_epoch[1][0] == per_epoch[0][0]
    assert per_epoch[2][1] - per_epoch[1][1] == 1


def test_the_host_device_has_the_devices_methods():
    def public(cls):
        return {
            name: inspect.signature(member)
            for name, member in vars(cls).items()
            if not name.startswith("_") and inspect.isfunction(member)
        }

    plain = {name: list(signature.parameters) for name, signature in public(Device).items()}
    assert {name: list(signature.parameters) for name, signature in public(HostDevice).items()} == plain


class OfAnOldLibrary:
    """An array on the host that cannot be asked for a device: that came into DLPack in 2023."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, *, stream=None):
        return self.values.__dlpack__(stream=stream)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


def test_arrays_on_the_host_are_taken_from_old_libraries_too(float32):
    values = np.arange(6, dtype=float32.dtype).reshape(2, 3)
    np.testing.assert_array_equal(float32.to_host(float32.share(OfAnOldLibrary(values))), values)
