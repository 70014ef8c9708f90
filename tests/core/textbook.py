"""A network as a textbook writes it, in float64, sharing nothing with the library that it is to check."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


FUNCTION = {
    "identity": lambda z: z,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: z * (z > 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * (np.exp(z) - 1)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "gelu": lambda z: z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
    "silu": lambda z: z * sigmoid(z),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 1 / 2, 0, 1),
    "exponential": np.exp,
}


def gelu_derivative(z):
    t = np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))
    return (1 + t) / 2 + z / 2 * (1 - t**2) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)


DERIVATIVE = {
    "identity": lambda z: np.ones_like(z),
    "sigmoid": lambda z: sigmoid(z) * (1 - sigmoid(z)),
    "tanh": lambda z: 1 / np.cosh(z) ** 2,
    "relu": lambda z: 1.0 * (z > 0),
    "leaky_relu": lambda z: np.where(z > 0, 1, 0.01),
    "elu": lambda z: np.where(z > 0, 1, np.exp(z)),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, 1, 1.6732632423543772 * np.exp(z)),
    "softplus": sigmoid,
    "softsign": lambda z: 1 / (1 + np.abs(z)) ** 2,
    "gelu": gelu_derivative,
    "silu": lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z))),
    "hard_sigmoid": lambda z: (np.abs(z) < 3) / 6,
    "exponential": np.exp,
}

LOSSES = {
    "half_squared_error": lambda y, t: ((t - y) ** 2 / 2, y - t),
    "mean_squared_error": lambda y, t: ((t - y) ** 2, 2 * (y - t)),
    "mean_absolute_error": lambda y, t: (np.abs(t - y), np.sign(y - t)),
    "sigmoid_cross_entropy": lambda y, t: (
        -(t * np.log(sigmoid(y)) + (1 - t) * np.log(1 - sigmoid(y))),
        sigmoid(y) - t,
    ),
    "half_poisson_deviance": lambda y, t: (
        t * (np.log(np.where(t > 0, t, 1)) - y) - t + np.exp(y),
        np.exp(y) - t,
    ),
    "huber": lambda y, t: (
        np.where(np.abs(y - t) <= 1, (y - t) ** 2 / 2, np.abs(y - t) - 1 / 2),
        np.clip(y - t, -1, 1),
    ),
    "log_cosh": lambda y, t: (np.log(np.cosh(y - t)), np.sinh(y - t) / np.cosh(y - t)),
    "quantile": lambda y, t: (np.where(t > y, (t - y) / 2, (y - t) / 2), np.where(t > y, -1, 1) / 2),
    "hinge": lambda y, t: (np.where(t * y < 1, 1 - t * y, 0), np.where(t * y < 1, -t, 0)),
}
"""Each output's loss, and its derivative by the last layer's output."""

SUMS = {"half_squared_error", "sigmoid_cross_entropy", "half_poisson_deviance"}
"""The losses that are a sum over the outputs; the others are a mean."""


def output_loss(loss, y, t):
    """Each row's loss, and its derivative by the last layer's output."""
    if loss in LOSSES:
        losses, slopes = LOSSES[loss](y, t)
        outputs = 1 if loss in SUMS else y.shape[1]
        return losses.sum(axis=1) / outputs, slopes / outputs
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
