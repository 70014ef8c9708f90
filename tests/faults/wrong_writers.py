"""Writers of files with a mistake each, which the harness must find: see `test_faults.py`."""

import os
import signal
from contextlib import suppress
from errno import EIO

from scenarios import NEW, Writing


class InPlace(Writing):
    """The old file is gone before the new one is written."""

    def write(self, path):
        path.write_bytes(NEW)


class Careless(Writing):
    """A temporary file is written, and takes the place of the old one."""

    synchronizes, syncs_directory, is_early = True, True, False

    def write(self, path):
        temporary = path.with_suffix(".tmp")
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                if self.is_early:
                    temporary.replace(path)
                self.fill(file)
                if self.synchronizes:
                    os.fsync(file)
            finally:
                os.close(file)
            if not self.is_early:
                temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise self.raised(error, path) from error
        if self.syncs_directory:
            with suppress(OSError):
                folder = os.open(path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)

    def fill(self, file):
        left = NEW
        while left:
            left = left[os.write(file, left) :]

    def raised(self, error, path):
        return OSError(error.errno, error.strerror, str(path))


class Unsynchronized(Careless):
    """The new name may be on the disk before the bytes are."""

    synchronizes = False


class Forgotten(Careless):
    """The new name may never be on the disk."""

    syncs_directory = False


class Early(Careless):
    """The file has its name before its bytes."""

    is_early = True


class Untyped(Careless):
    """The error is none that a caller expects."""

    def raised(self, error, path):
        return RuntimeError(f"could not write {path}")


class Nameless(Careless):
    """The error does not name the file."""

    def raised(self, error, path):
        return OSError(EIO, "Input/output error")


class Silent(Careless):
    """No error is told."""

    def write(self, path):
        with suppress(OSError):
            super().write(path)


class Littering(Careless):
    """A temporary file of another name each time is left."""

    def write(self, path):
        path.with_suffix(f".{len(list(path.parent.iterdir()))}").touch()
        super().write(path)


class Trusting(Careless):
    """A write is taken to write everything."""

    def fill(self, file):
        os.write(file, NEW)


class Dying(Writing):
    """The process is killed."""

    def act(self, place, mark):
        os.kill(os.getpid(), signal.SIGKILL)


class Failing(Writing):
    """What finds out what is wrong fails itself."""

    def wrong(self, place, raised, told, fault):
        return 1 / 0


SAID = {
    InPlace: "a loss of power after call 1",
    Unsynchronized: "a loss of power after call 3",
    Forgotten: "after written",
    Early: "a loss of power",
    Untyped: "RuntimeError(",
    Nameless: "which is no OSError with the path",
    Silent: "the file is not the one written",
    Littering: "are left",
    Trusting: "short: the file is not the one written",
}
"""What must be said of each mistake."""

WRONG = {made.__name__: made for made in (*SAID, Careless, Dying, Failing)}
