"""Run in each of several processes: they train one network by compiled steps, on their share of the cores."""

import numpy as np
from fuseprop_numpy.compiled.threads import default_threads
from threadpoolctl import threadpool_info

from fuseprop import Adam, Network, mlp
from fuseprop.callbacks import OnEpochEnd
from fuseprop.world import World, agreeing

THREADS = {"fuseprop", "blas"}


def threads():
    """Return how many threads each kind of library takes."""
    return {
        each["user_api"]: each["num_threads"] for each in threadpool_info() if each["user_api"] in THREADS
    }


world = World()
with agreeing(world):
    assert 0 <= world.local_rank < world.local_size <= world.size
    assert 1 <= world.sharing <= world.local_size
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((90, 7), np.float32), rng.integers(0, 3, 90)
    network = Network(mlp([7, 33, 3], dropout=0.2), "softmax_cross_entropy", seed=0, device="cpu")
    before, within = threads(), []
    network.fit(
        *(X[world.rows(90)], labels[world.rows(90)], Adam(0.01, clip_norm=0.5)),
        epochs=3,
        batch_size=32,
        callbacks=[OnEpochEnd(lambda history: within.append(threads()))],
        world=world,
    )
    assert network.backend.not_compiled is None
    assert network.backend.replay == "compiled"
    assert threads() == before
    share = max(1, default_threads({}).threads // world.sharing)
    assert within == 3 * [{kind: min(most, share) for kind, most in before.items()}]
bits = [array.tobytes() for pair in network.weights() for array in pair]
assert world.gathered(bits) == [bits] * world.size
if world.rank == 0:
    print(f"{world.size} processes have one network")
