"""The package onnx: loaded when a file is written or read."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...installing import how_to_install


def onnx_library(part: str = "") -> Any:
    """Return the package onnx, or a part of it. Raises ImportError, which names the extra, without it."""
    try:
        return import_module(f"onnx.{part}" if part else "onnx")
    except ImportError as error:
        raise ImportError(
            f"ONNX files need the package onnx, which is not installed. Type: {how_to_install('onnx')}."
        ) from error
