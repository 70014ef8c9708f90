"""A backend on a functional library: its arrays cannot be written to, as those of JAX.

Here they are NumPy arrays that are not writeable. What an operation computes is a new array, and `out` is
where it goes: a `Buffer` holds an array of the library, and a write puts another one in its place.
"""

from contextlib import nullcontext
from math import prod

import numpy as np

from fuseprop.backend import BackendUnavailable, evaluate, replay_by_calling


def frozen(array):
    """What the library hands out: an array that nothing changes."""
    array = np.asarray(array)
    array.flags.writeable = False
    return array


def replaced(values, start, new):
    """Return a flat array with others from `start` on; `values.at[start:stop].set(new)` in JAX."""
    if len(new) == len(values):
        return new
    return frozen(np.concatenate([values[:start], new, values[start + len(new) :]]))


class Buffer:
    """Memory: a flat array of the library, and another one after each write."""

    def __init__(self, values):
        self.values = values


class FunctionalArray:
    """A view of a buffer: all views see what one of them has written."""

    def __init__(self, buffer, start, shape, *, turned=False):
        self.buffer, self.start, self.shape, self.turned = buffer, start, shape, turned

    dtype = property(lambda self: self.buffer.values.dtype)
    T = property(
        lambda self: FunctionalArray(self.buffer, self.start, self.shape[::-1], turned=not self.turned)
    )

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(self.shape[0])
        width = prod(self.shape[1:])
        return FunctionalArray(self.buffer, self.start + start * width, (stop - start, *self.shape[1:]))

    def reshape(self, shape):
        assert prod(shape) == prod(self.shape)
        return FunctionalArray(self.buffer, self.start, shape)

    def read(self):
        """The library's array of what stands here now."""
        flat = self.buffer.values[self.start : self.start + prod(self.shape)]
        return flat.reshape(self.shape[::-1]).T if self.turned else flat.reshape(self.shape)

    def write(self, values):
        """Let this and all other views of the buffer see these values, cast to its dtype."""
        new = frozen(np.broadcast_to(values, self.shape).astype(self.dtype).ravel())
        self.buffer.values = replaced(self.buffer.values, self.start, new)


def exponentials(z):
    return np.exp(z - z.max(axis=1, keepdims=True))


