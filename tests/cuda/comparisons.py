"""Every operation on arrays of one shape, on two backends: the same inputs, the same results."""

from itertools import product

import numpy as np
import own
from fuseprop_cupy.operations.dense import DEEPEST
from fuseprop_cupy.replay.fusion import fuse
from fuseprop_cupy.replay.plan import plan
from fuseprop_numpy import NumpyBackend

from fuseprop import formulas
from fuseprop.backend import IDENTITY, INTEGER, evaluate, replay_by_calling
from fuseprop.backend.recording import record
from fuseprop.testing import assert_parity

ACTIVATIONS = {
    name: made.formula
    for name, made in (
        *((name, family()) for name, family in formulas.ACTIVATIONS.items()),
        *own.ACTIVATIONS.items(),
    )
}
"""The formulas of all built-in activations and of some of a user's own, by name."""

SOFTMAX = "softmax_cross_entropy"

LOSSES = {**{name: family() for name, family in formulas.LOSSES.items()}, **own.LOSSES}
"""All losses, likewise; one has no formula."""

ELEMENTWISE = {name: loss for name, loss in LOSSES.items() if name != SOFTMAX}

UPDATES = formulas.UPDATES | own.UPDATES
"""The formulas of all updates, likewise."""

SETTINGS = {"a": 0.1, "mu": 0.9, "b1": 0.9, "b2": 0.99, "epsilon": 0.05, "b": 0.9}
"""A value for each setting of an update, by name; any other is 0.5."""

METRICS = [None, "argmax_equals", "threshold_equals"]


