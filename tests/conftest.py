"""What all tests need."""

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Let Ctrl-C reach Python: a shell that runs tests in the background ignores it, and tests send it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
