"""Class weights: how much the rows of each class count while a model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.choices import suggestion
from ..checks.quoting import literal, quoted
from ..checks.settings import is_finite_number
from ..data.errors import listed
from ..data.target_columns import Class
from ..data.tasks import Task
from ..world import ALONE, Processes

ClassWeight: TypeAlias = str | Mapping[Class, float]
"""What a user may give: "balanced", or weights by class."""

BALANCED = "balanced"


def check_class_weight(given: object) -> None:
    """Raise ValueError for what is neither None, "balanced", nor a mapping from classes to weights."""
    if given is None or (isinstance(given, str) and given == BALANCED):
        return
    if not isinstance(given, Mapping) or not given:
        raise ValueError(
            f'class_weight must be "{BALANCED}", or a dict from class to weight such as '
            f'{{"no": 1, "yes": 5}}, got {literal(given)}.'
        )
    for name, weight in given.items():
        if not (is_finite_number(weight) and weight >= 0):
            raise ValueError(
                f"class_weight gives the class {quoted(name)} the weight {literal(weight)}; "
                f"expected a number of at least 0."
            )


def weights_by_class(
    given: ClassWeight, task: Task, learned: HostArray, world: Processes = ALONE
) -> NDArray[np.float64]:
    """Return the weight of each class of a task, (classes,), in their order.

    "balanced" gives a class with n_c of the n rows learned from n / (k n_c), where k classes have rows: all
    classes together weigh the same. One without rows gets 0. A mapping names classes by themselves or by
    their text, and those that it does not name get 1.

    Parameters
    ----------
    given : "balanced" or mapping
    task : Task
        Binary or exclusive.
    learned : (n,) int64
        The class numbers of the rows that are learned from, of each process its own.
    world : Processes
        Those whose rows count together.

    Raises ValueError for another task, for what is no class of it, and for a class that is named twice.
    """
    if not task.classes:
        raise ValueError(
            f"class_weight weighs rows by their class, but the task is {task.name}, where a row has none. "
            f"Leave it out, or choose a target of classes."
        )
    if not isinstance(given, Mapping):
        counts = world.total(np.bincount(learned, minlength=len(task.classes)))
        even = counts.sum() / np.count_nonzero(counts)
        balanced: NDArray[np.float64] = np.divide(even, counts, out=np.zeros(len(counts)), where=counts > 0)
        return balanced
    number = {str(name): i for i, name in enumerate(task.classes)}
    weights, named = np.ones(len(number)), set()
    for name, weight in given.items():
        i = task.classes.index(name) if name in task.classes else number.get(str(name))
        if i is None:
            raise ValueError(
                f"class_weight gives a weight to {quoted(name)}, which is no class of the target. "
                f"There are: {listed(list(number))}.{suggestion(name, number)}"
            )
        if i in named:
            raise ValueError(f"class_weight names the class {quoted(str(name))} twice. Give it one weight.")
        named.add(i)
        weights[i] = weight
    return weights
