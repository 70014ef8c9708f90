"""A pytest plugin for everyone who writes a backend, or code on top of one.

Load it by ``addopts = ["-p", "fuseprop.testing"]`` in the pytest configuration. It brings

* the fixture `backend`: a test that takes it runs once for each backend and dtype, and `backend64`, the same
  in float64 alone; one that parametrizes the fixture itself runs with what it chooses;
* ``--backends=a,b``: which backends, by name or device; without it, all that are installed. A backend that
  is named and cannot be used fails its tests; one that is not named is skipped, with the reason. With the
  environment variable ``REQUIRE_GPU=1`` none is skipped;
* the marker ``gpu`` on tests of the CUDA backend: ``pytest -m gpu``;
* `BackendContract`: what every backend must do. ``class TestMine(BackendContract): pass`` runs all of it.
"""

from __future__ import annotations

import os

import pytest

from fuseprop.backend import AnyBackend, BackendUnavailable
from fuseprop.choices import suggestion
from fuseprop.registry import BACKEND_OF, installed_backends, load_backend

pytest.register_assert_rewrite("fuseprop.testing.contract")

from fuseprop.testing.contract import BackendContract  # noqa: E402 (after the rewrite hook)
from fuseprop.testing.contract.parity import assert_parity  # noqa: E402

__all__ = ["BackendContract", "assert_parity"]

DTYPES = ("float32", "float64")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--backends``."""
    parser.addoption(
        "--backends",
        metavar="A,B",
        help="Backends to test, by name or device; one that cannot be used fails. Default: all installed.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker, and refuse names that nobody registered."""
    config.addinivalue_line("markers", "gpu: runs on an NVIDIA GPU")
    installed = installed_backends()
    for name in _named(config):
        kind = name.partition(":")[0]
        if BACKEND_OF.get(kind, kind) not in installed:
            raise pytest.UsageError(
                f"--backends: {name!r} is not installed. Installed: {', '.join(installed)}."
                f"{suggestion(name, installed)}"
            )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take a backend once for each backend and dtype, unless they say themselves which."""
    chosen = {
        name.strip()
        for mark in metafunc.definition.iter_markers("parametrize")
        for name in (mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0])
    }
    for fixture, dtypes in (("backend", DTYPES), ("backend64", ("float64",))):
        if fixture in metafunc.fixturenames and fixture not in chosen:
            names = _named(metafunc.config) or installed_backends()
            metafunc.parametrize(
                fixture,
                [
                    pytest.param((name, dtype), id=f"{name}-{dtype}", marks=_marks(name))
                    for name in names
                    for dtype in dtypes
                ],
                indirect=True,
            )


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> AnyBackend:
    """Return a new backend object; parametrized over backends and dtypes."""
    return _open(request)


@pytest.fixture
def backend64(request: pytest.FixtureRequest) -> AnyBackend:
    """Return a new backend object in float64; parametrized over backends."""
    return _open(request)


def _open(request: pytest.FixtureRequest) -> AnyBackend:
    name, dtype = request.param
    try:
        return load_backend(name, dtype)
    except BackendUnavailable as error:
        if _named(request.config) or os.environ.get("REQUIRE_GPU") == "1":
            pytest.fail(f"backend {name!r} was asked for and cannot be used: {error}", pytrace=False)
        pytest.skip(str(error))


def _named(config: pytest.Config) -> list[str]:
    option = config.getoption("--backends")
    return [name.strip() for name in option.split(",") if name.strip()] if option else []


def _marks(name: str) -> list[pytest.MarkDecorator]:
    kind = name.partition(":")[0]
    return [pytest.mark.gpu] if BACKEND_OF.get(kind, kind) == BACKEND_OF["cuda"] else []
