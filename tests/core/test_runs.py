"""An epoch's steps: how they are called, and how many the optimizer counts."""

import numpy as np
import pytest

from fuseprop import MomentumSGD, load_backend
from fuseprop.backend import INTEGER
from fuseprop.training.epoch import CompiledEpoch

BATCH, ROWS = 4, 14


class Epoch:
    """Three full batches and one of two rows, which write down how they are called."""

    def __init__(self, fails_at=None):
        self.backend = load_backend("numpy")
        self.cursor = self.backend.zeros((1,), INTEGER)
        self.said = []
        self.fails_at = fails_at
        self.optimizer = MomentumSGD()
        full, last = self.step(BATCH), self.step(ROWS % BATCH)
        self.compiled = CompiledEpoch(
            self.backend, (), [(full, ROWS // BATCH), (last, 1)], self.cursor, BATCH
        )

    def step(self, rows):
        def replay(times):
            self.said.append(times)
            for _ in range(times):
                if self.cursor[0] == self.fails_at:
                    raise KeyboardInterrupt
                self.cursor += rows

        return replay


def test_equal_steps_are_one_call():
    epoch = Epoch()
    epoch.compiled.take(epoch.optimizer)
    assert epoch.said == [3, 1]
    assert epoch.cursor[0] == ROWS
    assert epoch.optimizer.steps == 4


def test_functions_before_and_after_are_called_with_each_number():
    epoch = Epoch()
    epoch.compiled.take(
        epoch.optimizer,
        before=lambda number: epoch.said.append(f"before {number}"),
        after=lambda number: epoch.said.append(f"after {number}"),
    )
    assert epoch.said == [said for n in range(1, 5) for said in (f"before {n}", 1, f"after {n}")]
    assert epoch.optimizer.steps == 4


@pytest.mark.parametrize(("fails_at", "taken"), [(0, 0), (8, 2), (12, 3)])
def test_an_interrupted_epoch_counts_the_steps_taken(fails_at, taken):
    epoch = Epoch(fails_at)
    with pytest.raises(KeyboardInterrupt):
        epoch.compiled.take(epoch.optimizer)
    assert epoch.optimizer.steps == taken


def test_an_interruption_after_the_last_step_counts_them_all():
    def stop(number):
        if number == 4:
            raise KeyboardInterrupt

    epoch = Epoch()
    with pytest.raises(KeyboardInterrupt):
        epoch.compiled.take(epoch.optimizer, after=stop)
    assert np.array_equal(epoch.cursor, [ROWS])
    assert epoch.optimizer.steps == 4
