"""What every pytest loads where fuseprop is installed: it brings our suite's plugin when that is asked for.

``pytest --pyargs fuseprop.benchmarks --backends=numpy,cupy`` has an option that pytest must know before it
looks at a conftest.py of an installed package. So this is an entry point; and since all other runs of pytest
load it too, it imports nothing, NumPy neither, and adds no option and no fixture to them.
"""

from __future__ import annotations

import pytest

SUITE = __package__


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Load the suite's plugin if the command line names the suite, a file of it, or all of fuseprop."""
    known = early_config.known_args_namespace
    if known.pyargs and any(map(_is_ours, known.file_or_dir)):
        early_config.pluginmanager.import_plugin(f"{SUITE}.suite")


def _is_ours(argument: str) -> bool:
    module = argument.partition("::")[0]
    return f"{SUITE}.".startswith(f"{module}.") or module.startswith(f"{SUITE}.")
