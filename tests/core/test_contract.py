"""Every installed backend meets the contract."""

import pytest

from fuseprop.testing import BackendContract


@pytest.mark.pairs
class TestInstalledBackends(BackendContract):
    pass
