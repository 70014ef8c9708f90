"""A process beside those that train on a machine, which says at once which of them has died, and how.

A process that is killed says nothing, and MPI ends the others within milliseconds, without a name or in
words of its own. A thread in one of the others lost that race against mpiexec more often than it won it,
where more processes than cores wait for each other. So the first process of each machine starts this file as
a program: a process that mpiexec does not know and does not end, but whose last words it still prints.

Every process holds a connection to it, which Linux closes when the process ends: before those to mpiexec,
because it closes descriptors of higher numbers first. So whatever mpiexec ends then comes after, and is not
blamed. (The end itself, by pidfd, may come later than that of the others.) What ends in an orderly way says
so first, by `Lookout.is_ending`.

Where a system has no pidfd, there is no lookout, and MPI ends the others all the same.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

GRACE = 3.0
"""Seconds that the launcher has to end the other processes of the machine, before the lookout kills them."""

HIGH = 200
"""A descriptor beyond those by which mpiexec has started a process, of 1024 that there are or more."""

PIDFD_GET_INFO = 0xC040FF0B
INFO = struct.Struct("=QQ11Ii")
INFO_EXIT = 8
"""Linux's ioctl for a pidfd, the 64 bytes that it fills, and its mask for the status at the end."""


class Lookout:
    """What looks after the processes of this machine, as one of them sees it.

    Parameters
    ----------
    name : str
        Of the lookout, the same in all processes that it looks after, and in no others of the machine.
    """

    def __init__(self, name: str) -> None:
        self._name = f"\0{name}"
        self._connection = socket.socket(socket.AF_UNIX)

    def start(self, pids: dict[int, int], size: int, host: str) -> bool:
        """Start it, in one of the processes; return whether that worked.

        Parameters
        ----------
        pids : dict of int to int
            The numbers of the system of the processes of this machine, by rank.
        size : int
            How many processes there are, here and elsewhere.
        host : str
            The machine's name.
        """
        watched: list[tuple[int, int, int]] = []
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(self._name)
                door.listen(len(pids))
                for rank, pid in pids.items():
                    watched.append((os.pidfd_open(pid), rank, pid))
                about = {"size": size, "host": host, "door": door.fileno(), "watched": watched}
                started = subprocess.Popen(
                    [sys.executable, "-I", "-S", __file__, json.dumps(about)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    cwd="/",
                    pass_fds=[door.fileno(), *(fd for fd, _, _ in watched)],
                    start_new_session=True,
                )
                started.returncode = 0  # it ends after this process, which is not to wait for it
        except OSError:  # an older Linux, or a container that forbids it
            return False
        finally:
            for fd, _, _ in watched:
                os.close(fd)
        return True

    def join(self) -> None:
        """Let it look after this process, but not after those that this one forks; wait until it does."""
        import fcntl  # Windows has none, and no lookout

        self._connection.connect(self._name)
        high = fcntl.fcntl(self._connection.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH)
        self._connection.close()
        self._connection = socket.socket(fileno=high)
        # Before it looks, it could not tell who died first.
        self._connection.settimeout(GRACE)
        with suppress(OSError):
            self._connection.recv(1)
        self._connection.settimeout(None)
        os.register_at_fork(after_in_child=self._connection.close)

    def is_ending(self) -> None:
        """Say that this process ends in an orderly way, or has told the user why not."""
        self._say({"ending": True})

    def has_last_words(self, text: str, file: str | Path) -> None:
        """Say what is to be printed after a death, where a file is there then."""
        self._say({"words": text, "file": str(Path(file).absolute())})

    def _say(self, what: dict[str, object]) -> None:
        with suppress(OSError):  # it has ended
            self._connection.sendall(f"{json.dumps(what)}\n".encode())


def watch(size: int, host: str, door: int, watched: list[tuple[int, int, int]]) -> None:
    """Wait until all processes have ended, or one of them died; then print that, and end the others."""
    ends = {pid: (rank, fd) for fd, rank, pid in watched}
    pid_of = {fd: pid for fd, _, pid in watched}
    open_door = socket.socket(fileno=door)
    said: dict[int, bytes] = {}
    connections: dict[int, socket.socket] = {}
    events = select.epoll()  # tells first of what came first
    for fd in (door, *pid_of):
        events.register(fd, select.EPOLLIN)
    while ends:
        for fd, _ in events.poll():
            if fd == door:
                connection, _ = open_door.accept()
                credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                connections[connection.fileno()] = connection
                pid_of[connection.fileno()] = struct.unpack("3i", credentials)[0]
                events.register(connection.fileno(), select.EPOLLIN)
                with suppress(OSError):
                    connection.sendall(b".")
                continue
            pid = pid_of[fd]
            if fd in connections and (more := received(connections[fd])):
                said[pid] = said.get(pid, b"") + more
                continue
            events.unregister(fd)
            if pid not in ends:
                continue
            rank, end = ends.pop(pid)
            told = [json.loads(line) for line in said.get(pid, b"").splitlines()]
            if any("ending" in one for one in told):
                continue
            text = f"\nprocess {rank} of {size} (pid {pid} on {host}) has died: {how(end, pid)}.\n"
            lines = [json.loads(line) for all_said in said.values() for line in all_said.splitlines()]
            for one in lines:
                if "words" in one and Path(one["file"]).exists():
                    text += f"{one['words']}\n"
            os.write(2, text.encode(errors="replace"))
            kill_after_grace([fd for _, fd in ends.values()])
            return


def received(connection: socket.socket) -> bytes:
    """Return what has come; nothing where the other end is closed."""
    try:
        return connection.recv(1 << 16)
    except ConnectionError:
        return b""


def how(fd: int, pid: int) -> str:
    """Return in words how a process has ended."""
    ended = select.poll()
    ended.register(fd, select.POLLIN)
    ended.poll(1000)
    status = status_at_end(fd, pid)
    if status is None:
        return "it was killed or crashed"
    if os.WIFEXITED(status):
        return f"it ended with exit code {os.WEXITSTATUS(status)} and said nothing"
    number = os.WTERMSIG(status)
    if number == signal.SIGKILL:
        return "killed (signal 9), by the system where memory ran out, by a person or by the launcher"
    return f"{signal.strsignal(number)} (signal {number})"


def status_at_end(fd: int, pid: int) -> int | None:
    """Return the status of a process that has ended, as `os.waitpid` does; None where it cannot be told."""
    import fcntl

    with suppress(OSError, ValueError):  # as long as nobody waited for it, every Linux tells
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] in "ZX":
            return int(fields[-1])
    with suppress(OSError):  # after that, since 6.15
        info = INFO.unpack(fcntl.ioctl(fd, PIDFD_GET_INFO, INFO.pack(INFO_EXIT, *[0] * 13)))
        if info[0] & INFO_EXIT:
            return int(info[-1])
    return None


def kill_after_grace(fds: list[int]) -> None:
    """Kill processes that still live after `GRACE`: none waits for one that has died."""
    living = select.poll()
    for fd in fds:
        living.register(fd, select.POLLIN)
    while fds and (ended := living.poll(GRACE * 1000)):
        for fd, _ in ended:
            living.unregister(fd)
            fds.remove(fd)
    for fd in fds:
        with suppress(OSError):
            signal.pidfd_send_signal(fd, signal.SIGKILL)


if __name__ == "__main__":
    watch(**json.loads(sys.argv[1]))
