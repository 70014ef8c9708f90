"""A backend as small as one can be, every operation as its formula.

Its arrays have nothing but what `fuseprop.backend.Array` names: no operators, no length, no conversion to
NumPy. Whatever trains on it therefore stays within the contract.
"""

from contextlib import nullcontext

import numpy as np

from fuseprop.backend import BackendUnavailable, replay_by_calling


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


FORWARD = {
    "identity": lambda z: z,
    "sigmoid": lambda z: np.where(z >= 0, 1, np.exp(-abs(z))) / (1 + np.exp(-abs(z))),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}
SLOPE = {
    "identity": np.ones_like,
    "sigmoid": lambda y: y * (1 - y),
    "tanh": lambda y: 1 - y * y,
    "relu": lambda y: y > 0,
}


def exponentials(z):
    return np.exp(z - z.max(axis=1, keepdims=True))


def mix(x, key=0):
    """32 bits of a Python int, or of an array of uint64."""
    x = (((x & 0xFFFFFFFF) ^ (x & 0xFFFFFFFF) >> 16) * 0x7FEB352D + key) & 0xFFFFFFFF
    x = ((x ^ x >> 15) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ x >> 16


class PlainBackend:
    name = "plain"
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

    def bias_activation(self, z, bias, activation, *, out):
        numbers(out)[...] = FORWARD[activation](numbers(z) + (0 if bias is None else numbers(bias)))

    def activation_backward(self, gradient, output, activation, *, out, bias_gradient):
        numbers(out)[...] = numbers(gradient) * SLOPE[activation](numbers(output))
        numbers(bias_gradient)[...] = numbers(out).sum(axis=0)

    def dropout(self, values, rate, seed, step, *, out):
        a = mix(seed ^ mix(int(numbers(step)[0])))
        numbered = np.arange(numbers(values).size, dtype=np.uint64).reshape(values.shape)
        kept = mix(numbered ^ np.uint64(a), mix(a ^ seed)) >= int(rate * 2**32)
        numbers(out)[...] = np.where(kept, numbers(values) / (1 - rate), 0)

    def squared_error(self, output, target, row_weights, factor, *, losses, gradient):
        error = numbers(output) - numbers(target)
        numbers(losses)[...] = factor * (error**2).sum(axis=1)
        numbers(gradient)[...] = 2 * factor * numbers(row_weights)[:, None] * error

    def absolute_error(self, output, target, row_weights, factor, *, losses, gradient):
        error = numbers(output) - numbers(target)
        numbers(losses)[...] = factor * abs(error).sum(axis=1)
        numbers(gradient)[...] = factor * numbers(row_weights)[:, None] * np.sign(error)

    def sigmoid_cross_entropy(self, logits, target, row_weights, *, losses, gradient):
        z, t = numbers(logits), numbers(target)
        numbers(losses)[...] = (np.maximum(z, 0) - t * z + np.log1p(np.exp(-abs(z)))).sum(axis=1)
        numbers(gradient)[...] = numbers(row_weights)[:, None] * (FORWARD["sigmoid"](z) - t)

    def softmax_cross_entropy(self, logits, labels, row_weights, *, losses, gradient):
        z, one_hot = numbers(logits), np.eye(logits.shape[1], dtype=self.dtype)[numbers(labels)]
        shifted, e = z - z.max(axis=1, keepdims=True), exponentials(z)
        numbers(losses)[...] = np.log(e.sum(axis=1)) - np.where(one_hot, shifted, 0).sum(axis=1)
        softmax = e / e.sum(axis=1, keepdims=True)
        numbers(gradient)[...] = numbers(row_weights)[:, None] * (softmax - one_hot)

    def half_poisson_deviance(self, logits, target, row_weights, *, losses, gradient):
        t, y = numbers(target), np.exp(numbers(logits))
        d = numbers(logits) - np.log(np.where(t > 0, t, 1))
        numbers(losses)[...] = np.where(t > 0, t * (np.expm1(d) - d), y).sum(axis=1)
        numbers(gradient)[...] = numbers(row_weights)[:, None] * (y - t)

    def exponential(self, logits, *, out):
        numbers(out)[...] = np.exp(numbers(logits))

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

    def momentum_sgd(self, values, gradients, velocities, settings, *, decay_ranges, nesterov):
        learning_rate, momentum, decay = numbers(settings)
        w, v, g = numbers(values), numbers(velocities), numbers(gradients).copy()
        for start, stop in decay_ranges:
            g[start:stop] += decay * w[start:stop]
        v[...] = momentum * v - learning_rate * g
        w += momentum * v - learning_rate * g if nesterov else v

    def adam(self, values, gradients, first, second, settings, *, decay_ranges):
        rate, beta_1, beta_2, epsilon, decay = numbers(settings)
        w, m, v, g = numbers(values), numbers(first), numbers(second), numbers(gradients).copy()
        for start, stop in decay_ranges:
            g[start:stop] += decay * w[start:stop]
        m[...] = beta_1 * m + (1 - beta_1) * g
        v[...] = beta_2 * v + (1 - beta_2) * g**2
        w -= rate * m / (np.sqrt(v) + epsilon)

    def compile(self, program):
        return replay_by_calling(self, program)

    def session(self, programs):
        return nullcontext()
