"""What all tests need."""

import os
import signal
import tempfile
import traceback
import warnings
from pathlib import Path

import pytest
from forks import Forks

pytest_plugins = ["landing"]


def pytest_configure(config):
    """Let pytest-xdist begin files in their order: it would keep those of few and long tests for the end."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Let Ctrl-C reach Python: a shell that runs tests in the background ignores it, and tests send it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def alone():
    """Let a pytest that a test starts run by itself, though this one may be a worker of pytest-xdist's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
            patch.delenv(name)
        yield


@pytest.fixture
def as_nobody():
    """Return what runs a function in a child process, whose user may do little, and fails as it does."""

    def run(function):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the child has none
            child = os.fork()
        if child == 0:
            code = 1
            try:
                if os.getuid() == 0:
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                function()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0

    return run


@pytest.fixture
def open_path():
    """A directory that every user may reach and write to, beside pytest's own, which only its user enters."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve()
        path.chmod(0o777)
        yield path
        path.chmod(0o777)


@pytest.fixture(scope="session")
def forks():
    """The command in forked children."""
    if os.name != "posix":
        pytest.skip("needs POSIX processes")
    with Forks() as made:
        yield made
