"""``pytest benchmarks`` is ``pytest --pyargs fuseprop.benchmarks``: the suite lives in the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

import fuseprop.benchmarks

HERE = Path(__file__).parent
SUITE = str(Path(fuseprop.benchmarks.__file__).parent)

pytest_plugins = ["fuseprop.benchmarks.suite"]


def pytest_configure(config: pytest.Config) -> None:
    """Collect the suite instead of this folder, which has no tests."""
    config.args[:] = [SUITE if _is_here(config, given) else given for given in config.args]


def _is_here(config: pytest.Config, given: str) -> bool:
    return (config.invocation_params.dir / given).resolve() == HERE
