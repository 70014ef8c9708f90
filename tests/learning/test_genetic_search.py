"""The genetic search: what it learns without a gradient, the same on every backend, and how it ends."""

import warnings

import numpy as np
import pytest

from fuseprop import Dense, GeneticSearch, Network, load_backend, mlp
from fuseprop.backend import OutOfMemory
from fuseprop.metrics import weighted_mean
from fuseprop.testing import assert_parity
from fuseprop.training.evaluation import Evaluation

CORNERS, XOR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]

RNG = np.random.default_rng(1)
X = RNG.normal(size=(40, 3))
VALUES = X @ [1.0, -2.0, 0.5] + 0.1 * RNG.normal(size=40)
WEIGHTS = RNG.uniform(0.1, 1.0, 40)


def of_xor(seed=0, **options):
    options = {"device": "cpu", "dtype": "float64"} | options
    return Network(mlp([2, 2, 1], "tanh"), "sigmoid_cross_entropy", seed=seed, **options)


def of_values(**options):
    options = {"device": "cpu", "dtype": "float64", "seed": 3} | options
    return Network(mlp([3, 4, 1], "tanh"), "half_squared_error", **options)


def assert_equal_weights(network, expected):
    for ours, theirs in zip(network.weights(), expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.fixture
def scripted(monkeypatch):
    """Let a function of the number of an evaluation, counted from 1, stand beside each of them."""

    def put(beside):
        count, measure = 0, Evaluation.measure

        def measured(evaluation, *given):
            nonlocal count
            count += 1
            measure(evaluation, *given)
            beside(count, evaluation)

        monkeypatch.setattr(Evaluation, "measure", measured)

    return put


# What it learns


@pytest.mark.parametrize("seed", range(5))
def test_the_defaults_learn_xor(seed):
    network = of_xor(seed)
    evolution = GeneticSearch(seed=seed).fit(network, CORNERS, XOR, goal=0.01)
    assert evolution.stop_reason == "goal"
    assert network.classify(CORNERS)[:, 0].tolist() == XOR


@pytest.mark.parametrize("seed", range(5))
def test_the_defaults_learn_xor_with_steps_exactly(seed):
    """A step has no slope to descend along, and the search asks for none."""
    layers = [Dense(2, 2, "step"), Dense(2, 1, "step")]
    network = Network(layers, "half_squared_error", seed=seed, device="cpu")
    evolution = GeneticSearch(seed=seed).fit(network, CORNERS, XOR, goal=0)
    assert (evolution.stop_reason, evolution.best_loss[-1]) == ("goal", 0.0)
    assert network.predict(CORNERS)[:, 0].tolist() == XOR


@pytest.mark.parametrize("loss", ["mean_absolute_error", "huber(1.35)", "half_squared_error"])
def test_any_loss_falls(loss):
    network = Network(mlp([3, 4, 1], "relu"), loss, device="cpu", seed=0)
    before = network.evaluate(X, VALUES)["loss"]
    GeneticSearch(50, seed=0).fit(network, X, VALUES, generations=30)
    assert network.evaluate(X, VALUES)["loss"] < 0.5 * before


def test_no_gradient_is_computed(monkeypatch):
    network = of_xor()
    for method in ("activation_backward", "update"):
        monkeypatch.setattr(type(network.backend), method, None, raising=False)
    GeneticSearch(20, seed=0).fit(network, CORNERS, XOR, generations=3)
    assert not any(part.any() for pair in network.gradients() for part in pair)


# The way that it takes


def searched(network, search, *given, generations):
    """A search written out: dense weights instead of a flat array, one candidate after the other."""
    rng = np.random.default_rng(11)
    n, elite = search.population, search.elite
    start = [array for pair in network.weights() for array in pair]
    size = network.stack.parameters.values.shape[0]
    ranges = [
        r
        for (a, b), (_, c) in zip(
            network.stack.parameters.weight_ranges, network.stack.parameters.ranges, strict=True
        )
        for r in ((a, b), (b, c))
    ]

    def cut(flat):
        return [flat[a:b].reshape(array.shape) for (a, b), array in zip(ranges, start, strict=True)]

    def changed(arrays, by, noise):
        return [
            w + by * g / np.sqrt(len(w) if w.ndim == 2 else 1)
            for w, g in zip(arrays, cut(noise), strict=True)
        ]

    def loss(arrays):
        network.set_weights(list(zip(arrays[::2], arrays[1::2], strict=True)))
        return network.evaluate(*given)["loss"]

    noise = rng.standard_normal((n, size))
    people = [start, *(changed(start, search.spread, noise[i]) for i in range(1, n))]
    people = sorted([(loss(arrays), arrays) for arrays in people], key=lambda pair: pair[0])
    best = [people[0][0]]
    for _ in range(generations - 1):
        mothers, fathers = rng.integers(n, size=(2, n - elite, search.tournament)).min(axis=2)
        coins = rng.random((n - elite, size)) < 0.5
        noise = rng.standard_normal((n - elite, size))
        children = []
        for mother, father, coin, g in zip(mothers, fathers, coins, noise, strict=True):
            pairs = zip(cut(coin), people[mother][1], people[father][1], strict=True)
            crossed = [np.where(c, a, b) for c, a, b in pairs]
            children.append(changed(crossed, search.mutation, g))
        people = people[:elite] + [(loss(arrays), arrays) for arrays in children]
        people.sort(key=lambda pair: pair[0])
        best.append(people[0][0])
    return best, people[0][1]


def test_it_takes_the_way_that_it_says(backend64):
    search = GeneticSearch(12, elite=3, tournament=2, mutation=0.4, spread=0.7, seed=11)
    network, other = of_values(backend=backend64), of_values()
    best, weights = searched(other, search, X, VALUES, WEIGHTS, generations=8)
    evolution = search.fit(network, X, VALUES, WEIGHTS, generations=8)
    np.testing.assert_allclose(evolution.best_loss, best, rtol=1e-9)
    for ours, theirs in zip([w for pair in network.weights() for w in pair], weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_every_backend_takes_the_same_way(backend64):
    ends = []
    for backend in (load_backend("cpu", "float64"), backend64):
        network = Network(mlp([3, 5, 3], "sigmoid"), "softmax_cross_entropy", seed=0, backend=backend)
        evolution = GeneticSearch(30, seed=4).fit(network, X, np.arange(40) % 3, generations=15)
        weights = np.concatenate([part.ravel() for pair in network.weights() for part in pair])
        ends.append([*evolution.best_loss, *evolution.mean_loss, *weights])
    assert_parity(ends[1], ends[0], np.dtype("float64"))


def test_a_seed_repeats_and_another_does_not():
    ways = [
        GeneticSearch(20, seed=seed).fit(of_xor(), CORNERS, XOR, generations=5).best_loss
        for seed in (1, 1, 2)
    ]
    assert ways[0] == ways[1] != ways[2]


def test_what_went_on_is_counted():
    network = of_values()
    own = network.evaluate(X, VALUES, WEIGHTS)["loss"]
    evolution = GeneticSearch(20, elite=4, seed=0).fit(network, X, VALUES, WEIGHTS, generations=6)
    assert evolution.generations == 6
    assert evolution.stop_reason == "finished"
    assert evolution.evaluations == [20, 36, 52, 68, 84, 100]
    assert evolution.best_loss[0] <= own
    assert (np.diff(evolution.best_loss) <= 0).all()
    assert (np.diff(evolution.seconds) > 0).all()
    assert (np.array(evolution.mean_loss) > evolution.best_loss).all()


def test_the_network_ends_with_the_best_weights_seen(backend, scripted):
    """Steps that are as large as these nearly always make it worse."""
    network, seen = of_values(backend=backend, dtype=str(backend.dtype)), []

    def note(_, evaluation):
        part = evaluation._backend.to_host(evaluation._losses)
        seen.append(weighted_mean(part, None))

    scripted(note)
    evolution = GeneticSearch(10, mutation=50.0, spread=0.1, seed=0).fit(network, X, VALUES, generations=6)
    assert len(seen) == evolution.evaluations[-1]
    assert evolution.best_loss[-1] == min(seen)
    assert network.evaluate(X, VALUES)["loss"] == pytest.approx(min(seen), rel=1e-6)


def test_it_goes_on_from_where_the_network_is():
    network = of_values()
    losses = []
    for seed in range(3):
        losses += (
            GeneticSearch(20, spread=0.1, mutation=0.1, seed=seed)
            .fit(network, X, VALUES, generations=5)
            .best_loss
        )
    assert (np.diff(losses) <= 0).all()


def test_the_goal_ends_it_at_once():
    network = of_xor()
    before = network.weights()
    evolution = GeneticSearch(5, spread=1e-3, seed=0).fit(network, CORNERS, XOR, goal=1e3)
    assert (evolution.generations, evolution.stop_reason) == (1, "goal")
    assert np.abs(network.weights()[0][0] - before[0][0]).max() < 0.01


# How it ends otherwise


def test_losses_that_are_not_finite_never_win():
    """In float32, some of the candidates overflow."""
    network = Network(mlp([3, 1]), "half_squared_error", seed=0, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evolution = GeneticSearch(30, spread=1e19, mutation=1e19, seed=0).fit(
            network, X, VALUES, generations=4
        )
    assert np.isfinite(evolution.best_loss).all()
    assert np.isfinite(evolution.mean_loss).all()
    assert evolution.mean_loss[0] > 1e30


def test_weights_that_are_not_finite_never_win():
    """A step of an infinite sum is a number, and its loss too."""
    network = Network([Dense(2, 2, "step"), Dense(2, 1, "step")], "half_squared_error", seed=0, device="cpu")
    evolution = GeneticSearch(30, spread=1e39, seed=0).fit(network, CORNERS, XOR, generations=4)
    assert np.isfinite(evolution.best_loss[-1])
    assert all(np.isfinite(part).all() for pair in network.weights() for part in pair)


def test_nothing_but_infinite_losses_is_refused():
    network = Network(mlp([1, 1]), "half_squared_error", seed=0, device="cpu")
    before = network.weights()
    with pytest.raises(OverflowError, match=r"not one of 10 starting candidates.*float32.*smaller spread"):
        GeneticSearch(10, seed=0).fit(network, [[1e30]], [1.0])
    assert_equal_weights(network, before)


def test_ctrl_c_keeps_the_best_of_complete_generations(scripted):
    def interrupt(count, _):
        if count == 10 + 8 + 3:
            raise KeyboardInterrupt

    expected, network = of_values(), of_values()
    two = GeneticSearch(10, seed=0).fit(expected, X, VALUES, generations=2)
    scripted(interrupt)
    with pytest.warns(UserWarning, match="^training interrupted in generation 3; the best weights so far"):
        evolution = GeneticSearch(10, seed=0).fit(network, X, VALUES)
    assert (evolution.stop_reason, evolution.generations) == ("interrupted", 2)
    assert evolution.best_loss == two.best_loss
    assert_equal_weights(network, expected.weights())


def test_ctrl_c_in_the_first_generation_leaves_the_network(scripted):
    def interrupt(count, _):
        if count == 3:
            raise KeyboardInterrupt

    network = of_values()
    before = network.weights()
    scripted(interrupt)
    with pytest.warns(UserWarning, match="training interrupted in generation 1"):
        assert GeneticSearch(seed=0).fit(network, X, VALUES).best_loss == []
    assert_equal_weights(network, before)


@pytest.mark.parametrize("error", [OutOfMemory("no room", 8, lambda: 0), ValueError("something")])
def test_an_error_leaves_the_network_as_it_was(error, scripted):
    def fail(count, _):
        if count == 25:
            raise error

    network = of_values()
    before = network.weights()
    scripted(fail)
    with pytest.raises(type(error), match=str(error)):
        GeneticSearch(10, seed=0).fit(network, X, VALUES)
    assert_equal_weights(network, before)


# What it refuses


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 0}, "population must be a whole number of at least 1, got 0"),
        ({"population": 1, "elite": 1}, "population must be above elite, the 1 that stay as they are, got 1"),
        ({"population": 5, "elite": 5}, "population must be above elite, the 5 that stay as they are, got 5"),
        ({"population": 2}, "population must be above elite, the 2 that stay as they are, got 2"),
        ({"population": 4, "tournament": 5}, "tournament must be at most the population of 4, got 5"),
        ({"elite": 0}, "elite must be a whole number"),
        ({"tournament": 2.5}, "tournament must be a whole number"),
        ({"mutation": 0.0}, "mutation must be a number above 0, got 0.0"),
        ({"mutation": np.nan}, "mutation must be a number above 0, got nan"),
        ({"spread": -1}, "spread must be a number above 0, got -1"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(ValueError, match=message):
        GeneticSearch(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generations": 0}, "generations must be a whole number of at least 1, got 0"),
        ({"goal": np.inf}, "goal must be a loss, a finite number, or None, got inf"),
        ({"X": [[1.0]]}, "the network takes 3"),
        ({"X": [[np.nan] * 3] * 40}, "nan"),
        ({"target": [1.0]}, "one entry for each row"),
        ({"sample_weight": [-1.0] * 40}, "sample_weight"),
    ],
)
def test_wrong_arguments_leave_the_network(options, message):
    network = of_values()
    before = network.weights()
    given = {"X": X, "target": VALUES} | options
    with pytest.raises(ValueError, match=message):
        GeneticSearch(5, seed=0).fit(network, **given)
    assert_equal_weights(network, before)


def test_only_a_network_is_searched():
    with pytest.raises(TypeError, match="network must be a Network, got 'net'"):
        GeneticSearch(5).fit("net", X, VALUES)


@pytest.mark.parametrize("population", [10**12, 10**30])
def test_a_population_without_room_is_refused_and_changes_nothing(backend64, population):
    network = Network(mlp([2, 2, 1], "tanh"), "sigmoid_cross_entropy", seed=0, backend=backend64)
    before = network.weights()
    with pytest.raises(MemoryError, match="Take a smaller population"):
        GeneticSearch(population, seed=0).fit(network, [[0, 1], [1, 0]], [0, 1])
    for kept, layer in zip(before, network.weights(), strict=True):
        for array, now in zip(kept, layer, strict=True):
            np.testing.assert_array_equal(now, array)
