"""A backend as small as one can be, in plain Python: every operation is its formula, number by number.

NumPy is what arrays of the host are, and nothing is computed with it. Its own arrays have nothing but what
`fuseprop.backend.Array` names: whatever trains on this backend stays within the contract.
"""

import math
from array import array
from contextlib import nullcontext
from functools import partial
from itertools import cycle, repeat
from operator import add, eq, ge, gt, le, lt, mul, neg, sub
from types import SimpleNamespace

import numpy as np

from fuseprop.backend import BackendUnavailable, evaluate, replay_by_calling

CODES = {"float32": "f", "float64": "d", "int64": "q"}
"""By dtype, the code of Python's `array`, which rounds what is put into it."""


class PlainArray:
    """Numbers row by row in memory, which views share; `turned` is a transposed view, column by column."""

    def __init__(self, numbers, shape, dtype, *, turned=False):
        self.numbers, self.shape, self.dtype, self.turned = numbers, shape, dtype, turned

    T = property(lambda self: PlainArray(self.numbers, self.shape[::-1], self.dtype, turned=not self.turned))

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(self.shape[0])
        width = math.prod(self.shape[1:])
        return PlainArray(
            self.numbers[start * width : stop * width], (stop - start, *self.shape[1:]), self.dtype
        )

    def reshape(self, shape):
        assert math.prod(shape) == len(self.numbers)
        return PlainArray(self.numbers, shape, self.dtype)

    def rows(self):
        """The rows of a matrix, as lists."""
        count, width = self.shape
        if self.turned:
            return [self.numbers[i::count].tolist() for i in range(count)]
        return [self.numbers[i * width : (i + 1) * width].tolist() for i in range(count)]

    def write(self, values):
        """Put new numbers in place of all."""
        self.numbers[:] = array(self.numbers.format, values)


def each(function, *values):
    """Do a function to the numbers of columns, one after the other; a single number goes with all of them."""
    columns = [value for value in values if isinstance(value, Column)]
    if not columns:
        return function(*map(float, values))
    parts = (value.values if isinstance(value, Column) else repeat(float(value)) for value in values)
    return Column(map(function, *parts), columns[0].dtype)


def operator(function):
    return lambda a, b: each(function, a, b)


def reflected(function):
    return lambda b, a: each(function, a, b)


# As IEEE 754 has them: Python raises errors where it has infinities and NaN.


def divide(a, b):
    if b:
        return a / b
    return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)


def exp(x, function=math.exp):
    try:
        return function(x)
    except OverflowError:
        return math.inf


def log(x):
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


class Column:
    """Numbers of one dtype for a formula: what each operation makes of them is rounded to that dtype."""

    __array_ufunc__ = None  # a number of NumPy's leaves the operators to this class

    def __init__(self, values, dtype):
        self.values, self.dtype = array(CODES[dtype.name], values), dtype

    __add__ = __radd__ = operator(add)
    __mul__ = __rmul__ = operator(mul)
    __sub__, __rsub__ = operator(sub), reflected(sub)
    __truediv__, __rtruediv__ = operator(divide), reflected(divide)
    __gt__, __lt__, __ge__, __le__ = operator(gt), operator(lt), operator(ge), operator(le)
    __eq__, __hash__ = operator(eq), None

    def __neg__(self):
        return each(neg, self)

    def __abs__(self):
        return each(abs, self)


FUNCTIONS = SimpleNamespace(
    finfo=np.finfo,
    exp=partial(each, exp),
    expm1=partial(each, partial(exp, function=math.expm1)),
    log=partial(each, log),
    log1p=partial(each, lambda x: math.log1p(x) if x > -1 else log(1 + x)),
    sqrt=partial(each, lambda x: math.sqrt(x) if x >= 0 else math.nan),
    tanh=partial(each, math.tanh),
    sin=partial(each, lambda x: math.sin(x) if math.isfinite(x) else math.nan),
    cos=partial(each, lambda x: math.cos(x) if math.isfinite(x) else math.nan),
    sign=partial(each, lambda x: x if x != x else (x > 0) - (x < 0)),
    maximum=partial(each, lambda a, b: a if a > b or a != a else b),
    minimum=partial(each, lambda a, b: a if a < b or a != a else b),
    where=partial(each, lambda holds, a, b: a if holds else b),
)
"""The functions of formulas, by the names that they have in NumPy."""


