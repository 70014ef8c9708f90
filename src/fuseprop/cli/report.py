"""`fuseprop train --report FILE`: a page about a training, written in the end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..checks.quoting import printable
from ..model.fitting import Fitting
from ..showing import lines
from ..showing.page import folded
from ..storage.atomic import write_atomically
from .environment import fingerprints
from .options import chosen_settings
from .output import Run
from .settings_file import settings_text


def write_report(
    place: Path,
    make: Callable[..., str],
    fitting: Fitting,
    data: tuple[str, ...],
    run: Run,
    options: Mapping[str, Any],
) -> None:
    """Write a page, which `make` returns of the options that were given."""
    text = make(given=set(options), again=_again(run, fitting, options), data=fingerprints(data))
    write_atomically(place, text.encode())


def _again(run: Run, fitting: Fitting, options: Mapping[str, Any]) -> list[str]:
    """Return as parts of a page the command as it was given, and all its settings as a file."""
    return [
        lines(printable(shlex.join(["fuseprop", *run.words]))),
        folded("Settings as a file", lines(settings_text(options, chosen_settings(fitting, options)))),
    ]
