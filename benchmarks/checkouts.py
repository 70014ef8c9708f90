"""Two states of this repository in a temporary folder: a commit, and the working tree as it stands."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .interruptions import held

NATIVE = Path("backends", "fuseprop_numpy", "native")
"""Where a checkout's compiled steps and their sources are."""


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

    Both are copies: what happens to the working tree meanwhile changes nothing. Those that have compiled
    steps get them built: no commit holds them.
    """
    old = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}").strip()
    folder = tempfile.TemporaryDirectory(prefix="fuseprop-against-")
    there = Path(folder.name)
    try:
        archive = subprocess.run(["git", "archive", old], cwd=root, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(there / "old", filter="data")
        new = _copy(root, there / "new")
        for folder_of in (there / "old", there / "new"):
            _build(folder_of)
        yield Checkout(there / "old", old), new
    finally:
        with held():
            folder.cleanup()


def _copy(root: Path, folder: Path) -> Checkout:
    """Copy every file of a working tree that git does not ignore, and what it has built."""
    names = _names(_git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
    built = [*(root / NATIVE).glob("*.so"), *(root / NATIVE).glob("build.json")]
    _copy_files(root, folder, [*names, *(str(path.relative_to(root)) for path in built)])
    changed = _names(_git(root, "diff", "-z", "--name-only", "--no-renames", "HEAD"))
    changed += _names(_git(root, "ls-files", "-z", "--others", "--exclude-standard"))
    return Checkout(folder, _git(root, "rev-parse", "HEAD").strip(), tuple(sorted(changed)))


def _copy_files(root: Path, folder: Path, names: Iterable[str]) -> None:
    for name in names:
        source, target = root / name, folder / name
        if source.is_file():  # one that was removed is still listed
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _build(checkout: Path) -> None:
    """Build a checkout's compiled steps, where it has any; where that fails it has none that are older."""
    builder = checkout / NATIVE / "build.py"
    if not builder.exists():
        return
    if subprocess.run([sys.executable, builder], cwd=checkout, capture_output=True, check=False).returncode:
        for library in builder.parent.glob("*.so"):
            library.unlink()


def _names(listed: str) -> list[str]:
    return [name for name in listed.split("\0") if name]


def _git(root: Path, *arguments: str) -> str:
    """Return what git says of a repository; raises NoSuchCommit."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    if done.returncode:
        why = os.fsdecode(done.stderr).strip() or "git knows no such commit"
        raise NoSuchCommit(f"{why}.")
    return os.fsdecode(done.stdout)
