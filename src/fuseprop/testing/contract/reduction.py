"""The contract of `all_reduce`, for backends that have it: the sum over processes, also within a step."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from fuseprop.backend import AnyBackend, Array, BackendUnavailable, Call, Program, replay_by_calling
from fuseprop.backend.seam import option
from fuseprop.testing.contract.formulas import UPDATE_CASES
from fuseprop.testing.contract.parity import Host, assert_parity
from fuseprop.testing.contract.replay import BATCH, CONDITIONS, SOFTMAX, ReplayContract
from fuseprop.world.processes import Alone, Processes

Value = TypeVar("Value")


class Alike(Alone):
    """So many processes that all have what this one has: their sum is a multiple of it.

    Attributes
    ----------
    size : int
        How many.
    asked : list of int
        The sizes of the arrays that were added up on the host.
    """

    def __init__(self, size: int) -> None:
        self.size, self.asked = size, list[int]()

    def add(self, array: NDArray[Any]) -> None:
        """See `Processes`."""
        self.asked.append(array.size)
        array *= self.size

    def total(self, values: ArrayLike) -> NDArray[Any]:
        """See `Processes`."""
        return np.asarray(values) * self.size

    def gathered(self, value: Value) -> list[Value]:
        """See `Processes`."""
        return [value] * self.size


def in_a_world(program: Program, gradients: Array, world: Processes) -> Program:
    """Return a step that adds its gradients up over all processes before it clips them and learns."""
    calls = list(program.calls)
    learns = next(place for place, call in enumerate(calls) if call.operation in ("clip_norm", "update"))
    calls.insert(learns, Call("all_reduce", (gradients, world), {}))
    return Program(tuple(calls), program.scratch)


class ReductionContract(ReplayContract):
    """Sums over processes; a backend without `all_reduce` serves one process, and leaves these out."""

    @pytest.fixture
    def reducing(self, backend: AnyBackend) -> AnyBackend:
        """Return a backend that has `all_reduce`, and takes one process for several."""
        if option(backend, "all_reduce") is None:
            pytest.skip(f"{backend.name} has no all_reduce, and serves one process")
        try:
            option(backend, "all_reduce")(backend.zeros((1,)), Alike(3))
        except BackendUnavailable as error:
            pytest.skip(f"{backend.name} adds up over real processes alone: {error}")
        return backend

    @pytest.mark.parametrize("size", [1, 63, 70001])
    def test_all_reduce(self, reducing: AnyBackend, size: int) -> None:
        """Every element becomes its sum, and none outside of the array; again and again."""
        values = Host(reducing).normal(size + 2)
        array = reducing.from_host(values)
        for times in (1, 2):
            option(reducing, "all_reduce")(array[1 : size + 1], Alike(3))
            expected = values.astype(np.float64)
            expected[1 : size + 1] *= 3**times
            assert_parity(reducing.to_host(array), expected, reducing.dtype)
            np.testing.assert_array_equal(reducing.to_host(array)[[0, -1]], values[[0, -1]])

    @pytest.mark.replays
    @pytest.mark.parametrize("condition", CONDITIONS)
    @pytest.mark.parametrize("rule", UPDATE_CASES)
    def test_a_step_of_several_processes(self, reducing: AnyBackend, rule: str, condition: str) -> None:
        """Replayed, it leaves what the calls leave, within 10 eps for each step; the summed gradients too."""
        called, replayed = (self._training(reducing, SOFTMAX, "tanh", condition, rule) for _ in range(2))
        programs = []
        for training in (called, replayed):
            self._restore(training, reducing.to_host(training.stack.parameters.values))
            program = training.program(training.batches[0])
            programs.append(in_a_world(program, training.stack.parameters.gradients, Alike(3)))
        call, replay = replay_by_calling(reducing, programs[0]), reducing.compile(programs[1])
        for times, steps in ((1, 1), (2, 3)):
            call(times)
            replay(times)
            ours, theirs = (
                {**self._traces(each), "gradients": each.stack.parameters.gradients}
                for each in (replayed, called)
            )
            expected = [reducing.to_host(array) for array in theirs.values()]
            self._assert_close(replayed, ours, expected, steps, 10)
        np.testing.assert_array_equal(reducing.to_host(replayed.state.cursor), [3 * BATCH])
        np.testing.assert_array_equal(reducing.to_host(called.state.cursor), [3 * BATCH])

    @pytest.mark.replays
    def test_the_sum_is_what_is_learned_from(self, reducing: AnyBackend) -> None:
        """Where all have the same rows, a step goes as far as one with so many times the gradient."""
        moved = []
        for size, rate in ((1, 0.3), (3, 0.1)):
            training = self._training(reducing, SOFTMAX, "tanh", "plain", "momentum")
            parameters, optimizer = training.stack.parameters, training.optimizer
            optimizer.learning_rate = rate
            start = reducing.to_host(parameters.values)
            self._restore(training, start)
            program = training.program(training.batches[0])
            if size > 1:
                program = in_a_world(program, parameters.gradients, Alike(size))
            reducing.compile(program)(2)
            moved.append(reducing.to_host(parameters.values) - start)
        assert np.abs(moved[0]).max() > 1e-3
        assert_parity(moved[1], moved[0].astype(np.float64), reducing.dtype)
