"""Devices and backends by name: what is named comes or fails, and only "auto" chooses."""

import logging

import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop import BackendUnavailable, Network, available_backends, load_backend, mlp
from fuseprop.backend import registry


class Entry:
    """An entry point whose backend is what `load` returns or raises."""

    def __init__(self, make):
        self.make = make

    def load(self):
        return self.make


def fake(name, devices):
    class Fake(NumpyBackend):
        def __init__(self, dtype="float32", device=devices[0]):
            if device not in devices:
                raise BackendUnavailable(f"there is no {device}.")
            super().__init__(dtype)
            self.name, self.device = name, device

    return Fake


def broken(dtype="float32", device="cuda:0"):
    raise BackendUnavailable("no driver.")


@pytest.fixture
def installed(monkeypatch):
    """The installed backends, to be changed at will."""
    entries = dict(registry._installed())
    monkeypatch.setattr(registry, "_installed", lambda: entries)
    monkeypatch.delenv(registry.VARIABLE, raising=False)
    registry._log_once.cache_clear()
    return entries


def test_auto_takes_the_gpu_where_there_is_one(installed):
    installed["cupy"] = Entry(fake("cupy", ["cuda", "cuda:1"]))
    assert load_backend("auto").name == "cupy"
    assert load_backend().name == "cupy"


def test_auto_takes_the_cpu_elsewhere_and_says_so_once(installed, caplog):
    installed["cupy"] = Entry(broken)
    with caplog.at_level(logging.INFO, logger="fuseprop"):
        for _ in range(3):
            assert load_backend("auto").device == "cpu"
    assert caplog.messages == ['"auto" takes cpu (numpy): cuda cannot be used: no driver.']
    assert registry.explain_auto() == caplog.messages[0]


def test_a_named_device_never_falls_back(installed):
    installed["cupy"] = Entry(broken)
    for device in ("cuda", "cuda:0", "cupy"):
        with pytest.raises(BackendUnavailable, match="no driver"):
            load_backend(device)
    with pytest.raises(BackendUnavailable, match="no driver"):
        Network(mlp([2, 1]), "half_squared_error", device="cuda")


def test_ordinals_reach_the_backend(installed):
    installed["cupy"] = Entry(fake("cupy", ["cuda", "cuda:1"]))
    installed["mine"] = Entry(fake("mine", ["near", "far:2"]))
    assert load_backend("cuda:1").device == "cuda:1"
    assert load_backend("mine").device == "near"
    assert load_backend("mine:far:2").device == "far:2"
    with pytest.raises(BackendUnavailable, match="there is no cuda:7"):
        load_backend("cuda:7")


def test_the_variable_stands_for_a_device_that_nobody_named(installed, monkeypatch):
    installed["cupy"] = Entry(fake("cupy", ["cuda", "cuda:1"]))
    monkeypatch.setenv(registry.VARIABLE, "cpu")
    assert load_backend().device == "cpu"
    assert load_backend("auto").device == "cuda"
    assert Network(mlp([2, 1]), "half_squared_error").backend.device == "cpu"
    monkeypatch.setenv(registry.VARIABLE, "cuda:9")
    with pytest.raises(BackendUnavailable, match=r"cuda:9.*The variable FUSEPROP_DEVICE names this device\."):
        load_backend()
    with pytest.raises(BackendUnavailable, match="cuda:8") as raised:
        load_backend("cuda:8")
    assert registry.VARIABLE not in str(raised.value)


def test_unknown_names_list_what_there_is(installed):
    installed.pop("cupy", None)
    with pytest.raises(BackendUnavailable, match=r"'cuda' needs the backend 'cupy', which is not installed"):
        load_backend("cuda")
    with pytest.raises(BackendUnavailable, match=r'Installed here: numpy.* Did you mean "numpy"'):
        load_backend("nunpy")


def test_a_backend_that_cannot_be_imported(installed):
    class Missing:
        def load(self):
            raise ModuleNotFoundError("No module named 'array_library'")

    installed["mine"] = Missing()
    with pytest.raises(
        BackendUnavailable, match=r"'mine' cannot be imported: No module named 'array_library'"
    ):
        load_backend("mine")
    status = {s.name: s for s in available_backends()}
    assert (status["mine"].available, status["numpy"].available) == (False, True)
    assert "array_library" in status["mine"].reason


def test_no_device_at_all(installed):
    installed.clear()
    installed["cupy"] = Entry(broken)
    with pytest.raises(
        BackendUnavailable, match=r"no device can be used. cuda .*no driver.*cpu cannot be used"
    ):
        load_backend()
