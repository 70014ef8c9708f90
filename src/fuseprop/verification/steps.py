"""The steps of a case on two backends, each from the state in which the reference begins it.

A step is taken in two ways. By its calls, one after the other, every array that a call writes is compared:
the rows, each layer's sums and outputs, losses, gradients, moments, weights. By its replay, which is the step
that users run, all that it leaves is compared; what is scratch it may leave as it likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backend import Call, HostArray
from ..backend.parity import Difference, bounds, furthest
from .side import Side
from .tensors import Part

SENT, CALLS, REPLAY = "as sent", "calls", "replay"
AT_ONCE, FORWARD, WATCHED = "many steps in a call", "forward pass", "watched"
"""How what is compared was computed."""


class Measured(NamedTuple):
    """One tensor of one step, compared.

    Attributes
    ----------
    how : str
        `CALLS`, `REPLAY`, ...
    step : int
        Counted from 1; 0 for what belongs to none.
    operation : str
        The call that wrote it.
    tensor : str
    difference : Difference
    from_truth : (float, float), or None
        How far both, the verified one first, are from the same in float64, in units of the bound.
    """

    how: str
    step: int
    operation: str
    tensor: str
    difference: Difference
    from_truth: tuple[float, float] | None = None


def compared_steps(ours: Side, reference: Side, truth: Side | None, seed: int) -> Iterator[Measured]:
    """Take all steps of a case, and yield what was compared, in the order in which it was computed.

    `truth` is the case in float64, to which both are near. The reference ends with the state of its own
    steps, and so does `ours`, whose own steps are taken back.
    """
    taken = 0
    sides = [ours, reference, *([] if truth is None else [truth])]
    for order in reference.orders(seed):
        for side in sides:
            side.begin(order)
        yield from _sent(ours, reference, taken + 1)
        unclear = np.zeros(reference.case.rows, bool)
        for number, rows in enumerate(reference.sizes):
            if taken == reference.case.steps:
                return
            taken += 1
            places = [side.tensors[rows] for side in sides]
            before = reference.read(places[1].left)
            for side, place in zip(sides, places, strict=True):
                side.write(place.left, before)
            if truth is not None:
                truth.write(places[2].read, reference.read(places[1].read))
            start = sum(reference.sizes[:number])
            for measured, doubtful in _by_calls(sides, rows, taken):
                unclear[start : start + rows] |= doubtful
                yield measured
            ours.write(places[0].left, before)
            ours.replay(number)
            yield from _left(sides, rows, taken, unclear)
            ours.write(places[0].left, reference.read(places[1].left))
        for side in sides:
            side.end()


def compared_divisions(one: Side, many: Side, seed: int) -> Iterator[Measured]:
    """Take all steps of a case on one backend, one in a call and many in a call: equal bits, or not."""
    taken = 0
    for order in one.orders(seed):
        for side in (one, many):
            side.begin(order)
        for number in range(len(one.sizes)):
            one.replay(number)
        many.take_all()
        taken += len(one.sizes)
        rows = one.sizes[0]
        for a, b in zip(_parts_left(many, rows), _parts_left(one, rows), strict=True):
            yield Measured(AT_ONCE, taken, "", a.name, _bits_apart(a.values, b.values))
        for side in (one, many):
            side.end()


def compared_predictions(ours: Side, reference: Side, seed: int) -> Iterator[Measured]:
    """Predict and score the rows of a case with the reference's weights."""
    X, target, weights = reference.case.data(ours.backend.dtype, seed)
    found = []
    with np.errstate(all="ignore"):
        for side in (ours, reference):
            side.network.set_weights(reference.network.weights())
            predicted = side.network.predict(X)
            found.append((predicted, side.network.evaluate(X, target, weights)))
    (predicted, scores), (wanted, wanted_scores) = found
    dtype = ours.backend.dtype
    yield Measured(FORWARD, 0, "predict", "predictions", furthest(predicted, wanted, dtype))
    decides = next((call for call in reference.programs[reference.sizes[0]].calls if _decides(call)), None)
    for name, score in wanted_scores.items():
        if decides is not None and name == reference.epoch.metric.name:
            outputs = reference.network.forward(X)
            share = _unclear(decides, outputs, dtype).mean()
            if abs(scores[name] - score) <= share:
                continue
        yield Measured(FORWARD, 0, "evaluate", name, furthest([scores[name]], [score], dtype))


def compared_squares(ours: Side, reference: Side) -> Iterator[Measured]:
    """Compare the sum that tells whether all weights are finite, and by layers their norms."""
    found = []
    for side in (ours, reference):
        side.network.set_weights(reference.network.weights())
        square = side.backend.empty((1,))
        side.backend.sum_squares(side.network.stack.parameters.values, out=square)
        found.append(side.backend.to_host(square))
    name, dtype = "sum of the squares of all weights", ours.backend.dtype
    yield Measured(WATCHED, 0, "sum_squares", name, furthest(found[0], found[1], dtype))


