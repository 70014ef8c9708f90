"""A process that pretends to be on Windows or macOS, as far as Linux can: run a file of Python in it.

    python tests/core/as_if_on.py win32 FILE

What is imported before is Python's own and other packages', which know the system that they are on. Then
`sys.platform` is the other one's, processes start by "spawn", and what the other system lacks is gone:
modules, functions, signals, /proc. On "win32" files that are open can be neither removed nor replaced, a
folder cannot be opened, a rename replaces nothing, names have no colon, and text has \\r\\n and is in cp1252
unless somebody says otherwise. Not pretended: paths with backslashes and drives, libraries of that system.
"""

import builtins
import errno
import importlib
import io
import multiprocessing
import os
import platform
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
from contextlib import suppress
from pathlib import Path

FIRST = """
asyncio concurrent.futures csv ctypes importlib.metadata inspect json logging multiprocessing.pool
multiprocessing.shared_memory numpy numpy.testing shutil socket subprocess tempfile threading tomllib
urllib.request click threadpoolctl tomli_w tqdm cupy distributed duckdb joblib matplotlib.pyplot
matplotlib.backends.backend_agg narwhals pytest scipy.optimize sklearn.datasets sklearn.model_selection
sklearn.neural_network
"""
"""What is imported before anything is taken away, where it is installed."""

MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}

OF_LINUX = """
copy_file_range eventfd getresuid listxattr memfd_create pidfd_open posix_fadvise posix_fallocate
removexattr sched_getaffinity sched_setaffinity setxattr
"""
"""Functions of `os` that macOS lacks too; it has no `epoll` in `select`, and no `pidfd_send_signal`."""

OS = """
O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK WEXITSTATUS WIFEXITED WNOHANG WTERMSIG chown chroot confstr
ctermid fchmod fchown fdatasync fork forkpty getegid geteuid getgid getgroups getloadavg getpgid getpgrp
getpriority getsid getuid killpg lchown lockf mkfifo mknod nice openpty pathconf posix_spawn pread preadv
pwrite pwritev register_at_fork sched_yield sendfile set_blocking setpgid setsid statvfs sync sysconf
umask uname wait wait3 wait4
"""  # `umask` is there on Windows, and does nothing; `set_blocking` from Python 3.12 on

SIGNALS = """
ITIMER_REAL SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2 alarm
pidfd_send_signal pthread_kill pthread_sigmask setitimer sigwait
"""

ABSENT = {
    "win32": ("/proc", "/sys", "/dev/shm", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"),
    "darwin": ("/proc", "/sys", "/dev/shm"),
}

OF_THREADPOOLCTL = "/proc/self/maps"
"""What it reads, as it was imported before and knows that this is Linux."""

NOT_IN_NAMES = set('<>:"|?*')

_stat, _listdir, _io_open = os.stat, os.listdir, io.open


def pretend(system):
    """Take away what a system lacks, from now on and in this process."""
    for name in FIRST.split():
        with suppress(ImportError):
            importlib.import_module(name)
    locking = _locking()
    for module in (os, signal):  # Python's own way to start a process is to go on
        setattr(subprocess, module.__name__, types.SimpleNamespace(**vars(module)))
    lacks = [(os, OF_LINUX), (select, "epoll"), (signal, "pidfd_send_signal pidfd_open")]
    if system == "win32":
        lacks += [(os, OS), (signal, SIGNALS), (socket, "AF_UNIX"), (time, "tzset")]
        for name in MODULES:
            sys.modules[name] = None  # an import raises ModuleNotFoundError
        sys.modules["msvcrt"] = locking
    for module, names in lacks:
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    sys.platform = system
    platform.system = lambda: {"win32": "Windows", "darwin": "Darwin"}[system]
    platform.machine = lambda: {"win32": "AMD64", "darwin": "arm64"}[system]
    multiprocessing.set_start_method("spawn")
    shutil._copyxattr = lambda *_, **__: None  # as Python has it there
    _without_places(ABSENT[system])
    if system == "win32":
        _refuse()
        _cp1252_streams()


def _locking():
    """Return the one function of Windows' `msvcrt` that is asked for, which locks bytes of an open file."""
    import fcntl

    module = types.ModuleType("msvcrt")
    module.LK_NBLCK = 2

    def locking(descriptor, mode, count):
        assert mode == module.LK_NBLCK
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, count, os.lseek(descriptor, 0, 1))
        except OSError:
            raise OSError(errno.EACCES, "Permission denied") from None

    module.locking = locking
    return module


