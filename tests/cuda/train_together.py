"""Train a small network in the processes that mpiexec has started; each prints what came out.

mpiexec -n 2 python tests/cuda/train_together.py host     # on host memory, where NCCL is a stand-in
mpiexec -n 2 python tests/cuda/train_together.py cuda     # on a GPU each
"""

import hashlib
import json
import sys

import numpy as np

from fuseprop import Adam, Network, mlp
from fuseprop.world import World


def train(world, backend):
    """Train on this process's part of some rows; return the losses, and a digest of the weights."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(61, 5)), rng.integers(0, 3, 61)
    own = world.rows(61)
    network = Network(mlp([5, 7, 3], "tanh"), "softmax_cross_entropy", seed=0, backend=backend)
    history = network.fit(X[own], labels[own], Adam(0.05), epochs=3, batch_size=16, world=world)
    weights = b"".join(array.tobytes() for pair in network.weights() for array in pair)
    return {
        "losses": list(history.train_loss),
        "weights": hashlib.sha256(weights).hexdigest(),
        "not_captured": getattr(backend, "not_captured", None),
    }


def main(kind):
    world = World()
    if kind == "host":
        from host_device import HostRunBackend

        backend = HostRunBackend("float64")
    else:
        from fuseprop_cupy import CupyBackend

        backend = CupyBackend("float64", f"cuda:{world.local_rank}")
    found = world.gathered(train(world, backend))
    if world.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