def mix(x, key=0):
    """Return the hash of 32 bits that dropout draws by, of numbers of 64 bits."""
    x = ((x ^ x >> 16) * 0x7FEB352D + key) & 0xFFFFFFFF
    x = ((x ^ x >> 15) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ x >> 16


class FunctionalBackend:
    name = "functional"
    protocol_version = 2
    device = "cpu"

    def __init__(self, dtype="float32", device="cpu"):
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64, got {dtype!r}.")
        if device != "cpu":
            raise BackendUnavailable(f"the functional backend has no {device!r}, only cpu.")
        self.dtype = np.dtype(dtype)

    def empty(self, shape, dtype=None):
        return self.zeros(shape, dtype)

    def zeros(self, shape, dtype=None):
        return FunctionalArray(Buffer(frozen(np.zeros(prod(shape), dtype or self.dtype))), 0, tuple(shape))

    def from_host(self, array, *, out=None, dtype=None):
        if out is None:
            out = self.zeros(array.shape, dtype)
        if out.shape != array.shape:
            raise ValueError(f"out has shape {out.shape}, the host array {array.shape}.")
        out.write(array)
        return out

    def share(self, array):
        host = array if isinstance(array, np.ndarray) else np.from_dlpack(array)
        flat = np.ascontiguousarray(host, self.dtype).reshape(-1)  # a view wherever the layout allows it
        return FunctionalArray(Buffer(frozen(flat.view())), 0, host.shape)

    def to_host(self, array):
        return np.array(array.read())

    def copy(self, source, *, out):
        out.write(source.read())

    def synchronize(self):
        pass

    def take_rows(self, source, order, cursor, *, out):
        start = int(cursor.read()[0])
        out.write(source.read()[order.read()[start : start + out.shape[0]]])

    def put_rows(self, values, cursor, *, out):
        start = int(cursor.read()[0])
        out[start : start + values.shape[0]].write(values.read())

    def advance(self, cursor, by):
        cursor.write(cursor.read() + by)

    def matmul(self, a, b, *, out):
        out.write(a.read() @ b.read())

    def bias_activation(self, z, bias, activation, *, out, kept=None):
        total = z.read() if bias is None else z.read() + bias.read()
        out.write(evaluate(activation.value, {"z": total}))
        if kept is not None:
            kept.write(total)

    def activation_backward(self, gradient, point, activation, *, out, bias_gradient):
        at = point.read()
        result = gradient.read() * evaluate(activation.slope, {"y": at, "z": at})
        out.write(result)
        bias_gradient.write(result.sum(axis=0))

    def dropout(self, values, rate, seed, step, *, out):
        a = mix(seed ^ mix(int(step.read()[0]) & 0xFFFFFFFF))
        numbered = np.arange(prod(values.shape), dtype=np.uint64).reshape(values.shape)
        kept = mix(numbered ^ np.uint64(a), mix(a ^ seed)) >= int(rate * 2**32)
        out.write(np.where(kept, values.read() / (1 - rate), 0))

    def loss_of_rows(self, output, target, row_weights, loss, factor, *, losses, gradient):
        at = {"y": output.read(), "t": target.read()}
        terms = np.broadcast_to(evaluate(loss.term, at), output.shape)
        slopes = evaluate(loss.slope, at)
        losses.write(factor * terms.sum(axis=1))
        gradient.write(factor * row_weights.read()[:, None] * slopes)

    def softmax_cross_entropy(self, logits, labels, row_weights, *, losses, gradient):
        z, chosen = logits.read(), np.arange(logits.shape[1]) == labels.read()[:, None]
        e = exponentials(z)
        sums, shifted = e.sum(axis=1), z - z.max(axis=1, keepdims=True)
        losses.write(np.log(sums) - np.where(chosen, shifted, 0).sum(axis=1))
        gradient.write(row_weights.read()[:, None] * (e / sums[:, None] - chosen))

    def softmax(self, logits, *, out):
        e = exponentials(logits.read())
        out.write(e / e.sum(axis=1, keepdims=True))

    def argmax_equals(self, scores, labels, *, out):
        out.write(scores.read().argmax(axis=1) == labels.read())

    def threshold_equals(self, scores, target, score_threshold, target_threshold, *, out):
        out.write(((scores.read() > score_threshold) == (target.read() > target_threshold)).all(axis=1))

    def sum_squares(self, array, *, out):
        out.write((array.read() ** 2).sum())

    def clip_norm(self, gradients, limit, *, norm):
        length = np.sqrt((gradients.read() ** 2).sum())
        norm.write(length)
        if limit < length < np.inf:
            gradients.write(gradients.read() * (limit / length))

    def update(self, values, gradients, moments, settings, formula, *, decay_ranges):
        *chosen, decay = settings.read()
        w, g, kept = values.read(), gradients.read(), moments.read()
        for start, stop in decay_ranges if decay else ():
            g = replaced(g, start, g[start:stop] + decay * w[start:stop])
        names = [name for name, _ in formula.moments]
        at = {"w": w, "g": g, **dict(zip(formula.settings, chosen, strict=True))}
        at |= dict(zip(names, kept, strict=True))
        new = {name: evaluate(each, at) for name, each in formula.results.items()}
        for i, name in enumerate(names):
            moments[i : i + 1].write(new[name])
        values.write(new["w"])

    def all_reduce(self, array, world):
        host = self.to_host(array)
        world.add(host)
        array.write(host)

    def compile(self, program):
        return replay_by_calling(self, program)

    def session(self, programs):
        return nullcontext()
