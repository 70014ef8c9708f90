"""Train a tiny network on a GPU: what compute-sanitizer watches. Needs no test library.

It prints JSON lines: {"launched": [kernels]} after each loss, and {"trained": true} at the end.
"""

import json

import numpy as np

from fuseprop import Adam, MomentumSGD, Network, mlp

TASKS = {
    "half_squared_error": ("sigmoid", np.linspace(0, 1, 70)[:, None]),
    "sigmoid_cross_entropy": ("relu", (np.arange(70) % 2)[:, None]),
    "softmax_cross_entropy": ("tanh", np.arange(70) % 3),
    "half_poisson_deviance": ("tanh", (np.arange(70) % 4)[:, None]),
}
"""Each loss with a hidden activation and the targets of 70 rows.

Of the 56 that are learned from, an epoch makes three batches and a half: the first epoch is taken step by
step, the second in graphs of three steps and of one.
"""


def train(backend, after=lambda loss: None):
    """Train with every loss, and one with Adam and dropout; returns the last losses, which must be finite.

    `after` is called with each loss that has been trained with.
    """
    rows = np.random.default_rng(0).normal(size=(70, 5))
    last = {}
    for loss, (activation, target) in TASKS.items():
        outputs = 3 if loss == "softmax_cross_entropy" else 1
        counts = loss == "half_poisson_deviance"
        layers = mlp([5, 33, outputs], activation, dropout=0.5 if counts else 0.0)
        network = Network(layers, loss, seed=0, backend=backend)
        optimizer = MomentumSGD(0.05, 0.9, weight_decay=1e-4, nesterov=True)
        if counts:
            optimizer = Adam(0.01, weight_decay=1e-4)
        history = network.fit(rows, target, optimizer, epochs=2, batch_size=16, validation=0.2)
        network.predict(rows)
        last[loss] = history.train_loss[-1]
        after(loss)
    assert np.isfinite(list(last.values())).all(), last
    assert backend.not_captured is None, backend.not_captured
    return last


if __name__ == "__main__":
    import cupy
    from fuseprop_cupy import CupyBackend
    from launched import noted

    cupy.cuda.set_allocator(None)  # an allocation for each array, so that memcheck sees where it ends
    launched = set()

    def tell(loss):
        print(json.dumps({"launched": sorted(launched)}), flush=True)

    with noted(launched.add):
        for dtype in ("float32", "float64"):
            train(CupyBackend(dtype), tell)
    print(json.dumps({"trained": True}), flush=True)
