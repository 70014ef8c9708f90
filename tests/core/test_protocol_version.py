"""The version of the seam: what a backend must have, what it may leave out, what is said of another."""

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop import BackendUnavailable, Network, load_backend, mlp
from fuseprop.backend import registry
from fuseprop.backend.seam import OPTIONAL, REQUIRED, VERSION, check_backend


class Entry:
    def __init__(self, kind):
        self.kind = kind

    def load(self):
        return self.kind


@pytest.fixture
def mine(monkeypatch):
    """Register a class as the backend "mine"."""

    def register(kind):
        entries = {**registry._installed(), "mine": Entry(kind)}
        monkeypatch.setattr(registry, "_installed", lambda: entries)

    return register


class Newer(NumpyBackend):
    protocol_version = VERSION + 1


class Older(NumpyBackend):
    protocol_version = VERSION - 1


class Of1:
    """A backend as version 1 had it: it says no version, and has a method for each formula."""

    def __init__(self, dtype="float32", device="cpu"):
        self._own = NumpyBackend(dtype, device)

    def __getattr__(self, name):
        if name in ("protocol_version", "loss_of_rows", "update"):
            raise AttributeError(name)
        return getattr(self._own, name)

    def squared_error(self, output, target, row_weights, factor, *, losses, gradient): ...

    def momentum_sgd(self, values, gradients, velocities, settings, *, decay_ranges, nesterov): ...


class Lacking:
    """A backend without one of its methods."""

    def __init__(self, dtype="float32", device="cpu"):
        self._own = NumpyBackend(dtype, device)

    def __getattr__(self, name):
        if name == "softmax":
            raise AttributeError(name)
        return getattr(self._own, name)


@pytest.mark.parametrize(
    ("name", "value"), [("protocol_version", "1"), ("protocol_version", None), ("protocol_version", True)]
)
@pytest.mark.parametrize(
    ("room_name", "room"), [("chunk_bytes", "4 MiB"), ("chunk_bytes", 0), ("chunk_bytes", 1e6)]
)
def test_options_are_whole_numbers(name, value, room_name, room):
    for option, said in ((name, value), (room_name, room)):
        mistaken = type("Mistaken", (NumpyBackend,), {option: said})
        with pytest.raises(
            BackendUnavailable, match=f"Mistaken says {option}={said!r}, where a whole number"
        ):
            check_backend(mistaken())


def test_all_members_of_the_protocol_are_required():
    assert {"name", "dtype", "matmul", "compile", "session"} <= set(REQUIRED)
    assert not set(REQUIRED) & set(OPTIONAL)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            Newer,
            f"Newer was written for version {VERSION + 1} .*has version {VERSION}. Install a newer fuseprop",
        ),
        (
            Older,
            f"Older was written for version {VERSION - 1} .*has version {VERSION}. Install a newer Older",
        ),
        (
            Of1,
            "Of1 was written for version 1 of the seam .*this fuseprop has version 2. "
            "Install a newer Of1, or move it on as backends/README.md says",
        ),
        (
            Lacking,
            r"Lacking does not fit .* \(version 2\): it lacks softmax\(logits, \*, out\)\. See",
        ),
    ],
)
def test_a_backend_of_another_version_is_refused_at_each_door(mine, kind, said):
    mine(kind)
    with pytest.raises(BackendUnavailable, match=said):
        load_backend("mine")
    with pytest.raises(BackendUnavailable, match=said):
        Network(mlp([2, 1]), "half_squared_error", backend=kind())
    (status,) = (one for one in registry.available_backends() if one.name == "mine")
    assert not status.available


def out_by_place(self, logits, out): ...


def one_operand(self, a, *, out): ...


def without_dtype(self, array, *, out=None): ...


def any_way(self, *operands, **options): ...


