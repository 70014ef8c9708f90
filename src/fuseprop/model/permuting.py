"""Permutation importance: the scores of a network where the features of one column are permuted.

The cells of a column go to other rows, so that the column keeps its values, but tells nothing of the target
any more (L. Breiman, Random Forests, Machine Learning 45, 2001). The mean loss over all pairs of different
rows, of which one gives its cells to the other, less the loss of the rows as they are, is the model reliance
of A. Fisher, C. Rudin and F. Dominici (All Models are Wrong, but Many are Useful, J. Mach. Learn. Res. 20,
2019). It is estimated without bias: the rows stand in a random order, and in each repeat every row gets the
cells of the row so many places behind it, a number that is drawn without replacement. So no row keeps its own
cells, no pair is taken twice, and as many repeats as there are other rows take every pair.

The interval is that of a mean over pairs, a U-statistic (W. Hoeffding, Ann. Math. Stat. 19, 1948): mean +-
1.96 s / sqrt(n), where s is the standard deviation over rows of what a row's loss changes by when it gets
cells, and other rows' losses when it gives them, together and each on average. What is left to the pairs that
are drawn counts twice, so that few repeats make it rather too wide: of 400 samples of 300 rows, 95% to 97%
held the truth with 5 repeats, 97% to 99% with one; of 50 rows, 91% to 97%.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import counted, literal
from ..checks.settings import as_generator, positive_integer
from ..data.encoder import Encoder
from ..data.errors import DataError
from ..data.table import Table
from ..metrics import weighted_mean
from ..network import Network
from ..training.evaluation import RowScores
from ..training.features import Fetch
from ..training.rows import check_rows
from .association import shared_importance
from .importance import ColumnImportance, Effect, Importance
from .permuted_rows import PermutedRows

FEW = 100
"""Of fewer rows it is said that they are few."""

FEWEST = 3
"""Of fewer rows there is no interval: two have one pair, which varies with nothing."""

NORMAL = 1.96
"""The 97.5% quantile of the normal distribution."""

NONE = Effect(0.0, 0.0, 0.0, 0.0)
"""What permuting a column without features does."""


def permutation_importance(
    network: Network, encoder: Encoder, table: Table, targets: HostArray, *, repeats: int, seed: int
) -> Importance:
    """Return the importance of the columns of a table, which has the encoder's, with the network's targets.

    Raises and takes as much time and memory as `Model.explain` says.
    """
    repeats, rng, n = positive_integer("repeats", repeats), as_generator(seed), len(table)
    if n < 2:
        raise DataError(f"{table.source} has {counted(n, 'row')}: at least 2 are needed to permute a column.")
    order = rng.permutation(n)
    shifts = (rng.choice(n - 1, min(repeats, n - 1), replace=False) + 1).tolist()
    inputs = encoder.encode(table, network.backend.dtype, order)
    permuting = Permuting(network, encoder, inputs, targets[order], shifts)
    columns = [permuting.column(j) for j in range(len(encoder.columns))]
    columns.sort(key=lambda column: -column.loss.mean)
    few = [f"{n} rows are few: other rows of the same kind may well give another order."] if n < FEW else []
    if n < FEWEST:
        few.append(f"There are no intervals: {n} rows have no standard error. Give {FEWEST} or more.")
    return Importance(
        tuple(columns),
        permuting.metric,
        permuting.scores,
        n,
        len(shifts),
        (*few, *shared_importance(encoder, inputs)),
    )


class Permuting:
    """A network, and rows in random order whose columns are permuted one at a time.

    Parameters
    ----------
    network : Network
    encoder : Encoder
        Made the inputs.
    inputs, targets
        (n, width) and (n,) or (n, k): of the network, at least 2 rows, which nobody changes.
    shifts : sequence of int
        From where each row gets its features in each repeat: different numbers from 1 to n - 1.

    Raises DataError if the loss of the rows is not finite.
    """

    def __init__(
        self,
        network: Network,
        encoder: Encoder,
        inputs: HostArray,
        targets: HostArray,
        shifts: Sequence[int],
    ) -> None:
        self._encoder, self._shifts = encoder, shifts
        checked = check_rows(network.stack, inputs, targets).targets
        self._rows = PermutedRows(network, inputs)
        network = self._rows.network
        self._row_scores = RowScores(network.backend, network.stack, network.metric, checked)
        self._metric = self._row_scores.metric
        self.metric = self._metric.name
        self._losses, self._hits = self._measured(self._rows.unchanged(), "")
        self._loss = weighted_mean(self._losses, None)
        self._score = self._metric.score(self._losses, self._hits, None)

    @property
    def scores(self) -> dict[str, float]:
        """Loss and metric of the rows as they are."""
        return {"loss": self._loss, self.metric: self._score}

    def column(self, j: int) -> ColumnImportance:
        """Return the importance of the jth column; raise DataError if a loss is not finite."""
        name = self._encoder.column_names[j]
        features = slice(*self._encoder.layout.starts[j : j + 2].tolist())
        has_metric = self.metric != "loss"
        if features.start == features.stop:
            return ColumnImportance(name, NONE, NONE if has_metric else None)
        rises, falls = [], []
        of_losses, of_hits = np.zeros((2, len(self._losses)))
        where = f" with other rows' cells of {literal(name)}"
        for shift in self._shifts:
            losses, hits = self._measured(self._rows.shifted(features, shift), where)
            rises.append(weighted_mean(losses, None) - self._loss)
            falls.append(self._score - self._metric.score(losses, hits, None))
            for total, change in ((of_losses, losses - self._losses), (of_hits, self._hits - hits)):
                total += change
                total += np.roll(change, shift)  # to the row that gave the cells
        loss = _effect(rises, *_interval(rises, of_losses))
        if not has_metric:
            return ColumnImportance(name, loss, None)
        if self._metric.counts_hits:
            low, high = _interval(falls, of_hits)
        else:
            low, high = (self._score - self._score_at(self._loss + rise) for rise in (loss.low, loss.high))
        return ColumnImportance(name, loss, _effect(falls, low, high))

    def _score_at(self, loss: float) -> float:
        """Return the metric, one of losses alone, at a mean loss."""
        return self._metric.score(np.array([loss]), np.zeros(1), None)

    def _measured(self, fetch: Fetch, where: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return losses and hits (n,), in float64; raise DataError if a loss is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            losses, hits = (part.astype(np.float64) for part in self._row_scores(fetch))
        if not np.isfinite(losses).all():
            raise DataError(
                f"the loss of these rows{where} is not finite: the weights are too large, or rows too far "
                f"from those learned from. Train again with a smaller learning rate, or leave rows out."
            )
        return losses, hits


def _effect(repeats: Sequence[float], low: float, high: float) -> Effect:
    deviation = float(np.std(repeats, ddof=1)) if len(repeats) > 1 else float("nan")
    return Effect(float(np.mean(repeats)), deviation, low, high)


def _interval(repeats: Sequence[float], of_rows: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the interval of the mean, nan for fewer than `FEWEST` rows.

    `of_rows` (n,) are the sums of a row's changes.
    """
    if len(of_rows) < FEWEST:
        return nan, nan
    mean = float(np.mean(repeats))
    margin = NORMAL * float(np.std(of_rows / len(repeats), ddof=1)) / len(of_rows) ** 0.5
    return mean - margin, mean + margin
