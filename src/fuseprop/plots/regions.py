"""A decision over the plane of two features: whose region a point is in, and how surely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..backend import HostArray
from .grid import around, rows_of

LEAST = 1e-300
"""Probabilities below this count as this, so that their logarithms are finite."""

FAINTEST = 0.25
"""The shade of an exclusive class where it is no likelier than another."""

Rule = Callable[[HostArray], HostArray]


@dataclass(frozen=True)
class Regions:
    """A decision over the plane of two features, and the points that it is about.

    A class's region is where its margin is above 0, and its boundary where that is 0. Between the points of
    the grid a margin is close to linear, so that the boundary is smooth: of probabilities it is a log-odds.

    Attributes
    ----------
    x1, x2 : (g,), (h,)
        The coordinates of the grid.
    margins : (h, g, c)
        By how much each class, or label, is decided for; below 0: against.
    shades : (h, g, c)
        How much of each class's colour there is, from 0 to 1.
    points : mapping
        From the name of each of the c classes to its points (n, 2).

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.plots import Regions
    >>> x = np.linspace(-1, 1, 5)
    >>> x1, _ = np.meshgrid(x, x)
    >>> margins = np.stack([-x1, x1], axis=-1)  # of "no" and of "yes"
    >>> points = {"no": np.array([[-0.5, 0.0]]), "yes": np.array([[0.5, 0.0]])}
    >>> regions = Regions(x, x, margins, np.clip(margins, 0, 1), points)
    """

    x1: HostArray
    x2: HostArray
    margins: HostArray
    shades: HostArray
    points: Mapping[str, HostArray]

    @classmethod
    def of_scores(cls, score: Rule, points: Mapping[str, HostArray], threshold: float = 0.0) -> Regions:
        """Return the regions of classes by scores, all places of a region as sure as each other.

        `score` maps rows (n, 2) to one score each, (n,) or (n, 1), and the second of two classes is where it
        is above the threshold; or to one for each class (n, c), of which the largest wins, and of equal ones
        the first.
        """
        x1, x2, scores = _over_grid(score, points)
        if scores.shape[-1] == 1:
            scores = np.concatenate([threshold - scores, scores - threshold], axis=-1) / 2
        margins = _lead(scores)
        return cls(x1, x2, margins, np.eye(margins.shape[-1])[margins.argmax(axis=-1)], points)

    @classmethod
    def of_probabilities(
        cls,
        probability: Rule,
        points: Mapping[str, HostArray],
        *,
        exclusive: bool = True,
        shown: HostArray | None = None,
    ) -> Regions:
        """Return the regions of classes, or of labels that do not exclude each other, by probabilities.

        `probability` maps rows (n, 2) to the probability of each class (n, c), or of the second of two
        classes alone (n,) or (n, 1). An exclusive class has a region where it is the likeliest, another label
        where it is likelier than not: log p - log max(others) > 0, or log p - log (1 - p) > 0. Regions are
        the darker the surer the decision is. The plane reaches around the points `shown` (m, 2) as well.
        """
        x1, x2, p = _over_grid(probability, points, shown)
        if exclusive and p.shape[-1] == 1:
            p = np.concatenate([1 - p, p], axis=-1)
        log = np.log(np.maximum(p, LEAST))
        if not exclusive:
            return cls(x1, x2, log - np.log(np.maximum(1 - p, LEAST)), p, points)
        count = p.shape[-1]
        sure = np.clip((p - 1 / count) / (1 - 1 / count), 0.0, 1.0)  # of separate outputs all may be low
        margins = _lead(log)
        shades = np.where(margins > 0, FAINTEST + (1 - FAINTEST) * sure, 0.0)
        return cls(x1, x2, margins, shades, points)


def _over_grid(
    rule: Rule, points: Mapping[str, HostArray], shown: HostArray | None = None
) -> tuple[HostArray, HostArray, HostArray]:
    x1, x2 = around(np.concatenate([*points.values(), *([] if shown is None else [shown])]))
    values = np.asarray(rule(rows_of(x1, x2)), np.float64)
    return x1, x2, values.reshape(len(x2), len(x1), -1)


def _lead(scores: HostArray) -> HostArray:
    """Return by how much each of the scores (h, g, c) is above the largest of the others."""
    others = [np.delete(scores, i, axis=-1).max(axis=-1) for i in range(scores.shape[-1])]
    lead: HostArray = scores - np.stack(others, axis=-1)
    return lead
