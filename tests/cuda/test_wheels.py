"""The packages that bring CUDA: pip is asked for what is advised, and the whole set where it must change."""

import importlib.metadata
import re
import shlex
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from fuseprop_cupy.device import wheels
from fuseprop_cupy.device.wheels import (
    CUBLAS,
    NCCL,
    NEEDED,
    SMALLEST_DRIVER,
    beyond_bounds,
    cuda_here,
    install,
    install_instead,
    install_nccl,
    within,
)
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from fuseprop.backend import how_to_install

EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
CUDA_12 = {
    "cuda-bindings": "12.9.10",
    "cupy-cuda12x": "14.2.0",
    "nvidia-cublas-cu12": "12.9.3.13",
    "nvidia-cuda-nvrtc-cu12": "12.9.86",
    "nvidia-cuda-runtime-cu12": "12.9.79",
    "nvmath-python": "1.0.0",
}
CUDA_13 = {
    "cuda-bindings": "13.5.0",
    "cupy-cuda13x": "14.2.0",
    "nvidia-cublas": "13.4.3.11",
    "nvidia-cuda-nvrtc": "13.5.37",
    "nvidia-cuda-runtime": "13.5.37",
    "nvmath-python": "1.0.0",
}
"""What pip resolved the extras to, when this was written."""


@pytest.fixture
def put(monkeypatch):
    """Install these packages, and a driver for this CUDA."""

    def put(packages, driver=0):
        def version(name):
            if name not in packages:
                raise importlib.metadata.PackageNotFoundError(name)
            return packages[name]

        listed = [SimpleNamespace(name=name) for name in ("numpy", *packages)]
        monkeypatch.setattr("importlib.metadata.distributions", lambda **kind: listed)
        monkeypatch.setattr("importlib.metadata.version", version)
        monkeypatch.setattr(wheels, "driver", lambda: driver)
        monkeypatch.setattr(wheels, "how_to_install", lambda extra: f'/a/pip install -e ".[{extra}]"')

    return put


def lines_of(extra):
    """What an extra asks for, by name: the bounds, with no regard to the platform."""
    found = [Requirement(line) for line in EXTRAS[extra]]
    return {requirement.name: requirement.specifier for requirement in found}


@pytest.mark.parametrize("cuda", NEEDED)
def test_pip_is_asked_for_what_is_advised(cuda):
    asked = {name: SpecifierSet(bounds) for name, bounds in NEEDED[cuda].items()}
    assert lines_of(f"cuda{cuda}") == asked
    assert CUBLAS[cuda] in asked
    assert cuda in SMALLEST_DRIVER


@pytest.mark.parametrize("cuda", NCCL)
def test_sums_between_gpus_are_an_extra_beside_the_others(cuda):
    name, bounds = NCCL[cuda]
    (own,) = (Requirement(line) for line in EXTRAS[f"nccl{cuda}"] if line.startswith("fuseprop"))
    assert own.extras == {"mpi", f"cuda{cuda}"}
    assert lines_of(f"nccl{cuda}")[name] == SpecifierSet(bounds)


def test_cupy_takes_the_nccl_that_is_advised():
    """Another one it does not load, though it is installed."""
    environment = pytest.importorskip("cupy", reason='needs CuPy: pip install -e ".[test]"')._environment
    config = environment.get_preload_config()
    _, bounds = NCCL[int(config["cuda"].partition(".")[0])]
    least = config["nccl"]["min_pypi_version"]
    assert SpecifierSet(bounds) == SpecifierSet(f">={least},<{int(least.partition('.')[0]) + 1}")


def test_the_line_for_sums_goes_by_cupy(put):
    put(CUDA_12, 13020)
    assert install_nccl() == '/a/pip install -e ".[nccl12]"'
    put({}, 12040)
    assert install_nccl() == '/a/pip install -e ".[nccl12]"'
    put({})
    assert install_nccl() == '/a/pip install -e ".[nccl13]"'


def test_the_tests_run_on_what_is_advised():
    tested = lines_of("test")
    for name, bounds in NEEDED[13].items():
        if name != CUBLAS[13]:  # 400 MB, of which nothing runs without a GPU
            assert tested[name] == SpecifierSet(bounds), name


@pytest.mark.parametrize(
    "bounds", sorted({each for packages in NEEDED.values() for each in packages.values()})
)
def test_bounds_are_read_as_pip_reads_them(bounds):
    for version in (
        "0.9",
        "1",
        "1.0.0",
        "12.8.4.1",
        "12.9",
        "12.9.0.13",
        "12.9.2",
        "12.10.1",
        "13",
        "13.0.0.19",
    ):
        assert within(version, bounds) == SpecifierSet(bounds).contains(version), version
    for version in (
        "13.0.1",
        "13.4.3.11",
        "13.5",
        "13.5.0.0",
        "13.5.1.27",
        "13.10.0.20",
        "14",
        "14.1.1",
        "14.2",
    ):
        assert within(version, bounds) == SpecifierSet(bounds).contains(version), version


