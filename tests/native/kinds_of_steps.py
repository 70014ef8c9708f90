"""Training steps of every kind as programs, and a step taken as it was recognised, by NumPy's operations."""

from functools import partial

import numpy as np
from fuseprop_numpy import NumpyBackend

from fuseprop import Adam, MomentumSGD, Network, mlp
from fuseprop.backend import Program
from fuseprop.estimators.observers import Outputs, SquaredWeights
from fuseprop.formulas import Loss
from fuseprop.layers.targets import encode_targets
from fuseprop.testing.contract.formulas import LOSS_CASES, TRAINABLE_CASES, UPDATE_CASES
from fuseprop.testing.contract.parity import Host
from fuseprop.testing.contract.replay import OptimizerOf
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows

SOFTMAX = "softmax_cross_entropy"
ROWS, BATCH = 21, 8
"""Two full batches and one of five rows."""

SIZES = [5, 7, 6, 3]


def epoch_of(
    *,
    loss=SOFTMAX,
    activation="tanh",
    update="momentum",
    optimizer=None,
    sizes=SIZES,
    dtype="float64",
    weighted=False,
    clipped=False,
    decays=False,
    dropout=0.0,
    metric="accuracy",
    sent=False,
    observed=False,
    replay="calls",
):
    """Return an epoch whose rows are on the device, in its first order."""
    backend = NumpyBackend(dtype, replay=replay)
    rng, host = np.random.default_rng(0), Host(backend)
    chosen, hidden = LOSS_CASES[loss], TRAINABLE_CASES[activation]
    last = hidden if chosen.link == "identity" else "identity"
    layers = mlp(sizes, hidden, output_activation=last, dropout=dropout)
    network = Network(layers, chosen, seed=0, backend=backend)
    X, k = rng.normal(size=(ROWS, sizes[0])), sizes[-1]
    target = host.targets(chosen, ROWS, k) if isinstance(chosen, Loss) else rng.integers(0, k, ROWS)
    targets = encode_targets(target, network.stack.loss, network.layers[-1], ROWS)
    if sent:
        from scipy.sparse import csr_array

        X = csr_array(X)
    weights = rng.uniform(0.5, 2.0, ROWS) if weighted else None
    if optimizer is None:
        decay = 1e-3 if decays else 0.0
        optimizer = OptimizerOf(UPDATE_CASES[update], decay, 0.05 if clipped else None)
    stack, batches = network.stack, -(-ROWS // BATCH)
    observers = [SquaredWeights(backend, stack, batches), Outputs(backend, stack, ROWS)] if observed else []
    made = Epoch(
        backend, stack, metric, optimizer, Rows(X, targets, weights), batch_size=BATCH, observers=observers
    )
    made.send(rng.permutation(ROWS))
    return made


KINDS = {
    "plain": {},
    "weighted": {"weighted": True},
    "clipped": {"clipped": True, "decays": True},
    "dropout": {"dropout": [0.2, 0.5]},
    "loss alone": {"metric": "loss"},
    "schedule by step": {"optimizer": partial(MomentumSGD, 0.1, weight_decay=[0.1, 0.0, 0.2])},
    "adam": {"optimizer": partial(Adam, 0.01, weight_decay=0.1, clip_norm=0.1)},
    "rows sent": {"sent": True},
    "observed": {"observed": True},
    "everything": {"weighted": True, "clipped": True, "decays": True, "dropout": 0.5, "observed": True},
    "everything sent": {"weighted": True, "dropout": [0.3, 0.0], "observed": True, "sent": True},
    "one layer": {"sizes": [5, 3]},
    "one unit": {"sizes": [1, 1, 2]},
    "twenty layers": {"sizes": [4] * 20 + [3]},
}
"""Steps by what is special about them; an optimizer is made anew for each."""


def kind(name, **more):
    """Return an epoch of one of `KINDS`."""
    arguments = {**KINDS[name], **more}
    if "optimizer" in arguments:
        arguments["optimizer"] = arguments["optimizer"]()
    return epoch_of(**arguments)


def take(step, backend):
    """Take a step as it was recognised, with nothing but what was recognised."""
    empty = backend.empty

    def do(tasks):
        for task in tasks:
            getattr(backend, task.operation)(**task.arguments)

    def rows(gathered):
        if gathered.order is None:
            return gathered.source[: step.rows].copy()
        out = np.empty((step.rows, *gathered.source.shape[1:]), gathered.source.dtype)
        backend.take_rows(gathered.source, gathered.order, gathered.cursor, out=out)
        return out

    def block(flat, layer):
        d, m, at = layer.inputs, layer.outputs, layer.offset
        return flat[at : at + d * m].reshape(d, m), flat[at + d * m : at + (d + 1) * m]

    def drop(values, layer, out):
        backend.dropout(values, layer.drops.rate, layer.drops.seed, step.dropout_step, out=out)

    do(step.before)
    x, target, row_weights = rows(step.x), rows(step.target), rows(step.row_weights)
    taken, outputs, sums = [x], [], []
    for layer in step.layers:
        weights, bias = block(step.values, layer)
        z, output = empty((step.rows, layer.outputs)), empty((step.rows, layer.outputs))
        backend.matmul(taken[-1], weights, out=output)
        backend.bias_activation(output, bias, layer.activation, out=output, kept=z)
        outputs.append(output)
        sums.append(z)
        taken.append(output)
        if layer.drops is not None:
            taken[-1] = empty(output.shape)
            drop(output, layer, taken[-1])
    gradient = empty(outputs[-1].shape)
    if step.loss is None:
        backend.softmax_cross_entropy(outputs[-1], target, row_weights, losses=step.losses, gradient=gradient)
    else:
        backend.loss_of_rows(
            outputs[-1], target, row_weights, step.loss, step.factor, losses=step.losses, gradient=gradient
        )
    if step.hits is not None and step.hits.operation == "argmax_equals":
        backend.argmax_equals(outputs[-1], rows(step.labels), out=step.hits.out)
    elif step.hits is not None:
        thresholds = step.hits.score_threshold, step.hits.target_threshold
        backend.threshold_equals(outputs[-1], target, *thresholds, out=step.hits.out)
    for i in reversed(range(len(step.layers))):
        layer = step.layers[i]
        of_weights, of_bias = block(step.gradients, layer)
        point = sums[i] if layer.activation.slope_of == "z" else outputs[i]
        backend.activation_backward(gradient, point, layer.activation, out=gradient, bias_gradient=of_bias)
        for kept, made in (
            (layer.kept_sums, sums[i]),
            (layer.kept_outputs, outputs[i]),
            (layer.kept_deltas, gradient),
        ):
            if kept is not None:
                kept[...] = made
        backend.matmul(taken[i].T, gradient, out=of_weights)
        below = empty(taken[i].shape)
        backend.matmul(gradient, block(step.values, layer)[0].T, out=below)
        if i and step.layers[i - 1].drops is not None:
            drop(below, step.layers[i - 1], below)
        gradient = below
    if step.clip is not None:
        backend.clip_norm(step.gradients, step.clip.limit, norm=step.clip.norm)
    ranges = [
        (layer.offset, layer.offset + layer.inputs * layer.outputs) for layer in step.layers if layer.decays
    ]
    if step.update is not None:
        update = step.update
        backend.update(
            step.values,
            step.gradients,
            update.moments,
            update.settings,
            update.formula,
            decay_ranges=sorted(ranges),
        )
    do(step.after)


def conflicts(program):
    """Return for each call those before it with which it must keep its order."""
    regions = program.memory.regions

    def memory(arrays):
        spanned = 0
        for array in arrays:
            spanned |= regions[id(array)]
        return spanned

    masks = [(memory(call.reads), memory(call.writes)) for call in program.calls]
    return [
        {
            i
            for i, (other_reads, other_writes) in enumerate(masks[:j])
            if other_writes & (reads | writes) or other_reads & writes
        }
        for j, (reads, writes) in enumerate(masks)
    ]


def shuffled(program, rng):
    """Return the program in another order in which every call sees the same."""
    waiting = dict(enumerate(conflicts(program)))
    order = []
    while waiting:
        ready = [i for i, before in waiting.items() if not before & waiting.keys()]
        order.append(ready[int(rng.integers(len(ready)))])
        del waiting[order[-1]]
    return Program(tuple(program.calls[i] for i in order), program.scratch)
