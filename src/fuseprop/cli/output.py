"""How results are written: JSON that every parser takes, numbers that are not longer than they are true."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import click
import numpy as np


def echo_json(result: dict[str, Any]) -> None:
    """Write one JSON object to standard output; numbers that are not finite become null."""
    click.echo(json.dumps(_plain(result), indent=2, allow_nan=False, ensure_ascii=False))


def cell(value: object, dtype: str) -> str:
    """Return a number in as many digits as tell it apart in `dtype`, anything else as text."""
    if isinstance(value, float | np.floating):
        return str(np.dtype(dtype).type(value))
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not isfinite(value) else value
