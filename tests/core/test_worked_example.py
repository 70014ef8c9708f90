"""The worked example of the course notes: three inputs, one hidden unit, one output, four weights."""

import numpy as np
import pytest

from fuseprop import Dense, MomentumSGD, Network


@pytest.fixture
def network(backend64):
    hidden = Dense(3, 1, "sigmoid", weights=[[0.01], [0.02], [0.03]], bias=[0.001])
    output = Dense(1, 1, "sigmoid", weights=[[0.02]], bias=[0.03])
    return Network([hidden, output], "half_squared_error", backend=backend64)


INPUTS, TARGET = [[95.0, 4.0, 4.0]], [[1.0]]


def test_forward(network):
    """z = 1.151, O1 = 0.759..., z2 = 0.0451..., O2 = 0.5112..."""
    z = 95 * 0.01 + 4 * 0.02 + 4 * 0.03 + 0.001
    assert z == pytest.approx(1.151, abs=1e-12)
    o1 = 1 / (1 + np.exp(-z))
    z2 = 0.02 * o1 + 0.03
    assert (int(o1 * 1e3), int(z2 * 1e4)) == (759, 451)
    o2 = network.forward(INPUTS)[0, 0]
    assert o2 == pytest.approx(1 / (1 + np.exp(-z2)), abs=1e-14)
    assert int(o2 * 1e4) == 5112


def test_hidden_output(network):
    """O1 is what the first layer alone gives."""
    first = Network(network.layers[:1], "half_squared_error", backend=network.backend)
    assert int(first.forward(INPUTS)[0, 0] * 1e3) == 759


@pytest.mark.parametrize(("layer", "row"), [(1, 0), (0, 0), (0, 1), (0, 2)], ids=["w4", "w1", "w2", "w3"])
def test_derivatives_equal_finite_differences(network, layer, row):
    network.forward(INPUTS)
    network.backward(TARGET)
    derivative = network.gradients()[layer][0][row, 0]
    weights, h, losses = network.weights(), 1e-5, []
    value = weights[layer][0][row, 0]
    for shifted in (value + h, value - h):
        weights[layer][0][row, 0] = shifted
        network.set_weights(weights)
        network.forward(INPUTS)
        losses.append(network.backward(TARGET))
    assert derivative == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-7)


def test_derivative_by_the_chain_rule(network):
    """dL/dw4 = (O2 - t) O2 (1 - O2) O1; dL/dw1 goes on through w4 and O1 (1 - O1) to the input."""
    o2 = network.forward(INPUTS)[0, 0]
    o1 = 1 / (1 + np.exp(-1.151))
    network.backward(TARGET)
    (dw1, db1), (dw4, db2) = network.gradients()
    delta2 = (o2 - 1) * o2 * (1 - o2)
    delta1 = delta2 * 0.02 * o1 * (1 - o1)
    np.testing.assert_allclose(dw4, [[delta2 * o1]], rtol=1e-12)
    np.testing.assert_allclose(db2, [delta2], rtol=1e-12)
    np.testing.assert_allclose(dw1[:, 0], delta1 * np.array([95, 4, 4]), rtol=1e-12)
    np.testing.assert_allclose(db1, [delta1], rtol=1e-12)


def test_a_step_moves_every_weight_against_its_derivative(network):
    network.forward(INPUTS)
    network.backward(TARGET)
    before, gradients = network.weights(), network.gradients()
    network.train_step(INPUTS, TARGET, MomentumSGD(learning_rate=0.3, momentum=0.6))
    for (w, b), (w0, b0), (gw, gb) in zip(network.weights(), before, gradients, strict=True):
        np.testing.assert_allclose(w, w0 - 0.3 * gw, rtol=1e-12)
        np.testing.assert_allclose(b, b0 - 0.3 * gb, rtol=1e-12)