def _is_open(path):
    """Whether this process has a file open, or mapped."""
    try:
        wanted = _stat(path)
    except OSError:
        return False
    held = [f"/proc/self/fd/{name}" for name in _listdir("/proc/self/fd")]
    with _io_open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        held += {line.split(maxsplit=5)[5].rstrip() for line in file if " /" in line}
    for place in held:
        with suppress(OSError):
            found = _stat(place)
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    return False


def _text(path):
    return os.fsdecode(os.fspath(path)) if isinstance(path, str | bytes | os.PathLike) else ""


def _denied(path):
    return PermissionError(errno.EACCES, "The file is being used by a process", _text(path))


def _without_places(absent):
    """Let places be absent for whoever asks by `os` or opens them."""

    def checked(function):
        def call(path=".", *arguments, **options):
            text = _text(path)
            is_absent = any(text == place or text.startswith(f"{place}/") for place in absent)
            if is_absent and text != OF_THREADPOOLCTL:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", text)
            return function(path, *arguments, **options)

        return call

    for name in ("listdir", "lstat", "open", "readlink", "scandir", "stat"):
        setattr(os, name, checked(getattr(os, name)))
    builtins.open = io.open = checked(io.open)


def _refuse():
    """Let files be what they are on Windows."""
    open_, io_open, unlink_, replace_ = os.open, io.open, os.unlink, os.replace

    def check(path):
        if NOT_IN_NAMES & set(_text(path)):
            raise OSError(errno.EINVAL, "Invalid argument", _text(path))

    def opened(path, flags, *arguments, **options):
        check(path)
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", _text(path))
        return open_(path, flags, *arguments, **options)

    def opened_as_file(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *others):
        check(file)
        if not isinstance(file, int) and Path(file).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", _text(file))
        if "b" not in mode:
            encoding = "cp1252" if encoding in (None, "locale") else encoding
            newline = "\r\n" if newline is None and not set(mode).isdisjoint("wxa+") else newline
        return io_open(file, mode, buffering, encoding, errors, newline, *others)

    def unlink(path, *arguments, **options):
        if _is_open(path):
            raise _denied(path)
        unlink_(path, *arguments, **options)

    def replace(source, target, *arguments, **options):
        check(target)
        for path in (source, target):
            if _is_open(path):
                raise _denied(path)
        replace_(source, target, *arguments, **options)

    def rename(source, target, *arguments, **options):
        if Path(target).exists():
            raise FileExistsError(errno.EEXIST, "File exists", _text(source), None, _text(target))
        replace(source, target, *arguments, **options)

    os.open, os.unlink, os.remove, os.rename, os.replace = opened, unlink, unlink, rename, replace
    builtins.open = io.open = opened_as_file
    shutil._use_fd_functions = False  # as it is there: Python removes a folder without opening it


def _cp1252_streams():
    """Let standard streams be what they are where the output goes to a file or a pipe."""
    for name, errors in (("stdout", "strict"), ("stderr", "backslashreplace")):
        buffer = getattr(sys, name).buffer
        setattr(sys, name, io.TextIOWrapper(buffer, "cp1252", errors, newline="\r\n", write_through=True))


if __name__ == "__main__":
    system, program, *sys.argv[1:] = sys.argv[1:]
    pretend(system)
    runpy.run_path(program, run_name="__main__")
