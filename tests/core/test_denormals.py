"""A replay computes without denormal numbers, and leaves the processor as it was."""

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.threads import denormals
from fuseprop_numpy.threads.denormals import flushing

from fuseprop import MomentumSGD, Network, mlp
from fuseprop.testing import BackendContract

DENORMAL = np.full(20, 1e-40, np.float32)

needs_flushing = pytest.mark.skipif(
    denormals._environment() is None, reason="this processor or C library cannot be told to flush"
)


class Flushes(NumpyBackend):
    """Computes without denormal numbers call by call too, as a GPU does."""

    def activation_backward(self, *operands, **outs):
        flushing(lambda: super(Flushes, self).activation_backward(*operands, **outs))()

    def loss_of_rows(self, *operands, **outs):
        flushing(lambda: super(Flushes, self).loss_of_rows(*operands, **outs))()


def halves(into):
    return lambda: into.append(DENORMAL * np.float32(0.5))


@needs_flushing
def test_it_flushes_and_is_put_back():
    seen = []
    flushing(halves(seen))()
    halves(seen)()
    assert not seen[0].any()
    assert seen[1].all()


@needs_flushing
def test_it_is_put_back_after_an_error():
    def fails():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flushing(fails)()
    assert (DENORMAL * np.float32(0.5)).all()


@needs_flushing
def test_velocities_of_dead_units_come_to_rest():
    """With relu and biases far below zero no gradient arrives: what is left of a velocity only shrinks."""
    network = Network(mlp([3, 8, 2], "relu"), "softmax_cross_entropy", seed=0, device="cpu")
    weights = network.weights()
    network.set_weights([(weights[0][0], np.full(8, -1e3)), weights[1]])
    X, labels = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2
    optimizer = MomentumSGD(0.1, 0.9)
    network.fit(X, labels, optimizer, epochs=1, batch_size=4)
    (velocities,) = optimizer.moments
    velocities[:24] = 1e-37  # those of the first layer's weights
    network.fit(X, labels, optimizer, epochs=20, batch_size=4)
    assert not velocities[:24].any()
    assert velocities.any()


@needs_flushing
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "softsign"])
def test_the_contract_takes_slopes_of_a_device_that_flushes(activation):
    BackendContract().test_slopes_at_the_extremes(Flushes("float32"), activation)


@needs_flushing
@pytest.mark.parametrize("loss", ["quantile", "mean_absolute_error", "hinge", "half_poisson_deviance"])
def test_the_contract_takes_losses_of_a_device_that_flushes(loss):
    BackendContract().test_losses_at_the_extremes(Flushes("float32"), loss)


def test_elsewhere_it_does_nothing(monkeypatch):
    monkeypatch.setattr(denormals, "_environment", lambda: None)
    seen = []
    run = halves(seen)
    assert flushing(run) is run
