"""Every installed backend meets the contract."""

from fuseprop.testing import BackendContract


class TestInstalledBackends(BackendContract):
    pass
