"""Warnings that point at the user's own line, however many functions of the library lie above it."""

from __future__ import annotations

import sys
import warnings
from types import FrameType


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest calling line that belongs neither to fuseprop nor to scikit-learn.

    Python's contexts, which stand between lines of fuseprop, are passed over too.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _package(frame) in ("fuseprop", "sklearn", "contextlib"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _package(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0]
