"""Which cases of its tests a landing takes, and which it leaves to `.ci/long`.

Of a test with the marker ``pairs`` a landing takes so many cases that any two values of its parameters that
meet in some case meet in one of these; with the marker ``values``, so many that each value comes. It leaves
out what has the marker ``long``.
``pytest --cases=all`` takes all, and ``--cases=left`` what landings leave.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import combinations
from typing import Any

import pytest

CHOICES = ("landing", "left", "all")
TOGETHER = {"values": 1, "pairs": 2}
"""By marker, how many values are to meet."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--cases``."""
    parser.addoption(
        "--cases",
        choices=CHOICES,
        default=CHOICES[0],
        help="Which cases of tests with the markers pairs, values and long: those of a landing (default), "
        "those that it leaves to .ci/long, or all.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the markers."""
    config.addinivalue_line(
        "markers", "pairs: a landing takes cases for all pairs of values of its parameters"
    )
    config.addinivalue_line("markers", "values: a landing takes cases for all values of its parameters")
    config.addinivalue_line("markers", "long: a landing leaves this case out")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the cases that are not asked for."""
    asked = config.getoption("--cases")
    if asked == "all":
        return
    taken = set(of_landing(items))
    others = [item for item in items if (item in taken) != (asked == "landing")]
    if others:
        config.hook.pytest_deselected(items=others)
        gone = set(others)
        items[:] = [item for item in items if item not in gone]


def first_of_each(cases: Iterable[tuple[Any, ...]], *keys: Callable[..., Hashable]) -> list[Any]:
    """Return cases for `parametrize`: those of which no key tells anything new are ``long``."""
    met: set[tuple[int, Hashable]] = set()
    made = []
    for case in cases:
        told = {(number, key(*case)) for number, key in enumerate(keys)}
        made.append(pytest.param(*case, marks=[pytest.mark.long] if told <= met else []))
        met |= told
    return made


def of_landing(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that a landing takes."""
    taken: list[pytest.Item] = []
    cases: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("long") is None:
            together = [
                count for name, count in TOGETHER.items() if item.get_closest_marker(name) is not None
            ]
            if together and hasattr(item, "callspec"):
                cases.setdefault((item.nodeid.partition("[")[0], max(together)), []).append(item)
            else:
                taken.append(item)
    for (_, together), made in cases.items():
        values = [[_key(value) for value in item.callspec.params.values()] for item in made]  # type: ignore[attr-defined]
        taken += [made[i] for i in covering(values, together)]
    return taken


def _key(value: object) -> Hashable:
    """Return what tells a parameter's values apart."""
    return (type(value), value) if isinstance(value, Hashable) else id(value)


def covering(cases: Sequence[Sequence[Hashable]], together: int) -> list[int]:
    """Return the numbers of cases in which all values that meet in any of them meet, so many `together`.

    They are few, and the same each time: each is the one that has most of what those before it lack, and the
    first of these.
    """
    lacked = [set(combinations(enumerate(case), min(together, len(case)))) for case in cases]
    waiting = [(-len(groups), number) for number, groups in enumerate(lacked)]
    heapify(waiting)
    met: set[tuple[tuple[int, Hashable], ...]] = set()
    taken = []
    while waiting:
        known, number = heappop(waiting)
        lacked[number] -= met
        if lacked[number] and len(lacked[number]) == -known:
            met |= lacked[number]
            taken.append(number)
        elif lacked[number]:
            heappush(waiting, (-len(lacked[number]), number))
    return sorted(taken)
