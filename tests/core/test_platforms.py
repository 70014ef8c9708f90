"""Windows and macOS, which nobody here has: what they lack is absent, what they refuse is refused."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fuseprop.cli.last_resort import LastResort
from fuseprop.storage import lock as locking
from fuseprop.storage.lock import LockedError, lock
from fuseprop.storage.reading import open_file

HERE = Path(__file__).parent
DONE = [
    "all modules are imported",
    "train, predict, evaluate, explain and inspect",
    "doctor",
    "a run in a folder, and checkpoints",
    "a checkpoint, and a training that goes on from it",
    "models that are saved, replaced, loaded and removed",
    "locks",
    "folders are refused",
    "estimators",
    "nothing is left behind",
]

REFUSED = """
import builtins, io, os, select, signal, sys
from pathlib import Path

def refused(error, call, *arguments):
    try:
        call(*arguments)
    except error:
        return
    raise AssertionError(f"{call} {arguments} was allowed")

Path("held").write_bytes(b"")
Path("other").write_bytes(b"")
refused(ImportError, __import__, "fcntl")
refused(ImportError, __import__, "resource")
refused(AttributeError, getattr, os, "fork")
refused(AttributeError, getattr, signal, "SIGHUP")
refused(AttributeError, getattr, select, "epoll")
refused(FileNotFoundError, os.listdir, "/proc")
refused(PermissionError, os.open, ".", os.O_RDONLY)
refused(PermissionError, Path(".").open)
refused(OSError, Path("12:00").touch)
refused(FileExistsError, os.rename, "held", "other")
with open("held"):
    refused(PermissionError, os.unlink, "held")
    refused(PermissionError, Path("held").unlink)
    refused(PermissionError, os.replace, "held", "new")
    refused(PermissionError, Path("other").replace, "held")
Path("other").replace("held")
Path("text").write_text("ü\\n")
assert Path("text").read_bytes() == b"\\xfc\\r\\n"
refused(UnicodeEncodeError, print, "\\u2192")
assert sys.platform == "win32"
"""


def as_if_on(system, program, folder):
    command = [sys.executable, HERE / "as_if_on.py", system, program]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "FUSEPROP"))}
    return subprocess.run(
        command, cwd=folder, env=clean, capture_output=True, text=True, encoding="cp1252", check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="pretends on Linux alone")
@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_everything_is_imported_and_used(system, tmp_path):
    done = as_if_on(system, HERE / "used_as_users_do.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == DONE


@pytest.mark.skipif(sys.platform != "linux", reason="pretends on Linux alone")
def test_what_windows_refuses_is_refused(tmp_path):
    (tmp_path / "program.py").write_text(REFUSED)
    (tmp_path / "place").mkdir()
    done = as_if_on("win32", tmp_path / "program.py", tmp_path / "place")
    assert done.returncode == 0, done.stderr


def test_a_lock_of_windows_is_of_bytes_far_behind_the_number(tmp_path, monkeypatch):
    """Another process reads the number of the one that has the lock."""
    locked = []

    def take(descriptor, mode, count):
        assert (mode, count) == (2, 1)
        locked.append(os.lseek(descriptor, 0, os.SEEK_CUR))
        if len(locked) > 1:
            raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(locking, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(locking, "msvcrt", SimpleNamespace(locking=take, LK_NBLCK=2), raising=False)
    monkeypatch.setattr(locking, "LOCKS", False)
    with lock(tmp_path / "m"):
        (file,) = tmp_path.iterdir()
        assert file.read_text(encoding="ascii").strip() == str(os.getpid())
        locking._held.clear()  # as in another process
        with pytest.raises(LockedError, match=f"another process \\({os.getpid()}\\)"), lock(tmp_path / "m"):
            pass
    assert locked == [locking.FAR, locking.FAR]
    assert not list(tmp_path.iterdir())


def test_signals_wake_no_pipe_on_windows(monkeypatch):
    """There a descriptor that is woken must be a socket."""
    monkeypatch.setattr("fuseprop.cli.last_resort.sys", SimpleNamespace(platform="win32"))
    with LastResort() as last:
        assert last._thread is None


def test_a_folder_is_called_one_where_the_system_denies_it(tmp_path, monkeypatch):
    def denied(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
