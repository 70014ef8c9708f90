"""Several processes that train one network: as one process does, whatever ends the training."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from threads import in_threads, outcomes
from together import CASES, arrays

from fuseprop import Checkpoint, CheckpointError, DivergenceError, EarlyStopping, MomentumSGD, Network, mlp
from fuseprop.callbacks import HistoryCSV, OnEpochEnd
from fuseprop.world import Elsewhere

CUTS = {1: [None], 2: [None, [0.3], [0.0]], 3: [None, [0.1, 0.1]], 4: [None, [0.02, 0.5, 0.97]]}
"""Where shares end, by the number of processes: evenly, unevenly, and so that one has no row."""

ONE = CASES["last batch of one row"]


def trained(size, case, **options):
    """Return what came out of a training in so many processes, which must be the same in all."""
    outcomes = in_threads(size, lambda world: case.train(world, **options))
    for other in outcomes[1:]:
        np.testing.assert_array_equal(other.parameters, outcomes[0].parameters)
        assert other.history.train_loss == outcomes[0].history.train_loss
        assert other.history.stop_reason == outcomes[0].history.stop_reason
    return outcomes[0]


class TestAsOneProcess:
    @pytest.mark.values
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("name", CASES)
    def test_any_number_of_processes_comes_to_the_same_network(self, name, dtype):
        case = CASES[name]
        alone = trained(1, case, dtype=dtype)
        assert alone.history.epochs > 1
        for size, all_cuts in CUTS.items():
            for cuts in all_cuts if size > 1 else []:
                found = trained(size, case, dtype=dtype, cuts=cuts)
                assert found.distance(alone) < 1000, (size, cuts)
                assert found.history.epochs == alone.history.epochs
                assert found.history.stop_reason == alone.history.stop_reason

    def test_the_same_number_of_processes_leaves_the_same_bits(self):
        first, second = (trained(3, CASES["adam"]) for _ in range(2))
        np.testing.assert_array_equal(first.parameters, second.parameters)
        assert first.history.train_loss == second.history.train_loss

    def test_batches_are_those_of_the_strata(self):
        """Unshuffled, batches of all rows by hand in one process without a world leave the same network."""
        case, batch = CASES["not shuffled"], 50
        X, target, _ = arrays("digits", 97)
        network = Network(mlp(case.sizes, case.activation), case.loss, dtype="float64", seed=5)
        optimizer = case.optimizer()
        bounds = np.arange(batch + 1) * 97 // batch
        for _ in range(4):
            for place in range(2):
                rows = [low + place for low, high in pairwise(bounds) if low + place < high]
                assert len(rows) == (50, 47)[place]
                network.train_step(X[rows], target[rows], optimizer)
        by_hand = np.concatenate([a.ravel() for pair in network.weights() for a in pair])
        np.testing.assert_allclose(trained(2, case, dtype="float64").parameters, by_hand, rtol=0, atol=1e-13)

    def test_seeds_of_process_0_count(self):
        """Networks with other seeds begin from the weights, and draw the orders, of process 0."""
        assert trained(2, ONE).distance(trained(1, ONE)) < 1000

    def test_dropout_has_masks_of_its_own_in_each_process(self):
        X, target, _ = arrays("digits", 200)

        def train(world):
            own = world.rows(200)
            layers = mlp([64, 32, 10], "tanh", dropout=0.5)
            network = Network(layers, "softmax_cross_entropy", seed=0)
            history = network.fit(X[own], target[own], MomentumSGD(0.1), epochs=20, world=world)
            assert network.stack.dropout.process == 0
            return history.train_loss, network.predict(X)

        (loss, predictions), (_, others) = in_threads(2, train)
        assert loss[-1] < 0.7 * loss[0]
        np.testing.assert_array_equal(predictions, others)


class TestEnds:
    def test_a_callback_of_one_process_ends_all(self):
        def train(world):
            def end(history):
                if world.rank == 1 and history.epochs == 2:
                    history.stop("enough")

            return ONE.train(world, callbacks=[OnEpochEnd(end)]).history

        for history in in_threads(3, train):
            assert (history.epochs, history.stop_reason) == (2, "enough")

    @pytest.mark.parametrize("asked", [0, 1])
    def test_one_process_that_is_asked_to_end_ends_all_behind_the_same_step(self, asked):
        class Asks:
            def __init__(self, rank):
                self.rank, self.batches = rank, 0

            def start(self, epochs, history):
                pass

            def batch_end(self, history, batch):
                self.batches += 1

            def asks_to_stop(self):
                return "asked" if self.rank == asked and self.batches > 3 else None

            epoch_end = end = lambda self, history: None

        def train(world):
            asks = Asks(world.rank)
            outcome = ONE.train(world, callbacks=[asks], batch_size=5, epochs=99)
            return asks.batches, outcome

        found = in_threads(3, train)
        assert len({batches for batches, _ in found}) == 1
        for _, outcome in found:
            assert outcome.history.stop_reason == "asked"
            assert outcome.history.cut_short
            np.testing.assert_array_equal(outcome.parameters, found[0][1].parameters)

    def test_an_error_of_one_process_is_one_of_all(self):
        def train(world):
            def fail(history):
                if world.rank == 2 and history.epochs == 3:
                    raise OSError("no space left")

            return ONE.train(world, callbacks=[OnEpochEnd(fail)])

        first, second, own = outcomes(3, train)
        assert isinstance(own, OSError)
        for other in (first, second):
            assert isinstance(other, Elsewhere)
            assert other.rank == 2
            assert "process 2 of 3 has failed: OSError: no space left" in str(other)

    @pytest.mark.parametrize("choice", ["stop", "halve"])
    def test_a_loss_that_explodes_ends_all_alike(self, choice):
        X = np.random.default_rng(0).normal(size=(300, 8))
        target = np.random.default_rng(1).normal(size=(300, 1))
        target[177] = 1e18

        def train(world):
            own = world.rows(300)
            network = Network(mlp([8, 16, 1], "relu"), "half_squared_error", seed=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    network.fit(
                        X[own], target[own], MomentumSGD(5.0), epochs=9, world=world, on_divergence=choice
                    )
                except DivergenceError as error:
                    return str(error), error.epoch, error.batch, error.layer, error.history.halvings
            raise AssertionError("it did not diverge")

        ((text, *alone),) = in_threads(1, train)
        for found in (in_threads(2, train), in_threads(3, train)):
            assert all(each == found[0] for each in found)
            assert list(found[0][1:]) == alone
            assert "the largest gradient is" in found[0][0]
        assert "the largest gradient is" in text

    def test_files_are_written_by_process_0(self, tmp_path):
        def train(world):
            return ONE.train(world, callbacks=[HistoryCSV(tmp_path / "history.csv")], epochs=3)

        in_threads(2, train)
        assert len((tmp_path / "history.csv").read_text().splitlines()) == 4


class TestCheckpoints:
    @pytest.mark.values
    @pytest.mark.parametrize("every", ["1 epoch", "2 steps"])
    @pytest.mark.parametrize("sizes", [(4, 3), (2, 1), (1, 3), (3, 3)])
    def test_another_number_of_processes_goes_on(self, tmp_path, sizes, every):
        before, after = sizes
        case, place = replace(ONE, weighted=True), tmp_path / "kept.safetensors"
        whole = trained(before, case)

        def interrupted(world):
            seen = []

            class Ends:
                start = end = epoch_end = lambda self, *args: None

                def batch_end(self, history, batch):
                    seen.append(batch)

                def asks_to_stop(self):
                    return "asked" if len(seen) > 21 else None

            kept = Checkpoint(place, every)
            outcome = case.train(world, callbacks=[Ends()], checkpoint=kept)
            assert outcome.history.cut_short

        in_threads(before, interrupted)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = trained(after, case, resume=place)
        assert found.distance(whole) < 1000
        assert found.history.epochs == whole.history.epochs
        if before == after:
            np.testing.assert_array_equal(found.parameters, whole.parameters)
            assert found.history.train_loss == whole.history.train_loss
            assert not [str(each.message) for each in said]
        else:
            assert f"processes is {after}, and was {before}" in str(said[0].message)
            assert len(said) == 1

    def test_other_rows_and_trainings_without_a_world_are_refused(self, tmp_path):
        place = tmp_path / "kept.safetensors"
        in_threads(2, lambda world: ONE.train(world, checkpoint=place, epochs=2))
        for found in outcomes(3, lambda world: replace(ONE, rows=96).train(world, resume=place)):
            assert isinstance(found, CheckpointError)
            assert "the X of training rows differ" in str(found)
        X, target, _ = arrays("digits", 97)
        network = Network(mlp(ONE.sizes, ONE.activation), ONE.loss, seed=5)
        with pytest.raises(CheckpointError, match="batches is not given, and was"):
            network.fit(X, target, ONE.optimizer(), batch_size=32, epochs=9, resume=place)

    def test_a_checkpoint_that_is_not_there_is_refused_by_all(self, tmp_path):
        first, second = outcomes(2, lambda world: ONE.train(world, resume=tmp_path / "none.safetensors"))
        assert isinstance(first, CheckpointError)
        assert isinstance(second, Elsewhere)


class TestRefused:
    def test_the_whole_table_in_every_process(self):
        X, target, _ = arrays("digits", 97)

        def train(world):
            network = Network(mlp([64, 8, 10]), "softmax_cross_entropy", seed=0)
            network.fit(X, target, epochs=1, world=world)

        for error in outcomes(2, train):
            assert isinstance(error, ValueError)
            assert "all 2 processes were given the same 97 rows" in str(error)
            assert "X[world.rows(len(X))]" in str(error)

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            ({"batch_size": (32, 16)}, "batch_size is 16 in process 1, and 32 in process 0"),
            ({"epochs": (3, 2)}, "epochs is 2 in process 1, and 3 in process 0"),
            ({"shuffle": (True, False)}, "shuffle is False in process 1, and True in process 0"),
        ],
    )
    def test_settings_that_differ(self, option, words):
        def train(world):
            return ONE.train(world, **{name: values[world.rank] for name, values in option.items()})

        for error in outcomes(2, train):
            assert isinstance(error, ValueError)
            assert words in str(error)

    def test_rows_of_one_process_that_are_no_numbers(self):
        X, target, _ = arrays("digits", 97)

        def train(world):
            own = X[world.rows(97)].copy()
            if world.rank:
                own[3, 4] = np.nan
            network = Network(mlp([64, 8, 10]), "softmax_cross_entropy", seed=0)
            network.fit(own, target[world.rows(97)], epochs=1, world=world)

        first, second = outcomes(2, train)
        assert isinstance(first, Elsewhere)
        assert "process 1 of 2 has failed: ValueError: X contains nan" in str(first)
        assert isinstance(second, ValueError)

    def test_no_row_in_any_process(self):
        def train(world):
            network = Network(mlp([4, 1]), "half_squared_error", seed=0)
            network.fit(np.zeros((0, 4)), np.zeros((0, 1)), epochs=1, world=world)

        for error in outcomes(2, train):
            assert isinstance(error, ValueError)
            assert "no process has a row" in str(error)

    def test_weights_in_one_process_alone(self):
        X, target, weights = arrays("digits", 97)

        def train(world):
            own = world.rows(97)
            network = Network(mlp([64, 8, 10]), "softmax_cross_entropy", seed=0)
            given = weights[own] if world.rank else None
            network.fit(X[own], target[own], epochs=1, world=world, sample_weight=given)

        for error in outcomes(2, train):
            assert "process 1 was given a sample_weight, and process 0 was not" in str(error)

    def test_a_backend_that_cannot_add_up(self):
        def train(world):
            network = Network(mlp([64, 8, 10]), "softmax_cross_entropy", seed=0)
            network.backend.all_reduce = None
            network.fit(np.zeros((1, 64)), [world.rank], epochs=1, world=world)

        for error in outcomes(2, train):
            assert "the backend numpy has no all_reduce" in str(error)


def test_early_stopping_restores_the_best_weights():
    case = replace(CASES["regression"], patience=0)
    outcomes = in_threads(2, lambda world: case.train(world, callbacks=[EarlyStopping(2)], epochs=40))
    history = outcomes[0].history
    assert history.stop_reason == "early stopping"
    assert history.best_epoch == int(np.argmin(history.validation_loss)) + 1