def more_of_its_own(self, a, b, *, out, precision="highest"): ...


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"softmax": out_by_place}, []),
        ({"matmul": any_way, "softmax": any_way}, []),
        ({"matmul": more_of_its_own}, []),
        ({"matmul": max}, []),  # which does not say what it takes
        ({"matmul": one_operand}, ["its matmul(a, *, out) cannot be called as matmul(a, b, *, out)"]),
        (
            {"from_host": without_dtype, "name": None, "session": 3},
            [
                "its from_host(array, *, out=None) cannot be called as "
                "from_host(array, *, out=None, dtype=None)",
                "its name is None, where a text is expected",
                "its session is 3, where a method is expected",
            ],
        ),
        ({"device": 0}, ["its device is 0, where a text is expected"]),
    ],
)
def test_one_error_names_all_that_does_not_fit(mine, members, said):
    """And nothing is said of a method that can be called as the protocol has it."""
    kind = type("Own", (NumpyBackend,), members)
    mine(kind)
    if not said:
        assert type(load_backend("mine")) is kind
        return
    with pytest.raises(BackendUnavailable, match=r"backends/README\.md") as raised:
        load_backend("mine")
    assert f"(version {VERSION}): {'; '.join(said)}. See" in str(raised.value)


def test_a_dtype_is_one_of_numpys():
    backend = NumpyBackend()
    backend.dtype = "float32"
    with pytest.raises(BackendUnavailable, match="its dtype is 'float32', where a NumPy dtype is expected"):
        check_backend(type("Named", (), {"__getattr__": lambda self, name: getattr(backend, name)})())


def test_a_backend_may_answer_for_another():
    """Its members are those that `__getattr__` finds; what is optional it need not have."""

    class Forwarding:
        def __init__(self, dtype="float32", device="cpu"):
            self._own = NumpyBackend(dtype, device)

        def __getattr__(self, name):
            if name in OPTIONAL and name != "protocol_version":
                raise AttributeError(name)
            return getattr(self._own, name)

    network = Network(mlp([2, 1]), "half_squared_error", backend=Forwarding())
    assert network.predict(np.zeros((3, 2))).shape == (3, 1)


@pytest.mark.parametrize("make", [lambda: NumpyBackend(), lambda dtype: NumpyBackend(dtype)])
def test_a_class_that_cannot_be_called_as_backends_are(mine, make):
    """Which names are passed is said where the class does not take them."""
    mine(make)
    with pytest.raises(
        BackendUnavailable, match=r"'mine' cannot be made: .*\(dtype='float32', device='here'\),"
    ):
        load_backend("mine:here")


@pytest.mark.parametrize("value", ["cpu", None, 3, NumpyBackend, np.zeros(2)])
def test_what_is_no_backend_is_a_type_error(value):
    with pytest.raises(TypeError, match="must be a backend object"):
        check_backend(value)


@pytest.mark.parametrize("room", [1, 10_000, 1 << 30])
def test_a_backend_says_how_much_memory_a_chunk_takes(room):
    """And rows are predicted and evaluated alike, however many go through at a time."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(300, 5)), rng.integers(0, 3, 300)
    passes = []

    class Roomy(NumpyBackend):
        chunk_bytes = room

        def softmax(self, logits, *, out):
            passes.append(len(logits))
            super().softmax(logits, out=out)

    network = Network(mlp([5, 7, 3]), "softmax_cross_entropy", seed=0, backend=Roomy("float64"))
    other = Network(mlp([5, 7, 3]), "softmax_cross_entropy", seed=0, dtype="float64", device="cpu")
    np.testing.assert_allclose(network.predict(X), other.predict(X), rtol=1e-12)
    assert sum(passes) == 300
    assert max(passes) == {1: 1, 1 << 30: 300}.get(room, max(passes))
    assert (len(passes) > 1) == (room < 1 << 30)
    for name, value in network.evaluate(X, labels).items():
        assert value == pytest.approx(other.evaluate(X, labels)[name], rel=1e-12)
