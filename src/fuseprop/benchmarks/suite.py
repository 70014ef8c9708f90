"""The pytest plugin of our own suite: the fixtures, and how long a measurement takes by default.

``pytest --pyargs fuseprop.benchmarks`` loads it by way of `loading.py`.
"""

from __future__ import annotations

import pytest

pytest_plugins = ["fuseprop.benchmarks.fixtures"]

DEFAULTS = {"max_time": 0.4, "min_rounds": 3}
"""For two cores: the whole suite stays well under 10 minutes. The command line goes before."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set what the command line does not."""
    given = " ".join(map(str, config.invocation_params.args))
    for name, value in DEFAULTS.items():
        if f"--benchmark-{name.replace('_', '-')}" not in given:
            setattr(config.option, f"benchmark_{name}", value)