def test_a_cublas_that_was_reported_to_fail_in_capture_is_no_choice():
    allowed = lines_of("cuda13")["nvidia-cublas"]
    assert [
        version for version in ("13.4.3.11", "13.5.1.27", "13.6.0.2", "13.10.0.20") if version in allowed
    ] == ["13.4.3.11"]


def test_the_line_goes_by_the_driver(put):
    for driver, extra in ((11080, "cuda12"), (12040, "cuda12"), (13000, "cuda13"), (14010, "cuda13")):
        put({}, driver)
        assert install() == f'/a/pip install -e ".[{extra}]"'
        assert install_instead() == install()
    put({})
    assert (
        install()
        == '/a/pip install -e ".[cuda13]" (CUDA 13) or /a/pip install -e ".[cuda12]" (older drivers)'
    )


def test_on_an_older_driver_the_whole_set_is_changed(put):
    """pip would leave the cuBLAS of CUDA 13, which is found first."""
    put(CUDA_13, 12040)
    removed = sorted(set(CUDA_13) - {"nvmath-python"})
    assert install_instead() == f'/a/pip uninstall -y {" ".join(removed)} && /a/pip install -e ".[cuda12]"'


@pytest.mark.parametrize("both", [CUDA_13 | CUDA_12, CUDA_12 | CUDA_13], ids=["cuda12 last", "cuda13 last"])
@pytest.mark.parametrize("driver", [0, 12040, 13020])
def test_two_cupys_go_with_the_libraries_that_do_not_fit(put, both, driver):
    """Both: each has overwritten files of the other, which pip would believe to be in order."""
    put(both, driver)
    line = shlex.split(install_instead())
    removed = set(line[line.index("-y") + 1 : line.index("&&")])
    kept = NEEDED[12 if driver == 12040 else 13]
    assert {"cupy-cuda12x", "cupy-cuda13x"} <= removed
    assert set(both) - set(kept) <= removed
    assert "nvmath-python" not in removed
    left = {name: version for name, version in both.items() if name not in removed}
    assert all(within(version, kept[name]) for name, version in left.items())


def test_a_package_beyond_its_bounds_is_named_and_replaced(put):
    put(CUDA_13 | {"nvidia-cublas": "13.10.0.20"}, 13020)
    assert cuda_here() == 13
    assert beyond_bounds(13) == ["nvidia-cublas 13.10.0.20 instead of >=13,<13.5"]
    assert install_instead(13).startswith("/a/pip uninstall -y nvidia-cublas && /a/pip install")
    put(CUDA_13, 13020)
    assert beyond_bounds(13) == []
    put(CUDA_12, 13020)
    assert (cuda_here(), beyond_bounds(12)) == (12, [])
    put(CUDA_13 | {"nvidia-cublas": None}, 13020)  # as Pythons say of the folder that a removal left behind
    assert beyond_bounds(13) == []


@pytest.mark.parametrize("packages", [{}, {"cupy": "14.2.0"}, {"cupy-cuda11x": "13.6.0"}, CUDA_12 | CUDA_13])
def test_a_cuda_that_is_not_sure_is_none(put, packages):
    put(packages)
    assert cuda_here() is None


def test_the_lines_name_the_same_pip_twice(put, monkeypatch):
    put(CUDA_13)
    in_a_clone = 'in a clone of fuseprop, "/a b/python" -m pip install -e ".[cuda12]"'
    monkeypatch.setattr(wheels, "how_to_install", lambda extra: in_a_clone)
    assert re.fullmatch(
        r'in a clone of fuseprop, "/a b/python" -m pip uninstall -y [a-z0-9 -]+'
        r' && "/a b/python" -m pip install -e "\.\[cuda12\]"',
        install_instead(12),
    )


def test_here_the_real_lines_are_what_the_shell_takes():
    words = shlex.split(install_instead(12))
    assert words[words.index("&&") + 1 :] == shlex.split(how_to_install("cuda12"))


def test_the_driver_answers_for_itself(monkeypatch):
    class Library:
        def __init__(self, name):
            if name != "libcuda.so.1":
                raise OSError(name)

        def cuDriverGetVersion(self, number):  # noqa: N802
            number._obj.value = 12040
            return 0

    monkeypatch.setattr("fuseprop_cupy.device.wheels.ctypes.CDLL", Library)
    assert wheels.driver() == 12040

    def none(name):
        raise OSError(name)

    monkeypatch.setattr("fuseprop_cupy.device.wheels.ctypes.CDLL", none)
    assert wheels.driver() == 0
