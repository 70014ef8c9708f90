"""Devices and backends by name: what is named comes or fails, and only "auto" chooses."""

import logging
import sys
from importlib.metadata import distributions, entry_points

import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop import BackendUnavailable, Network, available_backends, load_backend, mlp
from fuseprop.backend import registry
from fuseprop.verification.environment import described


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


CLASS = "from fuseprop_numpy import NumpyBackend\nclass Mine(NumpyBackend):\n    name = 'mine'\n"


@pytest.fixture
def packages(tmp_path, monkeypatch, installed):
    """Install a package of one module, whose text and whose entry points are given; return its backends."""

    def install(package, text, **entries):
        folder = tmp_path / package
        metadata = folder / f"{package}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{package}_module.py").write_text(text)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {package}_module:{value}" for name, value in entries.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{registry.GROUP}]", *lines]))
        monkeypatch.syspath_prepend(folder)
        sys.modules.pop(f"{package}_module", None)  # that of another test
        paths.append(str(folder))
        found = [entry for each in distributions(path=paths) for entry in each.entry_points]
        ours = entry_points(group=registry.GROUP)
        installed.clear()
        installed.update(registry.chosen_entries([*found, *ours]))

    paths = []
    return install


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("def (:", r"cannot be imported: SyntaxError: invalid syntax .*line 1\)"),
        ("raise SystemExit('import me \x1b[31m not')", r"imported: SystemExit: import me \\x1b\[31m not$"),
        ("class Odd(BaseException): pass\nraise Odd", r"cannot be imported: Odd$"),
        ("import nothing_of_that_name", "cannot be imported: No module named 'nothing_of_that_name'"),
        ("", "cannot be imported: AttributeError: .* has no attribute 'Mine'"),
        ("Mine = 3", "cannot be made: its entry point names 3, where a class is expected"),
        (
            "def Mine(dtype='float32'): return 3",
            "cannot be made: TypeError: backend must be a backend object",
        ),
        (
            CLASS + "    def __init__(self, dtype): raise ZeroDivisionError('half')",
            "made: ZeroDivisionError: half",
        ),
        (
            CLASS + "    def __init__(self, dtype='float32'): raise ValueError('no driver')",
            "made: ValueError: no dri",
        ),
        (CLASS + "    device = property(lambda self: 1 / 0)", "cannot be made: "),
    ],
)
def test_a_package_that_fails_leaves_the_others(packages, text, cause):
    packages("failing", text, mine="Mine")
    with pytest.raises(
        BackendUnavailable, match=rf"^the backend 'mine' of the package failing 1\.0 .*{cause}"
    ):
        load_backend("mine")
    status = {each.name: each for each in available_backends()}
    assert (status["mine"].available, status["numpy"].available) == (False, True)
    assert "failing 1.0" in status["mine"].reason
    assert load_backend("cpu").name == "numpy"
    registry.backend_class("mine")  # which the collection of tests asks for, and never raises


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("where", ["{raises}", CLASS + "    def __init__(self, dtype='float32'): {raises}"])
def test_an_interrupt_and_a_lack_of_memory_are_no_fault_of_a_package(packages, stop, where):
    packages("stopped", where.format(raises=f"raise {stop.__name__}"), mine="Mine")
    with pytest.raises(stop):
        load_backend("mine")


@pytest.mark.parametrize("device", ["cpu", "mine"])
def test_an_unknown_dtype_is_an_error_of_who_asked(packages, device):
    packages("right", CLASS, mine="Mine")
    with pytest.raises(ValueError, match="float16"):
        load_backend(device, "float16")


@pytest.mark.parametrize("name", ["numpy", "cupy", "cpu", "cuda", "auto"])
def test_no_package_takes_a_name_of_ours(packages, name):
    packages("thief", CLASS, **{name: "Mine"})
    assert type(load_backend("cpu")) is type(load_backend("numpy")) is NumpyBackend
    (refused,) = (each for each in available_backends() if "thief" in each.name)
    assert refused.name == f"{name} of thief 1.0"
    assert not refused.available
    assert f"the package thief 1.0 names a backend '{name}'" in refused.reason
    assert refused.reason.endswith("pip uninstall thief")
    with pytest.raises(BackendUnavailable, match="thief"):
        load_backend(refused.name)


def test_two_packages_of_one_name_are_refused_both(packages):
    packages("first", CLASS, mine="Mine", other="Mine")
    packages("second", CLASS, mine="Mine")
    with pytest.raises(
        BackendUnavailable, match=r"a backend 'mine': .*(first|second) 1\.0 and (first|second) 1\.0"
    ) as raised:
        load_backend("mine")
    assert {"first", "second"} <= set(str(raised.value).split())
    assert load_backend("other").name == "mine"
    assert load_backend("cpu").name == "numpy"


def test_a_provenance_that_fails_is_in_the_certificate():
    def fails(self):
        raise SystemExit("no hash")

    failing = type("Failing", (NumpyBackend,), {"provenance": fails})("float64")
    assert described([failing])["provenance"] == {"failed": "SystemExit: no hash"}
