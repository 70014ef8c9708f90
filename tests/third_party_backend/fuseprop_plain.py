"""A backend as small as one can be, every operation as its formula.

Its arrays have nothing but what `fuseprop.backend.Array` names: no operators, no length, no conversion to
NumPy. Whatever trains on it therefore stays within the contract.
"""

from contextlib import nullcontext

import numpy as np

from fuseprop.backend import BackendUnavailable, evaluate, replay_by_calling


class PlainArray:
    def __init__(self, values):
        self._values = values

    shape = property(lambda self: self._values.shape)
    dtype = property(lambda self: self._values.dtype)
    T = property(lambda self: PlainArray(self._values.T))

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return PlainArray(self._values[rows])

    def reshape(self, shape):
        assert isinstance(shape, tuple)
        return PlainArray(self._values.reshape(shape))


def numbers(array):
    if not isinstance(array, PlainArray):
        raise TypeError(f"expected an array of the plain backend, got {type(array).__name__}.")
    return array._values


def exponentials(z):
    return np.exp(z - z.max(axis=1, keepdims=True))


def mix(x, key=0):
    """32 bits of a Python int, or of an array of uint64."""
    x = (((x & 0xFFFFFFFF) ^ (x & 0xFFFFFFFF) >> 16) * 0x7FEB352D + key) & 0xFFFFFFFF
    x = ((x ^ x >> 15) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ x >> 16


class PlainBackend:
    name = "plain"
    protocol_version = 2
    device = "cpu"

    def __init__(self, dtype="float32", device="cpu"):
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64, got {dtype!r}.")
        if device != "cpu":
            raise BackendUnavailable(f"the plain backend computes on cpu only, {device!r} was asked for.")
        self.dtype = np.dtype(dtype)

    def empty(self, shape, dtype=None):
        # Not empty: whoever reads what was never written is found out.
        values = np.zeros(shape, dtype or self.dtype)
        values.fill(np.nan if values.dtype.kind == "f" else -1)
        return PlainArray(values)

    def zeros(self, shape, dtype=None):
        return PlainArray(np.zeros(shape, dtype or self.dtype))

    def from_host(self, array, *, out=None, dtype=None):
        if out is None:
            return PlainArray(np.array(array, dtype or self.dtype, order="C"))
        if out.shape != array.shape:
            raise ValueError(f"out has shape {out.shape}, the host array {array.shape}.")
        numbers(out)[...] = array
        return out

    def share(self, array):
        return self.from_host(array if isinstance(array, np.ndarray) else np.from_dlpack(array))

    def to_host(self, array):
        return numbers(array).copy()

    def copy(self, source, *, out):
        numbers(out)[...] = numbers(source)

    def synchronize(self):
        pass

    def take_rows(self, source, order, cursor, *, out):
        start = numbers(cursor)[0]
        numbers(out)[...] = numbers(source)[numbers(order)[start : start + out.shape[0]]]

    def put_rows(self, values, cursor, *, out):
        start = numbers(cursor)[0]
        numbers(out)[start : start + values.shape[0]] = numbers(values)

    def advance(self, cursor, by):
        numbers(cursor)[0] += by

    def matmul(self, a, b, *, out):
        numbers(out)[...] = numbers(a) @ numbers(b)

    def bias_activation(self, z, bias, activation, *, out, kept=None):
        total = numbers(z) + (0 if bias is None else numbers(bias))
        numbers(out)[...] = evaluate(activation.value, {"z": total})
        if kept is not None:
            numbers(kept)[...] = total

    def activation_backward(self, gradient, point, activation, *, out, bias_gradient):
        at = numbers(point)
        numbers(out)[...] = numbers(gradient) * evaluate(activation.slope, {"y": at, "z": at})
        numbers(bias_gradient)[...] = numbers(out).sum(axis=0)

    def dropout(self, values, rate, seed, step, *, out):
        a = mix(seed ^ mix(int(numbers(step)[0])))
        numbered = np.arange(numbers(values).size, dtype=np.uint64).reshape(values.shape)
        kept = mix(numbered ^ np.uint64(a), mix(a ^ seed)) >= int(rate * 2**32)
        numbers(out)[...] = np.where(kept, numbers(values) / (1 - rate), 0)

    def loss_of_rows(self, output, target, row_weights, loss, factor, *, losses, gradient):
        at = {"y": numbers(output), "t": numbers(target)}
        terms = np.broadcast_to(evaluate(loss.term, at), output.shape)
        numbers(losses)[...] = factor * terms.sum(axis=1)
        numbers(gradient)[...] = factor * numbers(row_weights)[:, None] * evaluate(loss.slope, at)

    def softmax_cross_entropy(self, logits, labels, row_weights, *, losses, gradient):
        z, one_hot = numbers(logits), np.eye(logits.shape[1], dtype=self.dtype)[numbers(labels)]
        shifted, e = z - z.max(axis=1, keepdims=True), exponentials(z)
        numbers(losses)[...] = np.log(e.sum(axis=1)) - np.where(one_hot, shifted, 0).sum(axis=1)
        softmax = e / e.sum(axis=1, keepdims=True)
        numbers(gradient)[...] = numbers(row_weights)[:, None] * (softmax - one_hot)

    def softmax(self, logits, *, out):
        e = exponentials(numbers(logits))
        numbers(out)[...] = e / e.sum(axis=1, keepdims=True)

    def argmax_equals(self, scores, labels, *, out):
        numbers(out)[...] = numbers(scores).argmax(axis=1) == numbers(labels)

    def threshold_equals(self, scores, target, score_threshold, target_threshold, *, out):
        same = (numbers(scores) > score_threshold) == (numbers(target) > target_threshold)
        numbers(out)[...] = same.all(axis=1)

    def sum_squares(self, array, *, out):
        numbers(out)[0] = (numbers(array) ** 2).sum()

    def clip_norm(self, gradients, limit, *, norm):
        length = np.sqrt((numbers(gradients) ** 2).sum())
        numbers(norm)[0] = length
        if limit < length < np.inf:
            numbers(gradients)[...] *= limit / length

    def update(self, values, gradients, moments, settings, formula, *, decay_ranges):
        *chosen, decay = numbers(settings)
        w, g, kept = numbers(values), numbers(gradients).copy(), numbers(moments)
        for start, stop in decay_ranges if decay else ():
            g[start:stop] += decay * w[start:stop]
        names = [name for name, _ in formula.moments]
        at = {
            "w": w,
            "g": g,
            **dict(zip(formula.settings, chosen, strict=True)),
            **dict(zip(names, kept, strict=True)),
        }
        new = {name: np.array(evaluate(each, at)) for name, each in formula.results.items()}
        for name, moment in zip(names, kept, strict=True):
            moment[...] = new[name]
        w[...] = new["w"]

    def all_reduce(self, array, world):
        world.add(numbers(array))

    def compile(self, program):
        return replay_by_calling(self, program)

    def session(self, programs):
        return nullcontext()
