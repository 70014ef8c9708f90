"""Encoder: from the columns of a table to the inputs of a network, as the rows learned from decide it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..checks.choices import choose
from ..checks.quoting import counted, literal, shown
from ..checks.settings import check_flag
from ..world import agreeing
from .bins import Bins, check_bins
from .blocks import Float, Index, blocks, rows_of_a_block
from .choices import HOW_MISSING
from .column import QUANTITIES, Column
from .cycles import cycles_that_vary, places_in
from .errors import DataError, listed
from .frequent import MOST_RARE, by_frequency
from .layout import Layout
from .lines import Lines
from .notations import digits_of
from .recoding import new_codes, with_codes
from .scaling import Standardizer
from .table import Table
from .tails import Tails, heavy_tailed


@dataclass(frozen=True, eq=False)
class Encoder:
    """What each column becomes as inputs of a network: plain data, which a model file keeps.

    A number is standardized, z = (x - mean) / scale. A missing one becomes the mean, z = 0, and where there
    were some in training, a feature of its own is 1 for it and else 0: mean imputation with the
    missing-indicator method (M. P. Jones, J. Am. Stat. Assoc. 91, 1996). A constant column has a feature too,
    of which the standardization makes 0.

    A boolean is 0 or 1. A missing one becomes the share of ones, and has an indicator likewise.

    A category has a feature for each of its frequent texts, which is 1 for it and else 0 (one-hot, or dummy
    variables); one for all rare ones together, "other", and one for missing ones, if there were any. A text
    that no row learned from held goes to "other", or to none of the features.

    A date is a number of days, standardized, and for each cycle in which the dates learned from differ the
    point (sin a, cos a) of a circle: see `cycles`. A missing date is the mean day and the centre of the
    circle, and has an indicator likewise.

    A number or a date with heavy tails may be scaled by its median and quartiles instead, and clipped
    smoothly: see `tails`; a missing one is the median, z = 0. One with more than two different values may
    have, beside its value, features of its bins: see `bins`; those of a missing one are 0, their means.

    A boolean, category or date that is the same in all rows learned from has no feature.

    Attributes
    ----------
    columns : tuple of Column
        The d columns. The levels of a category are its frequent texts in alphabetical order, and then its
        rare ones, at most `MOST_RARE` of them.
    scaling : Standardizer
        Mean and deviation of numbers and dates (d,). The mean of a boolean is its share of ones; all else has
        mean 0 and scale 1.
    used, indicated : (d,) bool
        Whether a column has features of its values, and one for missing values.
    own : mapping of int to int
        For each category, by the column's position: how many of its levels have a feature of their own.
    cycles : mapping of int to tuple of str
        For each date, by the column's position: its cycles, among `CYCLES`; none for one that is not used.
    missing : "encode" | "refuse"
        Whether missing values are encoded, or are an error that names the first one.
    tails, bins : mapping of int to Tails, of int to Bins
        For numbers and dates, by the column's position: the scaling of those that are clipped smoothly, and
        the bins of those that have some. `scaling` is the same with them and without.
    """

    columns: tuple[Column, ...]
    scaling: Standardizer
    used: NDArray[np.bool_]
    indicated: NDArray[np.bool_]
    own: Mapping[int, int] = field(default_factory=dict)
    cycles: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    missing: str = "encode"
    tails: Mapping[int, Tails] = field(default_factory=dict)
    bins: Mapping[int, Bins] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choose("missing", self.missing, HOW_MISSING)

    @classmethod
    def of_numbers(cls, columns: Sequence[Column], scaling: Standardizer) -> Encoder:
        """Return the encoder that standardizes columns of plain numbers, of which none was missing."""
        d = len(columns)
        return cls(tuple(columns), scaling, np.ones(d, np.bool_), np.zeros(d, np.bool_))

    @classmethod
    def fit(
        cls,
        table: Table,
        rows: Index | None = None,
        *,
        missing: str = "encode",
        clip: bool = False,
        bins: int = 0,
    ) -> Encoder:
        """Return the encoder of a table, as the rows with these indices decide it; all rows by default.

        Where several processes hold the table together, all call this, with rows of their own, perhaps none,
        and get the encoder of all these rows.

        Parameters
        ----------
        table : Table
        rows : (n,) int, optional
        missing : "encode" | "refuse"
        clip : bool
            Whether numbers and dates with heavy tails are clipped smoothly: those with a value more than
            `HEAVY` = 6 deviations from the mean. All others stay as they are.
        bins : int
            How many bins a number or a date has at most; 0 for none.

        Raises DataError if no feature is left, because all columns are the same in these rows; TypeError and
        ValueError for a `clip` or `bins` of another kind.
        """
        check_flag("clip", clip)
        most = check_bins(bins)
        columns, own, cycles = list(table.columns), dict[int, int](), dict[int, tuple[str, ...]]()
        d, world = len(columns), table.world
        n = int(world.total(len(table) if rows is None else len(rows)))
        gone = np.zeros(d, np.int64)
        for _, block in blocks(table.X, rows):
            gone += np.isnan(block).sum(axis=0)
        gone = world.total(gone)
        used, indicated = gone < n, (gone > 0) & (gone < n)
        scaling = _scaling(table, rows)
        tails, binned = _bent(table, rows, scaling, clip, most)
        for j, column in enumerate(columns):
            if column.kind == "number":
                continue
            known = _known(table, rows, j)
            low, high = known.min(initial=np.inf), known.max(initial=-np.inf)
            used[j] = world.least(low) < world.greatest(high)
            if column.kind == "boolean":
                scaling.mean[j] = world.total(known.sum()) / max(1, n - gone[j])
            elif column.kind == "category":
                columns[j], own[j] = by_frequency(column, known, world)
                used[j] = own[j] + (own[j] < len(columns[j].levels)) + indicated[j] > 1
            else:
                cycles[j] = cycles_that_vary(known, world)
        encoder = cls(tuple(columns), scaling, used, indicated, own, cycles, missing, tails, binned)
        if not encoder.width:
            raise DataError(
                f"{table.source}: {listed(table.feature_names)} {'is' if d == 1 else 'are'} the same in all "
                f"{counted(n, 'row')} to learn from, so that nothing can be learned. Give more rows, or "
                f"other features."
            )
        return encoder

    @cached_property
    def is_of_numbers(self) -> bool:
        """Whether all columns hold numbers."""
        return all(column.kind == "number" for column in self.columns)

    @cached_property
    def is_plain(self) -> bool:
        """Whether all columns are plain numbers that are standardized, and no more."""
        return (
            self.is_of_numbers
            and self.missing == "encode"
            and bool(self.used.all())
            and not self.indicated.any()
            and not any(column.notation for column in self.columns)
            and self.is_straight
        )

    @property
    def is_straight(self) -> bool:
        """Whether each number and day has one feature, which is a straight line of it."""
        return not (self.tails or self.bins)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The names of the d columns."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def layout(self) -> Layout:
        """Where each column's features are among the inputs of the network."""
        used, indicated = self.used.tolist(), self.indicated.tolist()
        return Layout.of(self.columns, used, indicated, self.own, self.cycles, self.bins)

    @cached_property
    def with_points(self) -> Index:
        """The columns of numbers with points between thousands (1.234,5) whose mean is a thousand or more."""
        return np.array(
            [
                j
                for j, column in enumerate(self.columns)
                if column.kind == "number" and column.notation and digits_of(column.notation).group == "."
                if abs(self.scaling.mean[j]) >= 1000
            ],
            np.int64,
        )

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features: age, age missing, country=DE, country=other, when month sin."""
        return self.column_names if self.is_plain else self.layout.names()

    @property
    def width(self) -> int:
        """How many features there are: the inputs of the network."""
        return len(self.columns) if self.is_plain else len(self.layout.features)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the rows learned from decided of columns, in sentences: rare categories, no feature at all."""
        notes = []
        for j, column in enumerate(self.columns):
            rare = column.levels[self.own.get(j, len(column.levels)) :]
            name = shown(column.name)
            if not self.used[j]:
                notes.append(f"{name}: the same in all rows to learn from, so that it gives no feature")
            elif rare:
                count = f"{len(rare):,} {'or more ' if len(rare) >= MOST_RARE else ''}rare"
                count += " categories are" if len(rare) > 1 else " category is"
                notes.append(f'{name}: {count} taken together as "other": {listed(rare, 5)}')
        if self.tails:
            names = [self.columns[j].name for j in self.tails]
            notes.append(f"{listed(names, 5)}: a few values far from most others, which are clipped smoothly")
        return tuple(notes)

    @cached_property
    def feature_scaling(self) -> Standardizer:
        """Mean and scale of each feature (width,): 0 and 1 for those that are not standardized."""
        if self.is_plain:
            return self.scaling
        mean, scale = np.zeros(self.width), np.ones(self.width)
        for j, feature, piece in self.layout.lines.T.tolist():
            if not piece and j not in self.tails and self.columns[j].kind in QUANTITIES:
                mean[feature], scale[feature] = self.scaling.mean[j], self.scaling.scale[j]
        return Standardizer(mean, scale)

    @cached_property
    def lines(self) -> Lines:
        """The features that are a line of a cell, or a piece of one."""
        return Lines.of(self.layout, self.scaling, self.tails, self.bins)

    def encode(self, table: Table, dtype: Any = np.float64, rows: Index | None = None) -> NDArray[Any]:
        """Return the features (n, width) of the rows with these indices, by default all, in a float dtype.

        The table has the encoder's columns, in order (see `Table.with_features`); its categories may have
        other levels, which are found by their texts.

        Where several processes hold the table together, all call this, each for rows of its own.

        Raises DataError for a column of another kind, for numbers that the dtype cannot hold once they are
        standardized, and for a missing value where they are refused; `Elsewhere` where another process does.
        """
        with agreeing(table.world):
            return self._encoded(table, dtype, rows)

    def _encoded(self, table: Table, dtype: Any, rows: Index | None) -> NDArray[Any]:
        codes = new_codes(self.columns, table)
        encoded = np.zeros((len(table) if rows is None else len(rows), self.width), dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            for place, block in blocks(table.X, rows, most=self._rows_of_a_block):
                cells = with_codes(block, codes) if codes else block
                gone = np.isnan(cells)
                is_gone = gone.any()
                if is_gone and self.missing == "refuse":
                    self._refuse(table, gone, rows, place.start)
                self._write(cells, gone if is_gone else None, encoded[place])
                if not np.isfinite(encoded[place]).all():
                    self._refuse_size(table, encoded[place], rows, place.start)
        return encoded

    @cached_property
    def _rows_of_a_block(self) -> int:
        lines = 0 if self.is_plain else self.layout.lines.shape[1]
        return rows_of_a_block(max(lines, len(self.columns)))

    def check_missing(self, table: Table) -> None:
        """Raise DataError, with row and column, for the first missing value if they are refused.

        Raises `Elsewhere` where another process that holds the table too has found one.
        """
        if self.missing == "encode":
            return
        with agreeing(table.world):
            for place, cells in blocks(table.X):
                gone = np.isnan(cells)
                if gone.any():
                    self._refuse(table, gone, None, place.start)

    def _write(self, cells: Float, gone: NDArray[np.bool_] | None, encoded: NDArray[Any]) -> None:
        """Write the features of cells (n, d), of which some may be `gone`, to `encoded` (n, width), all 0."""
        if self.is_plain:
            encoded[:] = self.scaling.apply(cells)
            if gone is not None:
                encoded[gone] = 0.0
            return
        layout = self.layout
        values = self.lines.apply(cells, gone)
        if gone is not None:
            encoded[:, layout.missing[1]] = gone[:, layout.missing[0]]
        if layout.dates:
            values = np.concatenate([values, self._points(cells, gone)], axis=1)
        encoded[:, layout.lines_and_points] = values
        if layout.categories.size:
            encoded.reshape(-1)[layout.categories_of(cells, gone)] = 1.0

    def _points(self, cells: Float, gone: NDArray[np.bool_] | None) -> Float:
        """Return the sines of all dates' cycles, and then their cosines, (n, 2a), of cells (n, d)."""
        places, columns = [], []
        for j, cycles in self.layout.dates:
            places += places_in(cycles, cells[:, j])
            columns += [j] * len(cycles)
        angles = np.array(places).T * (2.0 * np.pi)
        points = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        if gone is not None:
            points[gone[:, columns * 2]] = 0.0
        return points

    def _refuse(self, table: Table, gone: NDArray[np.bool_], rows: Index | None, start: int) -> NoReturn:
        """Raise DataError for the first missing value of a block that begins with the `start`th of `rows`."""
        i, j = np.argwhere(gone)[0].tolist()
        raise DataError(
            f"{_place(table, rows, start + i)}, column {literal(self.column_names[j])}: there is no value. "
            f'Fill it, leave the row out, or train with missing="encode".'
        )

    def _refuse_size(self, table: Table, encoded: NDArray[Any], rows: Index | None, start: int) -> NoReturn:
        """Raise DataError for the first feature of a block that its dtype cannot hold."""
        i, feature = np.argwhere(~np.isfinite(encoded))[0].tolist()
        raise DataError(
            f"{_place(table, rows, start + i)}, column {literal(self.feature_names[feature])} is so far "
            f"from the rows learned from (mean {self.feature_scaling.mean[feature]:g}) that {encoded.dtype} "
            f"cannot hold it. Check the value."
        )


def _place(table: Table, rows: Index | None, i: int) -> str:
    return f"{table.source}: row {table.row_number(i if rows is None else int(rows[i]))}"


def _known(table: Table, rows: Index | None, j: int) -> Float:
    """Return the cells of a column in some rows, without those that are missing."""
    cells = table.X[:, j] if rows is None else table.X[rows, j]
    return cells[~np.isnan(cells)]


def _bent(
    table: Table, rows: Index | None, scaling: Standardizer, clip: bool, most: int
) -> tuple[dict[int, Tails], dict[int, Bins]]:
    """Return the tails of quantities that are to be clipped, and the bins, at most so many, of each."""
    quantities = [j for j, column in enumerate(table.columns) if column.kind in QUANTITIES]
    world = table.world
    heavy = heavy_tailed(table.X, rows, scaling, quantities, world) if clip else []
    tails = {j: Tails.of(_known(table, rows, j), float(scaling.scale[j]), world) for j in heavy}
    bins = {j: Bins.of(_known(table, rows, j), most, world) for j in quantities} if most else {}
    return tails, {j: one for j, one in bins.items() if one is not None}


def _scaling(table: Table, rows: Index | None) -> Standardizer:
    """Return mean and deviation of the columns that are quantities, and 0 and 1 of the others."""
    quantities = [j for j, column in enumerate(table.columns) if column.kind in QUANTITIES]
    if len(quantities) == len(table.columns):
        return Standardizer.fit(table.X, rows, world=table.world)
    scaling = Standardizer(np.zeros(len(table.columns)), np.ones(len(table.columns)))
    if quantities:
        fitted = Standardizer.fit(table.X, rows, quantities, table.world)
        scaling.mean[quantities], scaling.scale[quantities] = fitted.mean, fitted.scale
    return scaling
