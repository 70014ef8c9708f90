"""Say at the end of a run which kernels no GPU has confirmed."""

from fuseprop_cupy.device.kernel_list import source_hashes
from verification import records, unverified


def pytest_terminal_summary(terminalreporter):
    lines = unverified(source_hashes(), records())
    if lines:
        terminalreporter.section("kernels that no GPU has confirmed as they are")
        for line in lines:
            terminalreporter.write_line(line)