def mix(x, key=0):
    """Return the hash of 32 bits that dropout draws by."""
    x = (((x & 0xFFFFFFFF) ^ (x & 0xFFFFFFFF) >> 16) * 0x7FEB352D + key) & 0xFFFFFFFF
    x = ((x ^ x >> 15) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ x >> 16


def exponentials(row):
    """Return e^z of a row, divided by the largest: they are at most 1."""
    largest = max(row)
    return [math.exp(z - largest) for z in row]


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

    # Memory

    def empty(self, shape, dtype=None):
        # Not empty: whoever reads what was never written is found out.
        dtype = np.dtype(dtype or self.dtype)
        return self._filled(shape, dtype, math.nan if dtype.kind == "f" else -1)

    def zeros(self, shape, dtype=None):
        return self._filled(shape, np.dtype(dtype or self.dtype), 0)

    def _filled(self, shape, dtype, value):
        numbers = memoryview(array(CODES[dtype.name], [value]) * math.prod(shape))
        return PlainArray(numbers, tuple(shape), dtype)

    def from_host(self, array, *, out=None, dtype=None):
        if out is None:
            out = self.zeros(array.shape, dtype)
        if out.shape != array.shape:
            raise ValueError(f"out has shape {out.shape}, the host array {array.shape}.")
        out.write(array.astype(out.dtype).ravel())
        return out

    def share(self, array):
        host = array if isinstance(array, np.ndarray) else np.from_dlpack(array)
        if host.dtype != self.dtype or not host.flags.c_contiguous or not host.size:
            return self.from_host(host)
        return PlainArray(memoryview(host).cast("B").cast(CODES[host.dtype.name]), host.shape, self.dtype)

    def to_host(self, array):
        shape = array.shape[::-1] if array.turned else array.shape
        host = np.frombuffer(array.numbers, array.dtype).reshape(shape)
        return (host.T if array.turned else host).copy()

    def copy(self, source, *, out):
        out.numbers[:] = source.numbers

    def synchronize(self):
        pass

    # The position in the epoch

    def take_rows(self, source, order, cursor, *, out):
        start, width = cursor.numbers[0], math.prod(out.shape[1:])
        for i in range(out.shape[0]):
            row = order.numbers[start + i]
            out.numbers[i * width : (i + 1) * width] = source.numbers[row * width : (row + 1) * width]

    def put_rows(self, values, cursor, *, out):
        start = cursor.numbers[0]
        out.numbers[start : start + len(values.numbers)] = values.numbers

    def advance(self, cursor, by):
        cursor.numbers[0] += by

    # Layers

    def matmul(self, a, b, *, out):
        columns = b.T.rows()
        out.write([sum(map(mul, row, column)) for row in a.rows() for column in columns])

    def bias_activation(self, z, bias, activation, *, out, kept=None):
        total = self._column(map(add, z.numbers, repeat(0) if bias is None else cycle(bias.numbers)))
        value = self._evaluated(activation.value, {"z": total}, len(z.numbers))
        out.write(value)
        if kept is not None:
            kept.write(total.values)

    def activation_backward(self, gradient, point, activation, *, out, bias_gradient):
        at = self._column(point.numbers)
        slope = self._evaluated(activation.slope, {"y": at, "z": at}, len(point.numbers))
        out.write(map(mul, gradient.numbers, slope))
        units = out.shape[1]
        bias_gradient.write(sum(out.numbers[j::units]) for j in range(units))

    def dropout(self, values, rate, seed, step, *, out):
        a = mix(seed ^ mix(step.numbers[0]))
        b, least = mix(a ^ seed), int(rate * 2**32)
        out.write(x / (1 - rate) if mix(i ^ a, b) >= least else 0 for i, x in enumerate(values.numbers))

    # Losses

    def loss_of_rows(self, output, target, row_weights, loss, factor, *, losses, gradient):
        rows, outputs = output.shape
        at = {"y": self._column(output.numbers), "t": self._column(target.numbers)}
        terms = self._evaluated(loss.term, at, rows * outputs)
        slopes = self._evaluated(loss.slope, at, rows * outputs)
        losses.write(factor * sum(terms[i * outputs : (i + 1) * outputs]) for i in range(rows))
        weights = [weight for weight in row_weights.numbers for _ in range(outputs)]
        gradient.write(factor * weight * slope for weight, slope in zip(weights, slopes, strict=True))

    def softmax_cross_entropy(self, logits, labels, row_weights, *, losses, gradient):
        found, slopes = [], []
        for z, label, weight in zip(logits.rows(), labels.numbers, row_weights.numbers, strict=True):
            e = exponentials(z)
            found.append(log(sum(e)) - (z[label] - max(z)))
            slopes += [weight * (each / sum(e) - (j == label)) for j, each in enumerate(e)]
        losses.write(found)
        gradient.write(slopes)

    # Predictions, and which rows are right

    def softmax(self, logits, *, out):
        out.write(each / total for e in map(exponentials, logits.rows()) for total in [sum(e)] for each in e)

    def argmax_equals(self, scores, labels, *, out):
        rows = zip(scores.rows(), labels.numbers, strict=True)
        out.write(row.index(max(row)) == label for row, label in rows)

    def threshold_equals(self, scores, target, score_threshold, target_threshold, *, out):
        rows = zip(scores.rows(), target.rows(), strict=True)
        out.write(
            all((s > score_threshold) == (t > target_threshold) for s, t in zip(ours, theirs, strict=True))
            for ours, theirs in rows
        )

    # Updates

    def sum_squares(self, array, *, out):
        out.write([sum(map(mul, array.numbers, array.numbers))])

    def clip_norm(self, gradients, limit, *, norm):
        norm.write([math.sqrt(sum(map(mul, gradients.numbers, gradients.numbers)))])
        length = norm.numbers[0]
        if limit < length < math.inf:
            gradients.write(g * (limit / length) for g in gradients.numbers)

    def update(self, values, gradients, moments, settings, formula, *, decay_ranges):
        *chosen, decay = settings.numbers
        g, count = gradients.numbers.tolist(), len(values.numbers)
        for start, stop in decay_ranges if decay else ():
            for i in range(start, stop):
                g[i] += decay * values.numbers[i]
        at = {"w": self._column(values.numbers), "g": self._column(g)}
        at |= dict(zip(formula.settings, chosen, strict=True))
        at |= {name: self._column(moments[i : i + 1].numbers) for i, (name, _) in enumerate(formula.moments)}
        new = {name: self._evaluated(each, at, count) for name, each in formula.results.items()}
        for i, (name, _) in enumerate(formula.moments):
            moments[i : i + 1].write(new[name])
        values.write(new["w"])

    def _column(self, numbers):
        return Column(numbers, self.dtype)

    def _evaluated(self, expression, at, count):
        """Return so many values of a formula; one that has no variable is a number."""
        value = evaluate(expression, at, FUNCTIONS)
        return value.values if isinstance(value, Column) else [value] * count

    # Several processes, and steps again and again

    def all_reduce(self, array, world):
        world.add(np.frombuffer(array.numbers, array.dtype))

    def compile(self, program):
        return replay_by_calling(self, program)

    def session(self, programs):
        return nullcontext()
