"""A pytest plugin for authors of backends, and of code that runs on any backend.

Load it by ``addopts = ["-p", "fuseprop.testing"]`` in the pytest configuration. It brings

* the fixture `backend`: a test that takes it runs once for each backend and dtype, and `backend64`, the same
  in float64 alone; a test that parametrizes the fixture itself runs with what it chooses;
* ``--backends=a,b``: which backends, by name or device; without it, all that are installed. If a backend
  cannot be used, one of its tests stands for all: it is skipped with the reason, or fails with it if the
  backend is named or the environment variable ``REQUIRE_GPU`` is 1. The others are deselected, and a line
  under the collection says how many they are;
* the marker ``gpu`` on tests of the CUDA backend: ``pytest -m gpu``;
* `BackendContract`: what every backend must do. ``class TestMine(BackendContract): pass`` runs all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, NoReturn

import pytest

from fuseprop.backend import AnyBackend, BackendUnavailable
from fuseprop.backend.registry import BACKEND_OF, installed_backends, load_backend
from fuseprop.checks.choices import suggestion

pytest.register_assert_rewrite("fuseprop.testing.contract")

from fuseprop.testing.contract import BackendContract  # noqa: E402 (after the rewrite hook)
from fuseprop.testing.contract.parity import assert_parity  # noqa: E402

__all__ = ["BackendContract", "assert_parity"]

DTYPES = ("float32", "float64")


class Wanted(NamedTuple):
    """What this plugin parametrizes the fixtures with."""

    name: str
    dtype: str


UNUSABLE = pytest.StashKey[str]()
"""Why a backend cannot be used, in the stash of the test that stands for all of its tests."""

LEFT_OUT = pytest.StashKey[list[str]]()
"""A sentence for each backend that cannot be used, in the stash of the configuration."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--backends``."""
    parser.addoption(
        "--backends",
        metavar="A,B",
        help="Backends to test, by name or device; one that cannot be used fails. Default: all installed.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker, and refuse names in ``--backends`` that no installed backend has."""
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
    """Run tests that take a backend once for each backend and dtype, unless they choose it themselves."""
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
                    pytest.param(Wanted(name, dtype), id=f"{name}-{dtype}", marks=_marks(name))
                    for name in names
                    for dtype in dtypes
                ],
                indirect=True,
            )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of backends that cannot be used, but for one of each, which says why."""
    unusable: dict[tuple[str, str], list[pytest.Item]] = {}
    for item in items:
        for wanted in _wanted(item):
            why = _why_not(wanted)
            if why is not None:
                unusable.setdefault((wanted.name, why), []).append(item)
                break
    config.stash[LEFT_OUT] = [_left_out(name, why, len(tests)) for (name, why), tests in unusable.items()]
    others: set[pytest.Item] = set()
    for (name, why), (first, *rest) in unusable.items():
        first.stash[UNUSABLE] = _failure(name, why) if _required(config) else why
        others.update(rest)
    if others:
        config.hook.pytest_deselected(items=[item for item in items if item in others])
        items[:] = [item for item in items if item not in others]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say once which backends cannot be used, and why."""
    return config.stash.get(LEFT_OUT, [])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test that stands for a backend that cannot be used, before any fixture is set up."""
    why = item.stash.get(UNUSABLE, None)
    if why is not None:
        _skip_or_fail(item.config, why)


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
    except BackendUnavailable as error:  # the test chose it, or it can be used no longer
        required = _required(request.config)
        return _skip_or_fail(request.config, _failure(name, str(error)) if required else str(error))


def _skip_or_fail(config: pytest.Config, why: str) -> NoReturn:
    if _required(config):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def _failure(name: str, why: str) -> str:
    return f"backend {name!r} was asked for and cannot be used: {why}"


def _left_out(name: str, why: str, tests: int) -> str:
    others = f", and one of its {tests} tests stands for all" if tests > 1 else ""
    return f"backend {name!r} cannot be used{others}: {why}"


def _wanted(item: pytest.Item) -> Iterator[Wanted]:
    """Yield the backends that this plugin gave a test to run with."""
    call = getattr(item, "callspec", None)
    if call is not None:
        yield from (value for value in call.params.values() if isinstance(value, Wanted))


@cache
def _why_not(wanted: Wanted) -> str | None:
    """Return why a backend cannot be used, None where it can."""
    try:
        load_backend(*wanted)
    except BackendUnavailable as error:
        return str(error)
    return None


def _required(config: pytest.Config) -> bool:
    """Whether a backend that cannot be used is a failure."""
    return bool(_named(config)) or os.environ.get("REQUIRE_GPU") == "1"


def _named(config: pytest.Config) -> list[str]:
    option = config.getoption("--backends")
    return [name.strip() for name in option.split(",") if name.strip()] if option else []


def _marks(name: str) -> list[pytest.MarkDecorator]:
    kind = name.partition(":")[0]
    return [pytest.mark.gpu] if BACKEND_OF.get(kind, kind) == BACKEND_OF["cuda"] else []
