"""Where a command reads and writes: no file for two things, and none that is written is one that is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from ..checkpoints.reading import previous_of
from ..checks.quoting import shown
from ..data import is_file_name
from ..data.files.opening import STANDARD_INPUT
from ..storage.atomic import is_same_file, is_standard_input
from .parameters import interrupted_path


def check_different(
    *,
    out: Path | None,
    plot: Path | None,
    report: Path | None,
    tried: Path | None,
    read: Mapping[str, Iterable[str | Path]],
    folder: Path | None,
    **kept: Path | None,
) -> None:
    """Raise UsageError where two options would write, or one read and one write, the same file.

    `read` are the files that are read alone, by what reads them, as `check_not_read` takes them; `folder` is
    one that will be there, whose path is no file's. `kept` are the paths of checkpoints by the names of their
    options, which may be the same.
    """
    files: list[tuple[str, str, Path | None]] = [
        ("--plot", "the picture", plot),
        ("--report", "the report", report),
        ("--tried", "the settings tried", tried),
    ]
    if out is not None:
        files += [("--out", "the model", out), ("--out", "the interrupted model", interrupted_path(out))]
    for name, path in kept.items():
        if path is not None:
            option = f"--{name}"
            files += [(option, "the checkpoint", path), (option, "the checkpoint before", previous_of(path))]
    seen: dict[str, tuple[str, str]] = {}
    for option, what, path in files:
        if path is None:
            continue
        check_not_read(read, {option: path})
        place = Path(os.path.realpath(path))
        whole = None if folder is None else Path(os.path.realpath(folder))
        if whole is not None and place in (whole, *whole.parents):
            raise click.UsageError(
                f"{shown(path, None)} would be both {what} of {option} and a folder, of --run "
                f"{shown(folder, None)}. Name different places; a file may be in the folder."
            )
        other, held = seen.setdefault(str(place), (option, what))
        if other != option and other[2:] not in kept:
            raise click.UsageError(
                f"{shown(path, None)} would hold both {held} of {other} and {what} of {option}. Name "
                f"different files."
            )


def check_not_read(read: Mapping[str, Iterable[str | Path]], written: Mapping[str, Path | None]) -> None:
    """Raise UsageError where a file that is written is one that is read, by any of its names.

    `read` has files, names of data sets and "-" for standard input, by what reads them, such as "DATA";
    `written` has the file of each option.
    """
    for option, place in written.items():
        for what, texts in read.items():
            for text in texts:
                if place is not None and _is_read(text, place):
                    also = "" if str(text) == str(place) else f", named {shown(place, None)} there"
                    raise click.UsageError(
                        f"{option} would replace {shown(text, None)}, which is read as {what}{also}. Name "
                        f"another file."
                    )


def _is_read(text: str | Path, place: Path) -> bool:
    if text == STANDARD_INPUT:
        return is_standard_input(place)
    return is_file_name(text) and is_same_file(Path(text), place)
