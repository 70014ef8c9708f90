"""The Poisson deviance: counts behind a logarithmic link, as scikit-learn has them."""

import numpy as np
import pytest
from sklearn.metrics import d2_tweedie_score, mean_poisson_deviance
from sklearn.neural_network import MLPRegressor

from fuseprop import MomentumSGD, Network, gradcheck, mlp

LOSS = "half_poisson_deviance"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
COUNTS = RNG.poisson(np.exp(X @ [0.6, -0.4, 0.2] + 0.5))[:, None]


def network(backend, outputs=1, seed=0):
    return Network(mlp([3, 4, outputs], "tanh"), LOSS, seed=seed, backend=backend)


def test_loss_and_predictions_are_scikit_learns(backend):
    made = network(backend)
    weights = np.random.default_rng(1).uniform(0.5, 2, 60)
    predictions = made.predict(X)
    for w in (None, weights):
        found = made.evaluate(X, COUNTS, w)
        expected = mean_poisson_deviance(COUNTS, predictions, sample_weight=w) / 2
        assert found["loss"] == pytest.approx(expected, rel=1e-5)
        assert found["d2"] == pytest.approx(
            d2_tweedie_score(COUNTS, predictions, sample_weight=w, power=1), abs=1e-5
        )
    np.testing.assert_allclose(predictions, np.exp(made.forward(X)), rtol=1e-6)
    assert made.evaluate(X, np.zeros((60, 1)))["d2"] == 0.0


def test_counts_are_learned(backend):
    made = network(backend)
    history = made.fit(X, COUNTS, MomentumSGD(0.02, 0.9), epochs=80, batch_size=20, validation=0.2)
    assert history.metric == "d2"
    assert history.train_metric[-1] > 0.3 > history.train_metric[0]


@pytest.mark.replays
def test_weights_move_as_scikit_learns(backend64):
    made = network(backend64)
    starts = made.weights()

    class FromHere(MLPRegressor):
        def _init_coef(self, fan_in, fan_out, dtype):
            return remaining.pop(0)

    remaining = [(w.copy(), b.copy()) for w, b in starts]
    peer = FromHere(
        hidden_layer_sizes=(4,),
        activation="tanh",
        solver="sgd",
        loss="poisson",
        alpha=0.0,
        batch_size=20,
        learning_rate_init=0.02,
        momentum=0.6,
        shuffle=False,
    )
    for _ in range(30):
        peer.partial_fit(X, COUNTS[:, 0])
    made.fit(X, COUNTS, MomentumSGD(0.02, 0.6, nesterov=True), epochs=30, batch_size=20, shuffle=False)
    for (w, b), coefs, intercepts in zip(made.weights(), peer.coefs_, peer.intercepts_, strict=True):
        np.testing.assert_allclose(w, coefs, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(b, intercepts, rtol=1e-10, atol=1e-13)


def test_the_gradient_is_the_slope_of_the_loss(backend64):
    target = np.random.default_rng(2).poisson(2.0, (60, 2)) * 1.5
    assert gradcheck(network(backend64, outputs=2), X, target, np.linspace(0, 1, 60)) < 1e-7


def test_targets_below_0_are_refused(backend64):
    with pytest.raises(ValueError, match=r"half_poisson_deviance needs targets of at least 0.*got -1"):
        network(backend64).fit(X, COUNTS - 1)


def test_the_loss_brings_its_own_exponential(backend64):
    with pytest.raises(ValueError, match="applies the exponential itself"):
        Network(mlp([3, 1], output_activation="sigmoid"), LOSS, backend=backend64)
