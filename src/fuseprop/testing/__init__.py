"""A pytest plugin for authors of backends, and of code that runs on any backend.

Load it by ``addopts = ["-p", "fuseprop.testing"]`` in the pytest configuration. It brings

* the fixture `backend`: a test that takes it runs once for each backend and dtype, and `backend64`, the same
  in float64 alone; a test that parametrizes the fixture itself runs with what it chooses;
* ``--backends=a,b``: which backends, by name or device; without it, all that are installed. If a backend
  cannot be used, one of its tests stands for all: it is skipped with the reason, or fails with it if the
  backend is named or the environment variable ``REQUIRE_GPU`` is 1. The others are deselected, and a line
  under the collection says how many they are;
* the marker ``replays``: a test that has it runs in every way in which the backend replays programs. They are
  what its class lists as `replays`, and its constructor takes as ``replay``; a class without such a list is
  tested as it is. A way that cannot be had here is skipped with the reason, also where the backend is named;
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
from fuseprop.backend.registry import BACKEND_OF, backend_class, installed_backends, load_backend
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
    replay: str | None = None


UNUSABLE = pytest.StashKey[str]()
"""Why a backend cannot be used, in the stash of the test that stands for all of its tests."""

MUST = pytest.StashKey[bool]()
"""Whether that is a failure."""

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
    """Add the markers, and refuse names in ``--backends`` that no installed backend has."""
    config.addinivalue_line("markers", "gpu: runs on an NVIDIA GPU")
    config.addinivalue_line("markers", "replays: runs in every way in which the backend replays programs")
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
    in_every_way = metafunc.definition.get_closest_marker("replays") is not None
    for fixture, dtypes in (("backend", DTYPES), ("backend64", ("float64",))):
        if fixture in metafunc.fixturenames and fixture not in chosen:
            names = _named(metafunc.config) or installed_backends()
            metafunc.parametrize(
                fixture,
                [
                    pytest.param(wanted, id="-".join(filter(None, wanted)), marks=_marks(name))
                    for name in names
                    for dtype in dtypes
                    for wanted in _ways(name, dtype, in_every_way)
                ],
                indirect=True,
            )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of backends that cannot be used, but for one of each, which says why."""
    unusable: dict[tuple[Wanted, str], list[pytest.Item]] = {}
    for item in items:
        for wanted in _wanted(item):
            why = _why_not(wanted)
            if why is not None:
                unusable.setdefault((wanted._replace(dtype=""), why), []).append(item)
                break
    config.stash[LEFT_OUT] = [_left_out(wanted, why, len(tests)) for (wanted, why), tests in unusable.items()]
    others: set[pytest.Item] = set()
    for (wanted, why), (first, *rest) in unusable.items():
        first.stash[UNUSABLE] = _said(config, wanted, why)
        first.stash[MUST] = _required(config, wanted)
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
        _skip_or_fail(why, must=item.stash[MUST])


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> AnyBackend:
    """Return a new backend object; parametrized over backends and dtypes."""
    return _open(request)


@pytest.fixture
def backend64(request: pytest.FixtureRequest) -> AnyBackend:
    """Return a new backend object in float64; parametrized over backends."""
    return _open(request)


def _open(request: pytest.FixtureRequest) -> AnyBackend:
    wanted = Wanted(*request.param)
    try:
        return _load(wanted)
    except BackendUnavailable as error:  # the test chose it, or it can be used no longer
        config = request.config
        return _skip_or_fail(_said(config, wanted, str(error)), must=_required(config, wanted))


def _load(wanted: Wanted) -> AnyBackend:
    """Return a new backend object, which replays as it is wanted to."""
    backend = load_backend(wanted.name, wanted.dtype)
    if wanted.replay is None:
        return backend
    options = {"device": backend.device, "replay": wanted.replay}
    return type(backend)(dtype=wanted.dtype, **options)  # type: ignore[call-arg]


def _ways(name: str, dtype: str, in_every_way: bool) -> Iterator[Wanted]:
    """Yield a backend in a dtype, once or for each way in which it replays."""
    kind = name.partition(":")[0]
    replays = getattr(backend_class(BACKEND_OF.get(kind, kind)), "replays", ()) if in_every_way else ()
    for replay in replays or (None,):
        yield Wanted(name, dtype, replay)


def _skip_or_fail(why: str, *, must: bool) -> NoReturn:
    if must:
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def _said(config: pytest.Config, wanted: Wanted, why: str) -> str:
    return (
        f"backend {wanted.name!r} was asked for and cannot be used: {why}"
        if _required(config, wanted)
        else why
    )


def _left_out(wanted: Wanted, why: str, tests: int) -> str:
    others = f", and one of its {tests} tests stands for all" if tests > 1 else ""
    used = "used" if wanted.replay is None else f"used with replay={wanted.replay!r}"
    return f"backend {wanted.name!r} cannot be {used}{others}: {why}"


def _wanted(item: pytest.Item) -> Iterator[Wanted]:
    """Yield the backends that this plugin gave a test to run with."""
    call = getattr(item, "callspec", None)
    if call is not None:
        yield from (value for value in call.params.values() if isinstance(value, Wanted))


@cache
def _why_not(wanted: Wanted) -> str | None:
    """Return why a backend cannot be used, None where it can."""
    try:
        _load(wanted)
    except BackendUnavailable as error:
        return str(error)
    return None


def _required(config: pytest.Config, wanted: Wanted) -> bool:
    """Whether it is a failure that a backend cannot be used; another way to replay may be missing."""
    return wanted.replay is None and (bool(_named(config)) or os.environ.get("REQUIRE_GPU") == "1")


def _named(config: pytest.Config) -> list[str]:
    option = config.getoption("--backends")
    return [name.strip() for name in option.split(",") if name.strip()] if option else []


def _marks(name: str) -> list[pytest.MarkDecorator]:
    kind = name.partition(":")[0]
    return [pytest.mark.gpu] if BACKEND_OF.get(kind, kind) == BACKEND_OF["cuda"] else []