class Comparison:
    """Runs operations on `ours` and on NumPy; inputs are host arrays, float or integer."""

    def __init__(self, ours):
        self.ours = ours
        self.numpy = NumpyBackend(ours.dtype.name)

    def agree(self, actual, expected, *, exactly=False):
        """Assert that ours is NumPy's result."""
        if exactly:
            np.testing.assert_array_equal(actual, expected)
        else:
            assert_parity(actual, expected, self.ours.dtype)

    def rounded(self, host):
        """Return numbers that our dtype holds, so that both backends start from the same."""
        return host if host.dtype.kind == "i" else host.astype(self.ours.dtype)

    def results(self, backend, method, inputs, outputs, numbers):
        """What the operation writes; an output given as the name of an input is that input, in place."""
        arrays = {
            name: backend.from_host(
                self.rounded(host), dtype=INTEGER if host.dtype.kind == "i" else backend.dtype
            )
            for name, host in inputs.items()
        }
        out = {
            name: arrays[shape] if isinstance(shape, str) else backend.empty(shape)
            for name, shape in outputs.items()
        }
        with np.errstate(all="ignore"):
            getattr(backend, method)(*arrays.values(), *numbers, **out)
        return {name: backend.to_host(array) for name, array in out.items()}

    def __call__(self, method, inputs, outputs, *numbers):
        """Assert parity of all outputs, and return ours."""
        actual = self.results(self.ours, method, inputs, outputs, numbers)
        expected = self.results(self.numpy, method, inputs, outputs, numbers)
        for name, array in actual.items():
            self.agree(array, expected[name])
        return actual

    def everything(self, n, k, rng):
        """Compare all operations over n rows and k columns."""
        self.epoch(n, k, rng)
        self.steps(n, k, rng)
        self.dropout(n, k, rng)
        self.losses(n, k, rng)
        self.update(n * k, rng)
        self.fused(n, k, rng)
        self.added_up(n, k)

    def epoch(self, n, k, rng):
        """Rows gathered and put back, of floats and of integers."""
        order, cursor = rng.permutation(n + 3), np.array([3])
        for source in (rng.normal(size=(n + 5, k)), rng.integers(-9, 9, (n + 5, k))):
            inputs = {"source": self.rounded(source), "order": order, "cursor": cursor}
            values, taken = inputs["source"].ravel()[:n], []
            for backend in (self.ours, self.numpy):
                dtype = INTEGER if source.dtype.kind == "i" else backend.dtype
                out = backend.empty((n, k), dtype)
                place = backend.zeros((n + 7,), dtype)
                arrays = [
                    backend.from_host(inputs["source"], dtype=dtype),
                    backend.from_host(order, dtype=INTEGER),
                    backend.from_host(cursor, dtype=INTEGER),
                ]
                backend.take_rows(*arrays, out=out)
                backend.put_rows(backend.from_host(values, dtype=dtype), arrays[2], out=place)
                backend.advance(arrays[2], n)
                taken.append([backend.to_host(array) for array in (out, place, arrays[2])])
            for ours, theirs in zip(*taken, strict=True):
                self.agree(ours, theirs, exactly=True)

    def products(self, n, k, rng):
        """Small products of factors that lie by rows or by columns, with sums of one chunk and of two."""
        for d, left, right in ((k, False, False), (70, True, False), (70, False, True), (k, True, True)):
            factors = rng.normal(size=(n, d)), rng.normal(size=(d, k))
            found = []
            for backend in (self.ours, self.numpy):
                a, b = (
                    backend.from_host(self.rounded(np.ascontiguousarray(host.T))).T
                    if by_columns
                    else backend.from_host(self.rounded(host))
                    for host, by_columns in zip(factors, (left, right), strict=True)
                )
                out = backend.empty((n, k))
                backend.matmul(a, b, out=out)
                found.append(backend.to_host(out))
            self.agree(*found)

    def steps(self, n, k, rng):
        """Products, activations forward and backward."""
        self.products(n, k, rng)
        self("matmul", {"a": rng.normal(size=(n, k)), "b": rng.normal(size=(k, 2))}, {"out": (n, 2)})
        long = DEEPEST["float32"] + 1  # by cuBLAS in both dtypes
        factors = {"a": rng.normal(size=(n, long)), "b": rng.normal(size=(long, 2), scale=long**-0.5)}
        self("matmul", factors, {"out": (n, 2)})
        self("matmul", {"a": rng.normal(size=(1, n)), "b": rng.normal(size=(n, 1))}, {"out": (1, 1)})
        for i, formula in enumerate(ACTIVATIONS.values()):
            z, bias = rng.normal(size=(n, k), scale=4), rng.normal(size=k)
            gradient, point = rng.normal(size=(n, k)), point_of(formula, z)
            for in_place in (False, True) if formula.is_identity else (bool(i % 2),):
                kept = {"kept": (n, k)} if in_place or formula.slope_of == "z" else {}
                out = {"out": "z" if in_place else (n, k), **kept}
                self("bias_activation", {"z": z, "bias": bias}, out, formula)
                out = {"out": "gradient" if in_place else (n, k), "bias_gradient": (k,)}
                self("activation_backward", {"gradient": gradient, "point": point}, out, formula)

    def dropout(self, n, k, rng):
        """The same masks, to the last element."""
        values = rng.normal(size=(n, k))
        met = 1429645016 / 2**32  # element 0 of seed 3 has this hash: it is kept
        for rate, seed, step in ((met, 3, 0), (0.5, 2**32 - 1, 2**40 + 3), (0.99, 0, 77), (0.0, 3, 1)):
            kept = []
            for backend in (self.ours, self.numpy):
                on_device = backend.from_host(self.rounded(values))
                at = backend.from_host(np.array([step]), dtype=INTEGER)
                out = backend.empty((n, k))
                backend.dropout(on_device, rate, seed, at, out=out)
                backend.dropout(on_device, rate, seed, at, out=on_device)
                kept.append([backend.to_host(array) for array in (out, on_device)])
            for ours, theirs in zip(*kept, strict=True):
                self.agree(ours == 0, theirs == 0, exactly=True)
                self.agree(ours, theirs)

    def losses(self, n, k, rng):
        """Losses with their gradients, probabilities and hits."""
        z, t = rng.normal(size=(n, k), scale=4), rng.uniform(size=(n, k))
        weights, labels = rng.uniform(size=n) / n, rng.integers(0, k, n)
        rows, whole = (n,), (n, k)
        out = {"losses": rows, "gradient": whole}
        for name, loss in ELEMENTWISE.items():
            output, target = outputs_and_targets(loss, z, rng)
            values = {"output": output, "target": target, "row_weights": weights}
            self("loss_of_rows", values, out, loss.formula, 1 / 3)
            if name == "mean_absolute_error":
                self("loss_of_rows", {**values, "target": output}, out, loss.formula, 1 / 3)
        self("softmax_cross_entropy", {"logits": z, "labels": labels, "row_weights": weights}, out)
        self("softmax", {"logits": z}, {"out": whole})
        self("softmax", {"logits": z}, {"out": "logits"})
        self("argmax_equals", {"scores": np.round(z), "labels": labels}, {"out": rows})
        edges = {"scores": np.round(z), "target": np.round(4 * t) / 4}  # some are the threshold itself
        self("threshold_equals", edges, {"out": rows}, -5.0, 0.0)

    def fused(self, n, k, rng):
        """What takes one launch for several calls, against these calls: rows 2 to n of an epoch."""
        z, t = rng.normal(size=(n, k), scale=4), rng.uniform(size=(n, k))
        inputs = {"z": np.round(z), "t": np.round(4 * t) / 4, "weights": rng.uniform(size=n) / n}
        labels, bias = rng.integers(0, k, n), rng.integers(-2, 3, k).astype(np.float64)
        for i, (name, loss) in enumerate(LOSSES.items()):
            cases = list(product(METRICS if name != SOFTMAX else METRICS[:2], (None, bias)))
            all_of_them = name in (SOFTMAX, "mean_squared_error")
            for metric, added in cases if all_of_them else [cases[i % len(cases)]]:
                found = [
                    self.kept(backend, inputs, labels, loss, metric, added)
                    for backend in (self.ours, self.numpy)
                ]
                for ours, theirs in zip(*found, strict=True):
                    self.agree(ours, theirs)
        sources = rng.normal(size=(n + 2, k)), rng.normal(size=(n + 2, 2)), rng.integers(0, 9, n + 2)
        order = rng.permutation(n + 2)
        for chosen in (sources, sources[:2], sources[::2]):
            found = [self.taken(backend, chosen, order, n) for backend in (self.ours, self.numpy)]
            for ours, theirs in zip(*found, strict=True):
                self.agree(ours, theirs, exactly=True)
        for rule in UPDATES.values():
            starts = np.abs(rng.normal(size=(2 + len(rule.moments), n)))
            found = [self.moved(backend, rule, starts) for backend in (self.ours, self.numpy)]
            for ours, theirs in zip(*found, strict=True):
                self.agree(ours, theirs)

    def added_up(self, n, k):
        """Gradients of which there are parts, by those who read them first."""
        cases = [*((rule, None) for rule in UPDATES.values()), *[(formulas.MOMENTUM, 0.2)] * 2]
        decays = [], [(0, 2 * k + 1)]
        for i, (rule, limit) in enumerate(cases):
            decay = decays[i % 2]
            found = [self.summed(backend, rule, limit, decay, n, k) for backend in (self.ours, self.numpy)]
            for ours, theirs in zip(*found, strict=True):
                self.agree(ours, theirs)

    def summed(self, backend, rule, limit, decay, n, k):
        """Two bias gradients of which ours has parts, between gradients that are whole, clipped or not."""
        rng = np.random.default_rng(n * k)
        rows, size = n + 128, 4 * k + 1
        deltas = [backend.from_host(self.rounded(rng.normal(size=(rows, k)) / rows)) for _ in range(2)]
        starts = np.abs(rng.normal(size=(2 + len(rule.moments), size)))
        values, gradients, moments, numbers = self.state(backend, rule, starts)
        norm = backend.zeros((1,))

        def step(stand_in):
            for delta, first in zip(deltas, (k, 3 * k), strict=True):
                bias_gradient = gradients[first : first + k]
                stand_in.activation_backward(delta, delta, IDENTITY, out=delta, bias_gradient=bias_gradient)
            if limit is not None:
                stand_in.clip_norm(gradients, limit, norm=norm)
            stand_in.update(values, gradients, moments, numbers, rule, decay_ranges=decay)

        program = record(backend, step)
        if backend is self.ours:
            nodes = plan(backend, program).nodes
            assert len(nodes) == 3 + 2 * (limit is not None)
            for node in nodes:
                backend.seam.run(node.kernel, node.grid, node.arguments)
        else:
            replay_by_calling(backend, program)(1)
        return [backend.to_host(array) for array in (values, gradients, moments, norm)]

    def state(self, backend, rule, starts, decay=0.01):
        """Values, gradients and moments, the rows of `starts`, and settings, on a backend."""
        values, gradients, *moments = map(self.rounded, starts)
        numbers = np.array([*(SETTINGS.get(name, 0.5) for name in rule.settings), decay])
        kept = np.array(moments).reshape(len(moments), len(values))
        return [backend.from_host(self.rounded(each)) for each in (values, gradients, kept, numbers)]

    def kept(self, backend, inputs, labels, loss, metric, bias):
        """Losses, hits and gradient of n rows, after a bias is added, put 2 rows behind the start."""
        z, t, weights = (backend.from_host(self.rounded(host)) for host in inputs.values())
        classes = backend.from_host(labels, dtype=INTEGER)
        cursor = backend.from_host(np.array([2]), dtype=INTEGER)
        n, k = inputs["z"].shape
        losses, hits, gradient = backend.empty((n,)), backend.empty((n,)), backend.zeros((n, k))
        epoch = [backend.zeros((n + 3,)), backend.zeros((n + 3,))]
        target = classes if loss.takes_labels else t

        added = None if bias is None else backend.from_host(self.rounded(bias))

        def step(stand_in):
            if added is not None:
                stand_in.bias_activation(z, added, IDENTITY, out=z)
            loss.apply(stand_in, z, target, weights, losses=losses, gradient=gradient)
            if metric == "argmax_equals":
                stand_in.argmax_equals(z, classes, out=hits)
            if metric == "threshold_equals":
                stand_in.threshold_equals(z, t, -2.0, 0.25, out=hits)
            stand_in.put_rows(losses, cursor, out=epoch[0])
            if metric is not None:
                stand_in.put_rows(hits, cursor, out=epoch[1])

        self.run(backend, step, [z, losses, hits], calls=1)
        return [backend.to_host(array) for array in (*epoch, gradient)]

    def taken(self, backend, sources, order, n):
        """A batch of several arrays."""
        dtypes = [INTEGER if host.dtype.kind == "i" else backend.dtype for host in sources]
        arrays = [
            backend.from_host(self.rounded(host), dtype=d) for host, d in zip(sources, dtypes, strict=True)
        ]
        outs = [backend.empty((n, *host.shape[1:]), d) for host, d in zip(sources, dtypes, strict=True)]
        places = [backend.from_host(host, dtype=INTEGER) for host in (order, np.array([2]))]

        def step(stand_in):
            for source, out in zip(arrays, outs, strict=True):
                stand_in.take_rows(source, *places, out=out)

        self.run(backend, step, [], calls=1)
        return [backend.to_host(out) for out in outs]

    def moved(self, backend, rule, starts):
        """An update, and a cursor moved on by it."""
        cursor = backend.from_host(np.array([5]), dtype=INTEGER)
        *arrays, settings = self.state(backend, rule, starts)

        def step(stand_in):
            stand_in.update(*arrays, settings, rule, decay_ranges=[])
            stand_in.advance(cursor, 3)

        self.run(backend, step, [], calls=1)
        return [backend.to_host(array) for array in (*arrays, cursor)]

    def run(self, backend, step, scratch, calls):
        """Run a recorded step, on ours fused to so many calls."""
        program = record(backend, step, scratch)
        if backend is self.ours:
            program = fuse(program)
            assert len(program.calls) == calls
        with np.errstate(all="ignore"):
            replay_by_calling(backend, program)(1)

    def update(self, size, rng):
        """The sum of squares, clipping and the update of a flat buffer."""
        array = self.rounded(rng.normal(size=size) / np.sqrt(size))
        self("sum_squares", {"array": array}, {"out": (1,)})
        for limit in (0.1, 10.0):
            self.clip(array, limit)
        two = [(0, size // 3), (size // 2, size)]
        cases = [(two, rule) for rule in UPDATES.values()]
        cases += [([(size // 4, size // 2)], formulas.MOMENTUM), ([], formulas.ADAM)]
        for decay_ranges, rule in cases:
            states = []
            starts = np.abs(rng.normal(size=(2 + len(rule.moments), size)))
            for backend in (self.ours, self.numpy):
                arrays = self.state(backend, rule, starts)
                for _ in range(2):
                    backend.update(*arrays, rule, decay_ranges=decay_ranges)
                states.append([backend.to_host(array) for array in arrays])
            for ours, theirs in zip(*states, strict=True):
                self.agree(ours, theirs)

    def clip(self, array, limit):
        """Clipping, which works in place."""
        found = []
        for backend in (self.ours, self.numpy):
            gradients, norm = backend.from_host(array), backend.empty((1,))
            with np.errstate(all="ignore"):
                backend.clip_norm(gradients, limit, norm=norm)
            found.append([backend.to_host(gradients), backend.to_host(norm)])
        for ours, theirs in zip(*found, strict=True):
            self.agree(ours, theirs)


def point_of(formula, z):
    """Return what the slope of an activation is of: z or the output."""
    with np.errstate(all="ignore"):
        return z if formula.slope_of == "z" else np.broadcast_to(evaluate(formula.value, {"z": z}), z.shape)


def outputs_and_targets(loss, z, rng):
    """Return outputs, and targets as the loss takes them: near the outputs and far from them."""
    if loss.link == "exponential":
        return z / 4, np.round(3 * rng.uniform(size=z.shape)) * np.exp(z / 4 - rng.normal(size=z.shape))
    if loss.coding is not None:
        return z, rng.choice(loss.coding, z.shape)
    return z, rng.uniform(size=z.shape)
