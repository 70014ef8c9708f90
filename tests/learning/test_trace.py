"""The trace: the numbers of the library's own pass, in agreement with finite differences and the notes."""

import re

import numpy as np
import pytest

from fuseprop import Dense, Network, gradcheck, mlp
from fuseprop.formulas.activation import ACTIVATIONS, activate, slope, trainable_activations
from fuseprop.inspection.explanation.paths import paths

CASES = {
    "half_squared_error": [[0.3, -0.2]],
    "mean_squared_error": [[0.3, -0.2]],
    "mean_absolute_error": [[0.3, -0.2]],
    "sigmoid_cross_entropy": [[1.0, 0.0]],
    "softmax_cross_entropy": [1],
}


@pytest.fixture
def example(backend64):
    hidden = Dense(3, 1, "sigmoid", weights=[[0.01], [0.02], [0.03]], bias=[0.001])
    output = Dense(1, 1, "sigmoid", weights=[[0.02]], bias=[0.03])
    return Network([hidden, output], "half_squared_error", backend=backend64)


def network_for(loss, backend, sizes=(3, 4, 3, 2), activation="tanh"):
    squashed = CASES[loss] == [[0.3, -0.2]]
    layers = mlp(list(sizes), activation, output_activation="sigmoid" if squashed else "identity")
    return Network(layers, loss, seed=0, backend=backend)


def test_the_worked_examples_digits(example):
    trace = example.trace([[95, 4, 4]], [[1]])
    (z1, z2), (o1, o2) = ([float(a[0, 0]) for a in part] for part in (trace.z, trace.a))
    assert z1 == pytest.approx(1.151, abs=1e-12)
    assert (int(o1 * 1e3), int(z2 * 1e4), int(o2 * 1e4)) == (759, 451, 5112)
    assert trace.loss == pytest.approx((1 - o2) ** 2 / 2, rel=1e-12)
    delta2 = (o2 - 1) * o2 * (1 - o2)
    delta1 = delta2 * 0.02 * o1 * (1 - o1)
    assert trace.delta[1][0, 0] == pytest.approx(delta2, rel=1e-12)
    assert trace.delta[0][0, 0] == pytest.approx(delta1, rel=1e-12)
    np.testing.assert_allclose(trace.dW[0][:, 0], delta1 * np.array([95, 4, 4]), rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("loss", CASES)
def test_every_number_is_the_formulas(backend64, loss, rows):
    network = network_for(loss, backend64)
    X = np.random.default_rng(1).normal(size=(rows, 3))
    before = network.weights()
    trace = network.trace(X, CASES[loss] * rows)
    x = X
    for layer, (w, b) in zip(trace.layers, before, strict=True):
        np.testing.assert_allclose(layer.x, x, rtol=1e-14)
        np.testing.assert_allclose(layer.z, x @ w + b, atol=1e-14)
        np.testing.assert_allclose(layer.a, activate(layer.activation, layer.z), atol=1e-14)
        np.testing.assert_allclose(layer.dW, x.T @ layer.delta, atol=1e-14)
        np.testing.assert_allclose(layer.db, layer.delta.sum(axis=0), atol=1e-14)
        x = layer.a
    last = trace.layers[-1]
    np.testing.assert_allclose(last.delta, trace.output_gradient * slope(last.activation, last.a), atol=1e-14)
    for below, above in zip(trace.layers, trace.layers[1:], strict=False):
        expected = above.delta @ above.weights.T * slope(below.activation, below.a)
        np.testing.assert_allclose(below.delta, expected, atol=1e-14)
    for (w, b), (v, c) in zip(network.weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(b, c)


@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 2.0]])
@pytest.mark.parametrize("loss", CASES)
def test_it_agrees_with_central_differences(backend64, loss, weights):
    """gradcheck looks at what a pass leaves; the trace must hold the same, and the differences themselves."""
    network = network_for(loss, backend64)
    X, target = np.random.default_rng(2).normal(size=(3, 3)), CASES[loss] * 3
    assert gradcheck(network, X, target, weights) < 1e-7
    trace = network.trace(X, target, weights)
    kept, h, numeric = network.weights(), 1e-5, []
    for i in range(len(kept)):
        for part in (0, 1):
            array = kept[i][part]
            for at in np.ndindex(array.shape):
                value, losses = array[at], []
                for shifted in (value + h, value - h):
                    array[at] = shifted
                    network.set_weights(kept)
                    losses.append(network.trace(X, target, weights).loss)
                array[at] = value
                numeric.append((losses[0] - losses[1]) / (2 * h))
    analytic = np.concatenate([a.ravel() for pair in zip(trace.dW, trace.db, strict=True) for a in pair])
    difference = np.linalg.norm(analytic - numeric)
    assert difference / (np.linalg.norm(analytic) + np.linalg.norm(numeric)) < 1e-7


@pytest.mark.parametrize("loss", CASES)
def test_the_paths_add_up_to_the_deltas(backend64, loss):
    network = network_for(loss, backend64)
    trace = network.trace([[0.5, -1.0, 2.0]], CASES[loss])
    counts = []
    for number, layer in enumerate(trace.layers, 1):
        for unit in range(len(layer.bias)):
            ways = list(paths(trace, number, unit))
            products = [np.prod([factor for _, factor in way]) for way in ways]
            assert sum(products) == pytest.approx(layer.delta[0, unit], rel=1e-10, abs=1e-15)
            counts.append(len(ways))
    assert counts == [6] * 4 + [2] * 3 + [1] * 2
    assert trace.paths == 6 * (3 * 4 + 4) + 2 * (4 * 3 + 3) + 3 * 2 + 2


