"""One of the backends that are compared: a network on it, the calls of its steps, and their replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from ..backend import AnyBackend, Array, Call, HostArray, Program
from ..training.epoch import CompiledEpoch, Epoch
from ..training.rows import check_rows
from .cases import Case
from .tensors import Tensors


class Side:
    """A case on one backend.

    What stands in the arrays of a step may be taken from another side, and what the step leaves compared with
    it: the core records the same calls for every backend, so that the arrays of one side are, in their order,
    those of the other.
    """

    def __init__(self, case: Case, backend: AnyBackend, data_dtype: np.dtype[np.floating], seed: int) -> None:
        self.backend, self.case = backend, case
        self.network = case.network(backend, seed)
        self.optimizer = case.new_optimizer()
        rows = check_rows(self.network.stack, *case.data(data_dtype, seed))
        stack, size = self.network.stack, case.batch_size
        self.epoch = Epoch(backend, stack, None, self.optimizer, rows, batch_size=size)
        self.sizes = [int(size) for size in self.epoch.sizes]
        self._batches = {batch.rows: batch for batch in self.epoch.batches}

    @cached_property
    def compiled(self) -> CompiledEpoch:
        """The steps as users run them: compiled by the backend."""
        return self.epoch.compile()

    @cached_property
    def programs(self) -> Mapping[int, Program]:
        """The recorded step of a batch, by how many rows it has."""
        return {rows: self.epoch.program(batch) for rows, batch in self._batches.items()}

    @cached_property
    def tensors(self) -> Mapping[int, Tensors]:
        """What the arrays of that step hold."""
        programs = self.programs
        return {rows: Tensors(self.epoch, batch, programs[rows]) for rows, batch in self._batches.items()}

    def begin(self, order: HostArray) -> None:
        """Begin an epoch: send its order, and the numbers of its steps."""
        self.epoch.prepare()
        self.epoch.send(order)

    def end(self) -> None:
        """Count the steps of an epoch, which are taken."""
        self.optimizer.steps += len(self.sizes)
        self.optimizer.epochs += 1

    def call(self, call: Call) -> None:
        """Make one call of a step."""
        with np.errstate(all="ignore"):
            getattr(self.backend, call.operation)(*call.operands, **call.options)

    def replay(self, step: int) -> None:
        """Take the step of this number in its epoch, from 0, by the compiled program that has it."""
        behind = 0
        for run, times in self.compiled.runs:
            behind += times
            if step < behind:
                with np.errstate(all="ignore"):
                    run(1)
                return

    def take_all(self) -> None:
        """Take all steps of an epoch, as many in one call as training takes."""
        with np.errstate(all="ignore"):
            for run, times in self.compiled.runs:
                run(times)

    def read(self, arrays: Sequence[Array]) -> list[HostArray]:
        """Return copies on the host."""
        return [self.backend.to_host(array) for array in arrays]

    def write(self, arrays: Sequence[Array], values: Sequence[HostArray]) -> None:
        """Set arrays to what others of their shapes hold, perhaps in another dtype."""
        for array, value in zip(arrays, values, strict=True):
            self.backend.from_host(value.astype(array.dtype, copy=False), out=array)

    def orders(self, seed: int) -> Iterator[HostArray]:
        """Yield the orders of two epochs."""
        rng = np.random.default_rng([seed, 1])
        for _ in range(2):
            yield rng.permutation(self.case.rows)
