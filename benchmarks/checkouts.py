"""Two states of this repository in a temporary folder: a commit, and the working tree as it stands."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .interruptions import held


class NoSuchCommit(ValueError):
    """There is no such commit, or no repository to look for it in."""


@dataclass(frozen=True)
class Checkout:
    """A folder with the state of a commit, and what in it is not committed."""

    folder: Path
    commit: str
    changed: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Such as "1a2b3c4d5e", or with "and what is not committed: src/x.py and 2 more" behind it."""
        more = f" and {len(self.changed) - 1} more" if len(self.changed) > 1 else ""
        also = f" and what is not committed: {self.changed[0]}{more}" if self.changed else ""
        return f"{self.commit[:10]}{also}"


@contextmanager
def side_by_side(commit: str, root: Path) -> Iterator[tuple[Checkout, Checkout]]:
    """Yield old and new; the folder goes, however this ends. Raises NoSuchCommit.

    Both are copies: what happens to the working tree meanwhile changes nothing.
    """
    old = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}").strip()
    folder = tempfile.TemporaryDirectory(prefix="fuseprop-against-")
    there = Path(folder.name)
    try:
        archive = subprocess.run(["git", "archive", old], cwd=root, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(there / "old", filter="data")
        yield Checkout(there / "old", old), _copy(root, there / "new")
    finally:
        with held():
            folder.cleanup()


def _copy(root: Path, folder: Path) -> Checkout:
    """Copy every file of a working tree that git does not ignore."""
    for name in _names(_git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")):
        source, target = root / name, folder / name
        if source.is_file():  # one that was removed is still listed
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    changed = _names(_git(root, "diff", "-z", "--name-only", "--no-renames", "HEAD"))
    changed += _names(_git(root, "ls-files", "-z", "--others", "--exclude-standard"))
    return Checkout(folder, _git(root, "rev-parse", "HEAD").strip(), tuple(sorted(changed)))


def _names(listed: str) -> list[str]:
    return [name for name in listed.split("\0") if name]


def _git(root: Path, *arguments: str) -> str:
    """Return what git says of a repository; raises NoSuchCommit."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    if done.returncode:
        why = os.fsdecode(done.stderr).strip() or "git knows no such commit"
        raise NoSuchCommit(f"{why}.")
    return os.fsdecode(done.stdout)
