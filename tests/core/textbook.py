"""A network as a textbook writes it, in float64, sharing nothing with the library that it is to check."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


FUNCTION = {"identity": lambda z: z, "sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda z: z * (z > 0)}
DERIVATIVE = {
    "identity": lambda z: np.ones_like(z),
    "sigmoid": lambda z: sigmoid(z) * (1 - sigmoid(z)),
    "tanh": lambda z: 1 / np.cosh(z) ** 2,
    "relu": lambda z: 1.0 * (z > 0),
}


def output_loss(loss, y, t):
    """Each row's loss, and its derivative by the last layer's output."""
    if loss == "half_squared_error":
        return ((t - y) ** 2).sum(axis=1) / 2, y - t
    if loss == "mean_squared_error":
        return ((t - y) ** 2).mean(axis=1), 2 * (y - t) / y.shape[1]
    if loss == "sigmoid_cross_entropy":
        p = sigmoid(y)
        return -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(axis=1), p - t
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    one_hot = np.eye(y.shape[1])[t]
    return -np.log((p * one_hot).sum(axis=1)), p - one_hot


def loss_and_gradients(weights, activations, loss, x, t, row_weights):
    """The weighted mean loss and (dW, db) of every layer."""
    z, a = [], [x]
    for (w, b), f in zip(weights, activations, strict=True):
        z.append(a[-1] @ w + b)
        a.append(FUNCTION[f](z[-1]))
    row_losses, gradient = output_loss(loss, a[-1], t)
    share = row_weights / row_weights.sum()
    gradient = gradient * share[:, None]
    gradients = []
    for i in reversed(range(len(weights))):
        delta = gradient * DERIVATIVE[activations[i]](z[i])
        gradients.insert(0, (a[i].T @ delta, delta.sum(axis=0)))
        gradient = delta @ weights[i][0].T
    return share @ row_losses, gradients


def train(weights, activations, loss, batches, learning_rate, momentum, decay=0.0, nesterov=False):
    """Momentum SGD over (x, t, row_weights) batches; returns weights and the losses before each step."""
    weights = [(w.copy(), b.copy()) for w, b in weights]
    velocities = [(np.zeros_like(w), np.zeros_like(b)) for w, b in weights]
    losses = []
    for x, t, row_weights in batches:
        loss_value, gradients = loss_and_gradients(weights, activations, loss, x, t, row_weights)
        losses.append(loss_value)
        new_weights, new_velocities = [], []
        for (w, b), (vw, vb), (gw, gb) in zip(weights, velocities, gradients, strict=True):
            gw = gw + decay * w
            vw, vb = momentum * vw - learning_rate * gw, momentum * vb - learning_rate * gb
            if nesterov:
                new_weights.append(
                    (w + momentum * vw - learning_rate * gw, b + momentum * vb - learning_rate * gb)
                )
            else:
                new_weights.append((w + vw, b + vb))
            new_velocities.append((vw, vb))
        weights, velocities = new_weights, new_velocities
    return weights, losses
