"""Arrays and tables that speak as Arrow's do: without a dtype, and DLPack for some alone."""

import numpy as np


class Array:
    """What NumPy reads by `__array__` alone; its `__dlpack__` is for numbers without gaps, and deprecated."""

    def __init__(self, values):
        self._values = np.asarray(values)

    def __len__(self):
        return len(self._values)

    def __array__(self, dtype=None, copy=None):
        return self._values if dtype is None else self._values.astype(dtype)

    def __dlpack__(self, **options):
        raise TypeError("DLPack is for numbers without gaps")

    def __dlpack_device__(self):
        return (1, 0)


class Table:
    """Columns by name."""

    def __init__(self, **columns):
        self._columns = columns
        self.column_names = list(columns)

    @property
    def columns(self):
        return [self.column(i) for i in range(len(self._columns))]

    @property
    def shape(self):
        return len(self), len(self._columns)

    def __len__(self):
        return len(self.column(0))

    def __array__(self, dtype=None, copy=None):
        array = np.column_stack([*self._columns.values()])
        return array if dtype is None else array.astype(dtype)

    def column(self, i):
        return Array(self._columns[self.column_names[i]])
