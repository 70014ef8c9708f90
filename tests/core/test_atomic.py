"""Files that are whole or not there: what replacing one keeps, follows, refuses and clears away."""

import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuseprop.storage import atomic
from fuseprop.storage.atomic import check_place, write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions, links and signals")


def names(directory):
    return sorted(file.name for file in directory.iterdir())


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_nobody_else_may_read_a_private_file_while_it_is_written(tmp_path, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(0o600)
    modes = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: (modes.append(stat.S_IMODE(os.fstat(file).st_mode)), fsync(file))
    )
    write_atomically(path, b"new")
    assert modes[0] == 0o600


@posix
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root writes others' files")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    os.chown(path, 65534, 65534)
    write_atomically(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)


@posix
def test_a_new_file_takes_what_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "m", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o640


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path, exists):
    (tmp_path / "a").mkdir()
    target, link, second = tmp_path / "a" / "real", tmp_path / "link", tmp_path / "second"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(Path("a") / "real")
    second.symlink_to(link)
    check_place(second)
    write_atomically(second, b"new")
    assert (link.is_symlink(), second.is_symlink()) == (True, True)
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "a") == ["real"]
    assert names(tmp_path) == ["a", "link", "second"]


def refused(path, word):
    for write in (check_place, lambda path: write_atomically(path, b"new")):
        with pytest.raises(OSError, match=word) as caught:
            write(path)
        assert caught.value.filename == str(path)


@posix
def test_what_is_no_regular_file_is_refused(tmp_path):
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "null").symlink_to(os.devnull)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "m")
    for name, word in {
        "d": "is a directory",
        "fifo": "no regular file",
        "null": "no regular file",
        "loop": "symbolic links",
        "nowhere": "missing does not exist",
        "missing/m": "missing does not exist",
    }.items():
        refused(tmp_path / name, word)
    refused(Path(os.devnull), "no regular file")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert names(tmp_path) == ["d", "fifo", "loop", "nowhere", "null"]


@posix
def test_a_file_without_write_permission_is_refused(open_path, as_nobody):
    path = open_path / "m"
    path.write_bytes(b"old")
    path.chmod(0o444)
    as_nobody(lambda: refused(path, "Permission denied"))
    assert (path.read_bytes(), names(open_path)) == (b"old", ["m"])


@posix
def test_a_directory_without_write_permission_is_refused(open_path, as_nobody):
    path = open_path / "m"
    path.write_bytes(b"old")
    path.chmod(0o666)
    open_path.chmod(0o555)
    as_nobody(lambda: refused(path, "Permission denied"))
    assert (path.read_bytes(), names(open_path)) == (b"old", ["m"])


@posix
def test_another_users_file_in_a_sticky_directory_is_refused(tmp_path, monkeypatch):
    (tmp_path / "theirs").write_bytes(b"old")
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    check_place(tmp_path / "theirs")
    tmp_path.chmod(0o1777)
    check_place(tmp_path / "new")
    for function in (check_place, lambda path: write_atomically(path, b"new")):
        with pytest.raises(PermissionError, match="another user's, which a sticky directory keeps"):
            function(tmp_path / "theirs")
    assert (tmp_path / "theirs").read_bytes() == b"old"
    assert names(tmp_path) == ["theirs"]


@posix
def test_a_directory_that_cannot_be_read_is_written_to(open_path, as_nobody):
    open_path.chmod(0o333)
    as_nobody(lambda: write_atomically(open_path / "m", b"new"))
    open_path.chmod(0o777)
    assert ((open_path / "m").read_bytes(), names(open_path)) == (b"new", ["m"])


def test_what_has_its_name_is_not_reported_as_failed(tmp_path, monkeypatch):
    fsync, calls = os.fsync, []

    def refuse_directories(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            calls.append(descriptor)
            raise OSError(22, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_directories)
    write_atomically(tmp_path / "m", b"new")
    assert (tmp_path / "m").read_bytes() == b"new"
    assert len(calls) == 1 or not hasattr(os, "O_DIRECTORY")


WRITER = """
import os, signal, sys
from fuseprop.storage.atomic import write_atomically

def stop(descriptor):
    print("there", flush=True)
    signal.pause()

os.fsync = stop
write_atomically(sys.argv[1], b"half")
"""


@contextmanager
def writing(path):
    """A process that has written its temporary file and not yet given it the name."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"there\n"
        try:
            yield process
        finally:
            process.kill()


@posix
@pytest.mark.parametrize("name", ["m", "long" * 62])
def test_what_a_killed_process_left_is_removed_by_the_next_write_of_the_name(tmp_path, name):
    path = tmp_path / name
    with writing(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = names(tmp_path)
    assert len(left) == 1
    assert left[0].endswith(".tmp")
    write_atomically(tmp_path / f"{name}2", b"another name")
    assert names(tmp_path) == sorted([*left, f"{name}2"])
    write_atomically(path, b"new")
    assert names(tmp_path) == [name, f"{name}2"]


@posix
def test_the_temporary_file_of_a_living_process_is_left_alone(tmp_path):
    path = tmp_path / "m"
    with writing(path):
        write_atomically(path, b"new")
        assert len(names(tmp_path)) == 2
    write_atomically(path, b"newer")
    assert (path.read_bytes(), names(tmp_path)) == (b"newer", ["m"])


@posix
def test_a_file_that_is_taken_for_abandoned_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    lock, calls = atomic._lock, []

    def late(descriptor, *, wait=True):
        calls.append(wait)
        if len(calls) == 1:
            atomic._remove_abandoned(tmp_path / "m")  # as another process would, at the worst moment
        return lock(descriptor, wait=wait)

    monkeypatch.setattr(atomic, "_lock", late)
    write_atomically(tmp_path / "m", b"new")
    assert len(calls) == 3
    assert ((tmp_path / "m").read_bytes(), names(tmp_path)) == (b"new", ["m"])


@posix
def test_only_what_could_be_ours_is_removed(tmp_path):
    others = [".m.tmp", ".m.1234567.tmp", ".m.1234567g.tmp", ".m.12345678.tmp.txt", "m.12345678.tmp"]
    for name in others:
        (tmp_path / name).write_bytes(b"theirs")
    (tmp_path / ".m.00000000.tmp").mkdir()
    os.mkfifo(tmp_path / ".m.11111111.tmp")
    (tmp_path / ".m.22222222.tmp").symlink_to(".m.tmp")
    (tmp_path / ".m.12345678.tmp").write_bytes(b"left by a process")
    before = names(tmp_path)
    write_atomically(tmp_path / "m", b"new")
    assert names(tmp_path) == sorted({*before, "m"} - {".m.12345678.tmp"})


@pytest.mark.parametrize("letter", ["x", "\u00fc"])
def test_names_as_long_as_the_system_allows_work_and_longer_ones_are_refused(tmp_path, letter):
    size = len(letter.encode())
    longest = letter * ((os.pathconf(tmp_path, "PC_NAME_MAX") if os.name == "posix" else 255) // size)
    for name in (longest, longest[: -20 // size]):
        check_place(tmp_path / name)
        write_atomically(tmp_path / name, b"new")
        assert names(tmp_path) == [name]
        (tmp_path / name).unlink()
    with pytest.raises(OSError, match="name"):
        check_place(tmp_path / (longest + letter))
    assert names(tmp_path) == []