@pytest.mark.parametrize("name", trainable_activations())
def test_every_activation_is_explained(backend64, name):
    """With one path to each weight, each line is the whole chain rule: f' of z for gelu, of y for sigmoid."""
    layers = [Dense(1, 1, name, weights=[[0.7]], bias=[0.1]), Dense(1, 1, name, weights=[[-0.4]])]
    network = Network(layers, "huber(0.5)", backend=backend64)
    trace = network.trace([[0.8]], [[2.0]])
    text = trace.explain()
    slopes = [float(derivative_at(layer.activation, layer.z[0, 0])) for layer in trace.layers]
    delta2 = float(trace.output_gradient[0, 0]) * slopes[1]
    delta1 = delta2 * -0.4 * slopes[0]
    assert trace.delta[1][0, 0] == pytest.approx(delta2, rel=1e-6)
    assert trace.delta[0][0, 0] == pytest.approx(delta1, rel=1e-6)
    found = re.search(r"dL/dw1\.11 = .* = (\S+)$", text, re.MULTILINE)
    assert float(found[1]) == pytest.approx(delta1 * 0.8, rel=1e-4)
    assert f"a1.1 = {written_with(name, 'z1.1')} = {trace.a[0][0, 0]:.6g}" in text
    assert name in network.summary()
    assert name in network.trace([[0.8], [0.1]], [[2.0], [1.0]]).explain()


def derivative_at(name, z):
    return (activate(name, z + 1e-6) - activate(name, z - 1e-6)) / 2e-6


def written_with(name, z):
    return re.sub(r"\bz\b", z, ACTIVATIONS[name]().text)


def test_parameters_are_explained_by_their_numbers(backend64):
    layers = [Dense(1, 1, "leaky_relu(0.25)", weights=[[2.0]]), Dense(1, 1, "identity", weights=[[1.0]])]
    text = Network(layers, "mean_absolute_error", backend=backend64).trace([[-1.0]], [[0.0]]).explain()
    assert "a1.1 = z1.1 where z1.1 > 0, else 0.25 * z1.1 = -0.5" in text
    assert "f'(z1.1) * x1 = -1 * 1 * 0.25 * -1 = 0.25" in text


def test_explain_prints_each_path_as_a_product(backend64):
    network = network_for("half_squared_error", backend64, sizes=(2, 2, 2))
    trace = network.trace([[1.0, 2.0]], [[0.3, -0.2]])
    text = trace.explain()
    assert text.count("the sum of 2 paths") == 2 * 2 + 2
    products = re.findall(r"dL/dw1\.\d+ = (\S+), the sum of 2 paths:\n(.*)\n(.*)\n", text)
    assert len(products) == 4
    for total, *lines in products:
        parts = []
        for line in lines:
            names, numbers, product = line.split(" = ")
            assert re.fullmatch(r" +dL/da2\.\d \* f'\(z2\.\d\) \* w2\.\d\d \* f'\(z1\.\d\) \* x\d", names)
            assert np.prod([float(n) for n in numbers.split(" * ")]) == pytest.approx(
                float(product), rel=1e-4
            )
            parts.append(float(product))
        assert sum(parts) == pytest.approx(float(total), rel=1e-4, abs=1e-7)
    assert f"L = {trace.loss:.6g}" in text


def test_explain_of_the_worked_example(example):
    text = example.trace([[95, 4, 4]], [[1]]).explain()
    assert "95 * 0.01 + 4 * 0.02 + 4 * 0.03 + 0.001 = 1.151" in text
    assert "= dL/da2.1 * f'(z2.1) * w2.11 * f'(z1.1) * x1 = -0.488703 * 0.249872 * 0.02" in text


@pytest.mark.parametrize("rows", [1, 3])
def test_explain_of_a_large_network_or_many_rows_begins_with_a_table(backend, rows):
    sizes = [30, 20, 10, 1] if rows == 1 else [2, 2, 2, 1]
    network = Network(mlp(sizes, "relu"), "mean_absolute_error", seed=0, backend=backend)
    trace = network.trace(np.ones((rows, sizes[0])), np.zeros((rows, 1)))
    lines = trace.explain().splitlines()[: 2 + 3]
    for number, (line, layer) in enumerate(zip(lines[2:], trace.layers, strict=True), 1):
        cells = line.split()
        assert cells[:4] == [str(number), str(sizes[number - 1]), str(sizes[number]), layer.activation]
        assert float(cells[7]) == pytest.approx(np.linalg.norm(layer.dW), rel=1e-3)


def test_bad_input_is_refused(backend64):
    network = network_for("half_squared_error", backend64)
    with pytest.raises(ValueError, match="3"):
        network.trace([[1.0, 2.0]], [[0.0, 0.0]])
    with pytest.raises(ValueError, match="2 outputs"):
        network.trace([[1.0, 2.0, 3.0]], [[0.0]])


def test_numbers_that_are_too_large_are_inf_without_a_warning(backend64):
    network = Network(
        [Dense(2, 2, weights=np.full((2, 2), 1e308)), Dense(2, 1)], "half_squared_error", backend=backend64
    )
    trace = network.trace([[10.0, 10.0]], [[1.0]])
    assert np.isposinf(trace.z[0]).all()
    assert "inf" in trace.explain()