def _sent(ours: Side, reference: Side, step: int) -> Iterator[Measured]:
    """Compare what a step reads and the host has sent."""
    for rows in dict.fromkeys(reference.sizes):
        mine, theirs = ours.tensors[rows], reference.tensors[rows]
        for a, b in zip(mine.read, theirs.read, strict=True):
            yield from _compared(
                ours,
                mine.parts(a, ours.backend.to_host(a)),
                theirs.parts(b, reference.backend.to_host(b)),
                SENT,
                step,
            )


def _by_calls(sides: list[Side], rows: int, step: int) -> Iterator[tuple[Measured, NDArray[np.bool_]]]:
    """Make the calls of a step on all sides; yield what each wrote, and which rows' decisions are unclear."""
    ours, reference = sides[:2]
    places = [side.tensors[rows] for side in sides]
    for calls in zip(*(place.program.calls for place in places), strict=True):
        doubtful = np.zeros(rows, bool)
        if _decides(calls[1]):
            scores = reference.backend.to_host(calls[1].operands[0])
            doubtful = _unclear(calls[1], scores, ours.backend.dtype)
        for side, call in zip(sides, calls, strict=True):
            side.call(call)
        written = zip(*(place.written(call) for place, call in zip(places, calls, strict=True)), strict=True)
        for arrays in written:
            values = [side.backend.to_host(array) for side, array in zip(sides, arrays, strict=True)]
            if doubtful.any():  # for the calls that read them too
                for side, array, value in zip(sides, arrays, values, strict=True):
                    value[doubtful] = values[1][doubtful]
                    side.write([array], [value])
            found = zip(places, arrays, values, calls, strict=True)
            parts = [list(place.parts(array, value, call)) for place, array, value, call in found]
            operation = calls[1].operation
            for measured in _compared(ours, parts[0], parts[1], CALLS, step, operation, *parts[2:]):
                yield measured, doubtful


def _left(sides: list[Side], rows: int, step: int, unclear: NDArray[np.bool_]) -> Iterator[Measured]:
    """Compare what a replay left with what the calls of the reference did."""
    mine, wanted, *true = (_parts_left(side, rows) for side in sides)
    for part, reference in zip(mine, wanted, strict=True):
        if part.what == "hits of the epoch":
            part.values[unclear] = reference.values[unclear]
    yield from _compared(sides[0], mine, wanted, REPLAY, step, "", *true)


def _parts_left(side: Side, rows: int) -> list[Part]:
    """Return what a step has left, in the order in which it was computed."""
    place = side.tensors[rows]
    read = zip(place.left, side.read(place.left), strict=True)
    return place.in_turn([part for array, values in read for part in place.parts(array, values)])


def _compared(
    ours: Side,
    mine: Iterator[Part] | list[Part],
    theirs: Iterator[Part] | list[Part],
    how: str,
    step: int,
    operation: str = "",
    true: list[Part] | None = None,
) -> Iterator[Measured]:
    dtype = ours.backend.dtype
    for i, (part, wanted) in enumerate(zip(mine, theirs, strict=True)):
        from_truth = None
        if true is not None:
            exact = true[i].values
            distances = [furthest(each.values, exact, dtype).excess for each in (part, wanted)]
            from_truth = distances[0], distances[1]
        difference = furthest(part.values, wanted.values, dtype)
        yield Measured(how, step, operation, part.name, difference, from_truth)


def _decides(call: Call) -> bool:
    return call.operation in ("argmax_equals", "threshold_equals")


def _unclear(call: Call, scores: HostArray, dtype: np.dtype[np.floating]) -> NDArray[np.bool_]:
    """Return of which rows (n,) the decision lies within the bound: there both decisions are right."""
    if call.operation == "argmax_equals":
        second, first = np.moveaxis(np.partition(scores, -2, axis=1)[:, -2:], 1, 0)
        return np.asarray(first - second <= 2 * bounds(first, dtype))
    threshold = call.operands[2]
    return np.asarray((np.abs(scores - threshold) <= bounds(scores, dtype)).any(axis=1))


def _bits_apart(actual: HostArray, expected: HostArray) -> Difference:
    """Return the first element whose bits differ, as beyond a bound of 0; of equal bits the first of all."""
    differs = (actual != expected) & ~(np.isnan(actual) & np.isnan(expected))
    index = tuple(map(int, np.unravel_index(differs.argmax(), differs.shape)))
    excess = float("inf") if differs[index] else 0.0
    return Difference(index, float(actual[index]), float(expected[index]), 0.0, excess)
