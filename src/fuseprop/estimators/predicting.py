"""Outputs for rows that may be anywhere: on the host, sparse, or on the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import AnyBackend, HostArray
from ..layers.stack import Stack
from ..training.evaluation import CHUNK, apply_link
from ..training.step import Buffers
from .arrays import dense_rows


def predict_outputs(backend: AnyBackend, stack: Stack, X: Any, *, on_device: bool) -> HostArray:
    """Return the network's predictions (n, k) for rows X (n, d), through the loss's link, chunk by chunk."""
    n = X.shape[0]
    buffers = Buffers(backend, stack, min(CHUNK, n))
    predictions = np.empty((n, stack.layers[-1].outputs), backend.dtype)
    with np.errstate(all="ignore"):
        for start in range(0, n, buffers.capacity):
            rows = slice(start, min(start + buffers.capacity, n))
            batch = buffers.batch(rows.stop - start)
            x = X[rows] if on_device else batch.x
            if not on_device:
                backend.from_host(dense_rows(X, rows).astype(backend.dtype, copy=False), out=batch.x)
            output = stack.forward(backend, x, batch.outputs)
            apply_link(backend, stack.loss, output)
            predictions[rows] = backend.to_host(output)
    return predictions
