"""The metric that is nothing beside the loss."""

import numpy as np

from fuseprop import History, Network, mlp


def test_nothing_but_the_loss(capsys):
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    network = Network(mlp([4, 5, 3]), "softmax_cross_entropy", metric="loss", seed=0, device="cpu")
    history = network.fit(X, labels, epochs=3, validation=0.3, progress=True)
    assert history.metric == "loss"
    assert history.train_metric == history.train_loss
    assert history.validation_metric == history.validation_loss
    assert network.evaluate(X, labels).keys() == {"loss"}
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].count("loss") == 2  # of training and of validation, each once
    assert history.entry().keys() == {"epoch", "train_loss", "validation_loss", "learning_rate", "seconds"}


def test_the_weights_do_not_depend_on_it():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    weights = []
    for metric in ("loss", "accuracy"):
        network = Network(mlp([4, 5, 3]), "softmax_cross_entropy", metric=metric, seed=0, device="cpu")
        network.fit(X, labels, epochs=3)
        weights.append(network.weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_an_epoch_is_told_with_each_name_once():
    numbers = {
        "train_loss": [0.123456],
        "train_metric": [0.5],
        "validation_loss": [23456.7],
        "validation_metric": [0.25],
    }
    alone, beside = History("loss", **numbers), History("r2", **numbers)
    assert alone.describe_last() == "loss 0.1235  validation loss 2.346e+04"
    assert beside.describe_last() == "loss 0.1235  r2 0.5000  validation loss 2.346e+04  r2 0.2500"
