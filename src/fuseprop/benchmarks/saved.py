"""A saved run of ``pytest --pyargs fuseprop.benchmarks --benchmark-json=FILE``: rows of networks, machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, cast

from ..checks.quoting import literal
from .networks import CASES, Case

T = TypeVar("T")

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
    except RecursionError:
        raise NotARun(path, "it is JSON that is nested too deeply") from None
    try:
        _check(isinstance(saved, dict), "the file", "an object", saved)
        tests = _of(saved, "benchmarks", list, "")
        machine = _machine(_of(saved, "machine_info", dict, ""))
        date = _of(saved, "datetime", str, "")
        rows = [_row(f"benchmarks[{i}]", test) for i, test in enumerate(tests) if _measured(i, test)]
        _check_once(rows)
    except _Damaged as damage:
        raise NotARun(path, f"it is no file that pytest-benchmark wrote: {damage}") from None
    if not rows:
        raise NotARun(path, "none of its tests measured a network on a backend")
    return Run(date[:10], machine, tuple(row for _, row in rows))


class _Damaged(ValueError):
    """What stands at a place of a run is not what belongs there."""


KINDS = {dict: "an object", list: "a list", str: "a text", int: "a whole number", float: "a number"}


def _check(right: bool, place: str, expected: str, value: object) -> None:
    if not right:
        raise _Damaged(f"{place} must be {expected}, got {literal(value)}")


def _of(holder: dict[str, Any], name: str, kind: type[T], where: str) -> T:
    """Return an entry of this kind; true and false are no numbers, and a whole number is a float too."""
    place = f"{where}.{name}" if where else name
    if name not in holder:
        raise _Damaged(f"{place} is missing")
    value = holder[name]
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    _check(fits, place, KINDS[kind], value)
    return cast(T, value)


def _machine(machine: dict[str, Any]) -> dict[str, Any]:
    """Return what a run says of its machine; what our fixtures add may be missing, but nothing else."""
    where = "machine_info"
    for name, kind in (
        ("cpu_name", str),
        ("cores", int),
        ("fuseprop", str),
        ("numpy", str),
        ("python", str),
        ("cpu", dict),
        ("gpu", dict),
    ):
        if machine.get(name) is not None:
            _of(machine, name, kind, where)
    if (machine.get("cpu") or {}).get("brand_raw") is not None:
        _of(machine["cpu"], "brand_raw", str, f"{where}.cpu")
    if machine.get("gpu"):
        for name, kind in (("name", str), ("driver", int), ("cuda", int), ("cupy", str)):
            _of(machine["gpu"], name, kind, f"{where}.gpu")
    return {name: value for name, value in machine.items() if value is not None}


def _measured(number: int, test: object) -> bool:
    """Whether a test measured one of our networks by the fixture `timed`; others are no rows of ours."""
    where = f"benchmarks[{number}]"
    _check(isinstance(test, dict), where, "an object", test)
    held = cast(dict[str, Any], test)
    info = _of(held, "extra_info", dict, where)
    params = held.get("params") or {}
    _check(isinstance(params, dict), f"{where}.params", "an object", params)
    return "device" in info and "network" in params


def _row(where: str, test: dict[str, Any]) -> tuple[str, Row]:
    """Return the row of a test, with the place that it stands at."""
    info, params, stats = test["extra_info"], dict(test["params"]), _of(test, "stats", dict, where)
    network = _of(params, "network", str, f"{where}.params")
    _check(network in CASES, f"{where}.params.network", "a network of the suite", network)
    for name in ("network", "backend"):
        params.pop(name, None)
    low, middle, high = (float(_of(stats, name, float, f"{where}.stats")) for name in ("q1", "median", "q3"))
    if not (0 < low <= middle <= high and isfinite(high)):
        raise _Damaged(f"{where}.stats must hold 0 < q1 <= median <= q3, got {low}, {middle}, {high}")
    backend, device, dtype = (
        _of(info, name, str, f"{where}.extra_info") for name in ("backend", "device", "dtype")
    )
    what = ", ".join(map(str, [*params.values(), dtype]))
    group = _of(test, "group", str, where)
    return where, Row(group, CASES[network], what, Side(backend, device), low, middle, high)


def _check_once(rows: list[tuple[str, Row]]) -> None:
    """Raise _Damaged where two tests measured one network in one way on one side: which counts is unknown."""
    found: dict[tuple[object, ...], str] = {}
    for where, row in rows:
        key = (row.group, row.case.id, row.what, row.side)
        if key in found:
            what = f"{row.group} of {row.case.id}, {row.what} by {row.side}"
            raise _Damaged(f"{found[key]} and {where} both measured {what}")
        found[key] = where
