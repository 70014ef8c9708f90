"""What a network says of rows: its outputs through the loss's link, and the decisions they lead to."""

from __future__ import annotations

import numpy as np

from .activations import ACTIVATIONS
from .backend import AnyBackend, Array, HostArray
from .evaluation import CHUNK
from .losses import Loss
from .stack import Stack
from .step import Buffers


def predict_rows(backend: AnyBackend, stack: Stack, X: HostArray) -> HostArray:
    """Return predictions (N, k) for rows (N, d): the last layer's outputs, through the loss's link."""
    buffers = Buffers(backend, stack, min(CHUNK, len(X)))
    predictions = np.empty((len(X), stack.layers[-1].outputs), backend.dtype)
    for start in range(0, len(X), buffers.capacity):
        rows = X[start : start + buffers.capacity]
        batch = buffers.batch(len(rows))
        backend.from_host(rows.astype(backend.dtype, copy=False), out=batch.x)
        output = stack.forward(backend, batch.x, batch.outputs)
        apply_link(backend, stack.loss, output)
        predictions[start : start + len(rows)] = backend.to_host(output)
    return predictions


def apply_link(backend: AnyBackend, loss: Loss, output: Array) -> None:
    """Turn the last layer's output (n, k) into predictions, in place."""
    if loss.link == "softmax":
        backend.softmax(output, out=output)
    elif loss.link == "sigmoid":
        backend.bias_activation(output, None, "sigmoid", out=output)
    elif loss.link == "exponential":
        backend.exponential(output, out=output)


def decide(stack: Stack, predictions: HostArray) -> HostArray:
    """Return class numbers (n,) for the softmax link, else "yes" or "no" per output (n, k), in its coding."""
    if stack.loss.link == "softmax":
        labels: HostArray = np.argmax(predictions, axis=1)
        return labels
    coding = ACTIVATIONS[stack.layers[-1].activation]
    return np.where(predictions > coding.threshold, int(coding.high), int(coding.low))
