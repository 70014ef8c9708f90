"""What the processes that mpiexec has started do together, on GPUs or on host memory; process 0 prints it.

mpiexec -n 2 python tests/cuda/train_together.py host     # add up, by NCCL's stand-in and in graphs
mpiexec -n 2 python tests/cuda/train_together.py cuda     # train, on a GPU each
"""

import hashlib
import json
import sys

import numpy as np

from fuseprop import Adam, Network, mlp
from fuseprop.backend import Call, Program
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


def add_up(world, backend):
    """Replay a sum; return what came out, how often graphs were launched, and what NCCL was asked for."""
    array = backend.from_host(np.full(4, 1.0 + world.rank))
    replay = backend.compile(Program((Call("all_reduce", (array, world), {}),)))
    replay(5)
    replay(5)
    return {
        "sum": backend.to_host(array).tolist(),
        "launches": [graph.launches for graph in backend.seam.streams().graphs],
        "log": backend.seam.nccl.log,
    }


def main(kind):
    world = World()
    if kind == "host":
        from host_device import HostRunBackend

        done = add_up(world, HostRunBackend("float64", built="no kernels, which take their time"))
    else:
        from fuseprop_cupy import CupyBackend

        done = train(world, CupyBackend("float64", f"cuda:{world.local_rank}"))
    found = world.gathered(done)
    if world.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
