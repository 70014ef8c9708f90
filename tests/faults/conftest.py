"""The process in whose children calls fail."""

import pytest
import shim
from faulty import Faulty


@pytest.fixture(scope="session")
def faulty(tmp_path_factory):
    with Faulty(shim.build(tmp_path_factory.mktemp("shim"))) as made:
        yield made
