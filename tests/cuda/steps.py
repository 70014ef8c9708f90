"""Training steps of small networks on any backend, for the tests of how they are replayed."""

import numpy as np

from fuseprop import Adam, MomentumSGD, Network, mlp
from fuseprop.layers.targets import encode_targets
from fuseprop.training.epoch import Epoch
from fuseprop.training.keys import NO_KEY
from fuseprop.training.rows import Rows
from fuseprop.training.shared_epoch import SharedEpoch
from fuseprop.training.strata import Strata

CLASSIFICATION, REGRESSION = "softmax_cross_entropy", "half_squared_error"


def training(
    backend,
    layers=2,
    loss=CLASSIFICATION,
    *,
    activation="tanh",
    rows=26,
    batch=8,
    weighted=False,
    dropout=0.0,
    optimizer=None,
    world=None,
):
    """A `Epoch` of a network with that many layers, prepared and at the start of an epoch.

    In a `world`, of several processes each of which has its part of the rows.
    """
    rng = np.random.default_rng(0)
    sizes = [5, *[7, 4, 6][: layers - 1], 3]
    network = Network(mlp(sizes, activation, dropout=dropout), loss, seed=0, backend=backend)
    X = rng.normal(size=(rows, 5))
    target = rng.integers(0, 3, rows) if loss == CLASSIFICATION else rng.uniform(size=(rows, 3))
    targets = encode_targets(target, network.stack.loss, network.layers[-1], rows)
    weights = rng.uniform(0.5, 2, rows) if weighted else None
    optimizer = optimizer() if optimizer else MomentumSGD(0.1, 0.9, nesterov=True)
    given = backend, network.stack, None, optimizer
    if world is None:
        made = Epoch(*given, Rows(X, targets, weights), batch_size=batch)
    else:
        own = Rows(X, targets, weights).take(np.arange(rows)[world.rows(rows)])
        strata = Strata(world, len(own), batch, shuffles=False)
        made = SharedEpoch(*given, own, batch_size=batch, strata=strata)
    optimizer.prepare(network.stack.parameters, len(made.batches))
    made.send(rng.permutation(rows) if world is None else NO_KEY)
    return made


def traces(made):
    """What steps leave behind, on the host: parameters, moments, losses, hits, the cursor."""
    parameters, epoch = made.stack.parameters, made.state
    arrays = parameters.values, *made.optimizer.moments, epoch.losses, epoch.hits, epoch.cursor
    return [made.backend.to_host(array) for array in arrays]


def adam(**options):
    """Adam whose epsilon is large enough that noise around 0 stays small."""
    return Adam(0.1, epsilon=1e-3, **options)
