"""A saved run of ``pytest --pyargs fuseprop.benchmarks --benchmark-json=FILE``: rows of networks, machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from .networks import CASES, Case

COMMAND = "pytest --pyargs fuseprop.benchmarks --backends=numpy,cupy --benchmark-json=run.json"
"""What makes a run with rows of a CPU and of a GPU, on a machine that has both."""


class NotARun(ValueError):
    """A file is no saved run of our suite; says why, and what makes one."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}. Expected a run of our suite. Type: {COMMAND}")


@dataclass(frozen=True)
class Side:
    """A backend on its device, such as numpy on cpu."""

    backend: str
    device: str

    def __str__(self) -> str:
        return f"{self.backend} on {self.device}"

    @property
    def is_cpu(self) -> bool:
        """Whether it computes on the CPU."""
        return self.device.partition(":")[0] == "cpu"


@dataclass(frozen=True)
class Row:
    """What one test took of one network.

    Attributes
    ----------
    group : str
        What was measured, such as "step".
    case : Case
    what : str
        The other parameters of the test and the dtype: "sigmoid, float32".
    side : Side
    low, middle, high : float
        First quartile, median and third quartile of the rounds, in seconds.
    """

    group: str
    case: Case
    what: str
    side: Side
    low: float
    middle: float
    high: float

    @property
    def size(self) -> int:
        """Rows x weights of a step."""
        return self.case.batch * sum(d * m for d, m in self.case.shapes)


@dataclass(frozen=True)
class Run:
    """A saved run: its date, its machine as pytest-benchmark describes it and our fixtures add to it."""

    date: str
    machine: dict[str, Any]
    rows: tuple[Row, ...]

    @property
    def sides(self) -> list[Side]:
        """Which backends were measured on which devices, in their order."""
        return list(dict.fromkeys(row.side for row in self.rows))


def read(path: Path) -> Run:
    """Return a saved run; raises NotARun, and OSError where the file cannot be read."""
    try:
        saved = json.loads(path.read_bytes())
    except ValueError:  # bytes that are no text are one too
        raise NotARun(path, "it is no JSON") from None
    try:
        tests, machine, date = saved["benchmarks"], dict(saved["machine_info"]), str(saved["datetime"])
        rows = tuple(_row(test) for test in tests if _measured(test))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotARun(path, f"it is no file that pytest-benchmark wrote ({error!r})") from None
    if not rows:
        raise NotARun(path, "none of its tests measured a network on a backend")
    return Run(date[:10], machine, rows)


def _measured(test: dict[str, Any]) -> bool:
    """Whether a test measured one of our networks by the fixture `timed`; others are no rows of ours."""
    return "device" in test["extra_info"] and "network" in (test["params"] or {})


def _row(test: dict[str, Any]) -> Row:
    info, params, stats = test["extra_info"], dict(test["params"]), test["stats"]
    case = CASES[params.pop("network")]
    params.pop("backend", None)
    low, middle, high = (float(stats[name]) for name in ("q1", "median", "q3"))
    if not (0 < low <= middle <= high and isfinite(high)):
        raise ValueError(f"{test['name']} took {low} to {high} s")
    what = ", ".join(map(str, [*params.values(), info["dtype"]]))
    return Row(test["group"], case, what, Side(info["backend"], info["device"]), low, middle, high)
