"""The contract of replay: a compiled program does what its calls do, on what its arrays hold by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuseprop.backend import INTEGER, AnyBackend, Array, HostArray, UpdateFormula, replay_by_calling
from fuseprop.backend.recording import record
from fuseprop.formulas import Loss
from fuseprop.layers.dense import mlp
from fuseprop.layers.targets import encode_targets
from fuseprop.network import Network
from fuseprop.optimizers.flat import FlatOptimizer
from fuseprop.testing.contract.formulas import (
    LOSS_CASES,
    TRAINABLE_CASES,
    UPDATE_CASES,
    all_in_turn,
    in_turn,
)
from fuseprop.testing.contract.growth import assert_does_not_grow
from fuseprop.testing.contract.parity import Host, assert_equal, assert_parity, assert_within
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows
from fuseprop.training.step import training_step

SOFTMAX = "softmax_cross_entropy"
CONDITIONS = ["plain", "weighted", "clipped"]
ROWS, BATCH = 42, 8
"""Five full batches and one of two rows."""

HOW = list(product(CONDITIONS, UPDATE_CASES))
"""Every condition of a step with every update."""

SHAPES = [[5, 4, 6, 2], [300, 5, 1030, 2], [5, 7, 1], [5, 1]]
"""Layers few and many, wide and narrow, as sizes of networks."""

LARGE = [64, 1030, 2]
"""More than 2^16 parameters: an update may take as many in parts. One loss does, for the time it takes."""

DIVISIONS = [[5], [1, 1, 3], [2, 3], [4, 0, 1]]
"""Five steps, divided in several ways among calls of a replay."""


class OptimizerOf(FlatOptimizer):
    """The optimizer that does what any formula of an update says, with a learning rate of 0.1 at first.

    The first setting is the learning rate, and the others are numbers below 1 that differ.
    """

    def __init__(self, formula: UpdateFormula, weight_decay: float, clip_norm: float | None) -> None:
        self.learning_rate, self.weight_decay, self.clip_norm = 0.1, weight_decay, clip_norm
        self._formula = formula
        self._check()

    @property
    def formula(self) -> UpdateFormula:
        """What a step does."""
        return self._formula

    def _numbers(self, steps: int, decay: HostArray, dtype: np.dtype[np.floating]) -> HostArray:
        others = len(self._formula.settings) - 1
        numbers = np.empty((*decay.shape, others + 2))
        numbers[..., 0], numbers[..., -1] = self.current_learning_rate, decay
        numbers[..., 1:-1] = np.linspace(0.6, 0.9, others)
        return numbers


class ReplayContract:
    """Steps that are recorded, compiled and replayed, beside the same steps call by call."""

    @pytest.mark.replays
    @pytest.mark.parametrize(("loss", "activation", "how"), all_in_turn(LOSS_CASES, TRAINABLE_CASES, HOW))
    def test_a_replayed_step_is_the_step(
        self, backend: AnyBackend, loss: str, activation: str, how: tuple[str, str]
    ) -> None:
        """Replayed steps leave what the calls leave, within 10 eps for each step; a partial batch too.

        Every loss comes with every activation, and each of them with every condition and update.
        """
        called, replayed = (self._training(backend, loss, activation, *how) for _ in range(2))
        is_drawn = activation.startswith("drawn") or loss.startswith("drawn")
        self._assert_same_steps(called, replayed, eps=100 if is_drawn else 10)

    @pytest.mark.replays
    @pytest.mark.parametrize(("loss", "sizes"), [*in_turn(LOSS_CASES, SHAPES, 2), (SOFTMAX, LARGE)])
    def test_whatever_the_shape(self, backend: AnyBackend, loss: str, sizes: list[int]) -> None:
        """A backend may choose another way for another shape."""
        if LOSS_CASES[loss].takes_labels:
            sizes = [*sizes[:-1], max(2, sizes[-1])]  # exclusive classes are at least two
        training = [self._training(backend, loss, "tanh", "weighted", "momentum", sizes) for _ in range(2)]
        self._assert_same_steps(*training)

    @pytest.mark.replays
    @pytest.mark.parametrize("activation", TRAINABLE_CASES)
    def test_nan_goes_through_a_step(self, backend: AnyBackend, activation: str) -> None:
        """One NaN in an input is in its row's loss and in every weight after it, called and replayed."""
        rows = np.random.default_rng(0).normal(size=(ROWS, 5))
        rows[3, 1] = np.nan
        for replayed in (False, True):
            training = self._training(backend, SOFTMAX, activation, sizes=(5, 7, 6, 3), rows=rows)
            training.send(np.arange(ROWS))
            program = training.program(training.batches[0])
            run = backend.compile(program) if replayed else replay_by_calling(backend, program)
            with np.errstate(all="ignore"):
                run(1)
            losses = backend.to_host(training.state.losses)[:BATCH]
            np.testing.assert_array_equal(np.isnan(losses), np.arange(BATCH) == 3)
            values = backend.to_host(training.stack.parameters.values)
            for start, stop in training.stack.parameters.ranges:
                assert np.isnan(values[start:stop]).all()

    @pytest.mark.replays
    @pytest.mark.parametrize("condition", CONDITIONS)
    def test_gradients_that_are_read_are_there(self, backend: AnyBackend, condition: str) -> None:
        """The gradients of the last step are left as the calls leave them."""
        called, replayed = (
            self._training(backend, SOFTMAX, "sigmoid", condition, "momentum") for _ in range(2)
        )
        self._assert_same_steps(called, replayed, with_gradients=True)

    @pytest.mark.replays
    def test_a_replay_sees_what_the_arrays_hold(self, backend: AnyBackend) -> None:
        """Another order, other settings and another place in the epoch need no new compilation."""
        training = self._training(backend, SOFTMAX, "tanh", "plain", "momentum")
        optimizer = training.optimizer
        assert isinstance(optimizer, OptimizerOf)
        replay = backend.compile(training.program(training.batches[0]))
        parameters, start = training.stack.parameters, training.stack.parameters.values
        kept = backend.empty(start.shape)
        backend.copy(start, out=kept)

        def learn(order: list[int], learning_rate: float, decay: float) -> Array:
            backend.copy(kept, out=parameters.values)
            optimizer.learning_rate, optimizer.weight_decay = learning_rate, decay
            optimizer.prepare(parameters, 1)
            optimizer.reset()
            training.send(np.array(order))
            replay(1)
            return backend.from_host(backend.to_host(parameters.values) - backend.to_host(kept))

        forward, backward = list(range(ROWS)), list(range(ROWS))[::-1]
        first = backend.to_host(learn(forward, 0.1, 0.0))
        np.testing.assert_array_equal(backend.to_host(learn(forward, 0.1, 0.0)), first)
        assert_parity(backend.to_host(learn(forward, 0.2, 0.0)), 2 * first.astype(np.float64), backend.dtype)
        for order, decay in ((backward, 0.0), (forward, 0.1)):
            assert np.abs(backend.to_host(learn(order, 0.1, decay)) - first).max() > 1e-4
        replay(1)
        np.testing.assert_array_equal(backend.to_host(training.state.cursor), [2 * BATCH])

    @pytest.mark.replays
    @pytest.mark.parametrize("condition", CONDITIONS)
    @pytest.mark.parametrize("rule", UPDATE_CASES)
    def test_how_often_at_once_makes_no_difference(
        self, backend: AnyBackend, rule: str, condition: str
    ) -> None:
        """Steps in one call of a replay, or in several, from the first call on or later: the same bits."""
        called, replayed = (self._training(backend, SOFTMAX, "sigmoid", condition, rule) for _ in range(2))
        start = backend.to_host(called.stack.parameters.values)
        *_, expected = self._called(called, 0, sum(DIVISIONS[0]), start)
        runs = []
        for divisions in (DIVISIONS, DIVISIONS[::-1]):
            replay = backend.compile(replayed.program(replayed.batches[0]))
            for division in divisions:
                self._restore(replayed, start)
                for times in division:
                    replay(times)
                np.testing.assert_array_equal(backend.to_host(replayed.state.cursor), [5 * BATCH])
                runs.append({name: backend.to_host(array) for name, array in self._traces(replayed).items()})
        for found in runs:
            for (name, ours), reference in zip(found.items(), expected, strict=True):
                assert_equal(ours, runs[0][name], f"{name}, replayed in other divisions")
                assert_parity(ours, reference, backend.dtype, name)

    @pytest.mark.replays
    def test_a_replay_draws_new_masks(self, backend: AnyBackend) -> None:
        """Masks follow the step on the device, within a replay and from one to the next."""
        host = Host(backend)
        values, step = backend.from_host(host.normal(9, 7)), backend.zeros((1,), INTEGER)
        outs = [backend.empty((9, 7)) for _ in range(2)]

        def twice(stand_in: AnyBackend) -> None:
            for out in outs:
                stand_in.dropout(values, 0.5, 3, step, out=out)
                stand_in.dropout(out, 0.25, 4, step, out=out)
                stand_in.advance(step, 1)

        replay = backend.compile(record(backend, twice))
        seen = []
        for _ in range(2):
            replay(1)
            seen += [backend.to_host(out) for out in outs]
        np.testing.assert_array_equal(backend.to_host(step), [4])
        backend.from_host(np.zeros(1, np.int64), out=step)
        for _ in range(2):
            twice(backend)
            for out in outs:
                called = backend.to_host(out)
                assert_parity(seen[0], called, backend.dtype)
                np.testing.assert_array_equal(seen[0] == 0, called == 0)
                assert all((called != 0).any(axis=None) and (called != other).any() for other in seen[1:])
                seen.pop(0)

    @pytest.mark.replays
    def test_a_thousand_steps_do_not_grow(self, backend: AnyBackend) -> None:
        """A replay gives back what it allocates for a step."""
        training = self._training(backend, SOFTMAX, "tanh", "clipped", "adam", (2, 3, 2))
        training.send(np.arange(ROWS))
        program, cursor = training.program(training.batches[0]), training.state.cursor
        replay, start = backend.compile(program), np.zeros(1, np.int64)

        def several(times: int) -> None:
            for _ in range(times // 5):
                backend.from_host(start, out=cursor)
                replay(5)

        assert_does_not_grow(backend, several, "replayed steps")

    @pytest.mark.replays
    def test_calls_keep_their_order(self, backend: AnyBackend) -> None:
        """A call reads what calls before it wrote, and not what later ones write; with two cursors too."""
        host = Host(backend)
        source, order = backend.from_host(host.normal(9, 2)), np.arange(9)[::-1]
        device_order = backend.from_host(order, dtype=INTEGER)
        cursors = [backend.zeros((1,), INTEGER) for _ in range(2)]
        batch, kept, out = backend.empty((3, 2)), backend.empty((3, 2)), backend.zeros((9,))
        column = batch.reshape((6,))

        def step(stand_in: AnyBackend) -> None:
            stand_in.take_rows(source, device_order, cursors[0], out=batch)
            stand_in.put_rows(column[:3], cursors[1], out=out)
            stand_in.advance(cursors[0], 2)
            stand_in.advance(cursors[1], 3)
            stand_in.copy(batch, out=kept)
            stand_in.take_rows(source, device_order, cursors[0], out=batch)

        replay = backend.compile(record(backend, step))
        assert not backend.to_host(cursors[0]).any()  # recording has done nothing
        values = backend.to_host(source)
        for turn in range(2):
            replay(1)
            np.testing.assert_array_equal(backend.to_host(kept), values[order[2 * turn : 2 * turn + 3]])
            np.testing.assert_array_equal(backend.to_host(batch), values[order[2 * turn + 2 : 2 * turn + 5]])
            expected = values[order[2 * turn : 2 * turn + 3]].reshape(6)[:3]
            np.testing.assert_array_equal(backend.to_host(out)[3 * turn : 3 * turn + 3], expected)

    def _assert_same_steps(
        self, called: Epoch, replayed: Epoch, *, with_gradients: bool = False, eps: float = 10
    ) -> None:
        """Compare steps by calls with replayed ones, from the same bits, within `eps` times eps for each.

        Formulas that are drawn multiply rounding: two right results of a step were 34 eps apart.

        A replay may take its very first step in another way than those that follow: after that one, two steps
        of a full batch, or one of the partial batch, are taken at once.
        """
        backend = called.backend
        start = backend.to_host(called.stack.parameters.values)
        for number, steps in ((0, 2), (-1, 1)):
            expected = self._called(called, number, steps, start)
            program = replayed.program(replayed.batches[number])
            replay = backend.compile(program)
            for times in (1, steps):
                self._restore(replayed, start)
                replay(times)
                self._assert_close(replayed, self._traces(replayed), expected[times - 1], times, eps)
            if with_gradients:
                ours, theirs = (training.stack.parameters.gradients for training in (replayed, called))
                self._assert_close(replayed, {"gradients": ours}, [backend.to_host(theirs)], steps, eps)

    @classmethod
    def _called(
        cls, training: Epoch, number: int, steps: int, start: NDArray[Any]
    ) -> list[list[NDArray[Any]]]:
        """Return what each of so many steps of a batch leaves, taken call by call."""
        backend, batch = training.backend, training.batches[number]
        cls._restore(training, start)
        left = []
        for _ in range(steps):
            training_step(
                *(backend, training.stack, training.metric, training.optimizer),
                *(training.examples, training.state, batch),
            )
            left.append([backend.to_host(array) for array in cls._traces(training).values()])
        return left

    @staticmethod
    def _restore(training: Epoch, start: NDArray[Any]) -> None:
        """Put everything that steps change back to where it began."""
        backend, optimizer, parameters = training.backend, training.optimizer, training.stack.parameters
        optimizer.reset()
        optimizer.prepare(parameters, len(training.batches))
        backend.from_host(start, out=parameters.values)
        training.send(np.random.default_rng(1).permutation(ROWS))
        for results in (training.state.losses, training.state.hits):
            backend.from_host(np.zeros(ROWS), out=results)

    @staticmethod
    def _training(
        backend: AnyBackend,
        loss: str,
        activation: str,
        condition: str = "plain",
        rule: str = "momentum",
        sizes: Sequence[int] = (5, 7, 3),
        rows: NDArray[Any] | None = None,
    ) -> Epoch:
        rng, host = np.random.default_rng(0), Host(backend)
        chosen, hidden = LOSS_CASES[loss], TRAINABLE_CASES[activation]
        last = hidden if chosen.link == "identity" else "identity"
        network = Network(mlp(sizes, hidden, output_activation=last), chosen, seed=0, backend=backend)
        X = rng.normal(size=(ROWS, sizes[0])) if rows is None else rows
        if activation == "exponential" and rows is None:
            X = X / 4  # e to the e to the row: of a whole row, two right results are 25 eps apart
        k = sizes[-1]
        target = host.targets(chosen, ROWS, k) if isinstance(chosen, Loss) else rng.integers(0, k, ROWS)
        targets = encode_targets(target, network.stack.loss, network.layers[-1], ROWS)
        weights = rng.uniform(0.5, 2.0, ROWS) if condition == "weighted" else None
        decay = 0.0 if condition == "plain" else 1e-3
        optimizer = OptimizerOf(UPDATE_CASES[rule], decay, 0.05 if condition == "clipped" else None)
        given = Rows(X, targets, weights)
        training = Epoch(backend, network.stack, "accuracy", optimizer, given, batch_size=BATCH)
        optimizer.prepare(network.stack.parameters, len(training.batches))
        return training

    @staticmethod
    def _traces(training: Epoch) -> dict[str, Array]:
        """Return what a step changes, by a name for the texts of what fails."""
        parameters, epoch = training.stack.parameters, training.state
        moments = {f"moments {place}": each for place, each in enumerate(training.optimizer.moments)}
        return {"parameters": parameters.values, **moments, "losses": epoch.losses, "hits": epoch.hits}

    @staticmethod
    def _assert_close(
        training: Epoch, actual: Mapping[str, Array], expected: Sequence[NDArray[Any]], steps: int, eps: float
    ) -> None:
        """Assert that so many steps are at most `eps` times eps of each apart."""
        backend, sizes = training.backend, [layer.inputs for layer in training.stack.layers]
        for (name, array), reference in zip(actual.items(), expected, strict=True):
            what = f"{name} after {steps} replayed steps of layers of {sizes} inputs, {backend.dtype},"
            assert_within(backend.to_host(array), reference, steps * eps, backend.dtype, what)
