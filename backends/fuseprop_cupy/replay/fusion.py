"""The first stage: rewrite a program to fewer calls with the same results, each of which is one launch.

The calls that replace several are those of `FusedOperations`. A call that fits none of them stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from fuseprop.backend import INTEGER, Call, Program, overlaps, span, touches

from ..device.shapes import Array
from ..operations.fused import KEEP_LOSSES, TAKE_BATCH, UPDATE_AND_ADVANCE


def fuse(program: Program) -> Program:
    """Return a program with the same results in fewer calls."""
    calls = _with_batches_taken(list(program.calls))
    calls = _with_losses_kept(calls, program.scratch)
    calls = _with_bias_left_to_loss(calls, program.scratch)
    return replace(program, calls=tuple(_with_cursors_advanced(calls)))


def _with_batches_taken(calls: list[Call]) -> list[Call]:
    """Replace consecutive gathers by the same order at the same cursor with `take_batch`."""

    def order_and_cursor(call: Call) -> object:
        return tuple(map(span, call.operands[1:])) if call.operation == "take_rows" else id(call)

    fused: list[Call] = []
    for _, group in groupby(calls, order_and_cursor):
        same = list(group)
        fused += [_batch(same)] if _fit_one_launch(same) else same
    return fused


def _fit_one_launch(calls: Sequence[Call]) -> bool:
    """Whether one launch can do these gathers: x, perhaps other floats, perhaps labels, in this order.

    None may write memory that another reads.
    """
    kinds = [call.operands[0].dtype == INTEGER for call in calls]
    if len(calls) < 2 or kinds not in ([False, False], [False, True], [False, False, True]):
        return False
    if kinds[-1] and calls[-1].operands[0].ndim != 1:
        return False
    read = [array for call in calls for array in call.reads]
    return not any(overlaps(array, read) for call in calls for array in call.writes)


def _batch(calls: Sequence[Call]) -> Call:
    _, order, cursor = calls[0].operands
    sources = tuple(call.operands[0] for call in calls)
    outs = tuple(call.options["out"] for call in calls)
    return Call("take_batch", (order, cursor, sources), {"outs": outs}, TAKE_BATCH)


def _with_losses_kept(calls: list[Call], scratch: Sequence[Array]) -> list[Call]:
    """Replace a loss, the hits of its rows, and the puts of both at the cursor with `keep_losses`."""
    for i, loss in enumerate(calls):
        if "losses" not in loss.options:
            continue
        metric = calls[i + 1] if i + 1 < len(calls) and _of_same_rows(loss, calls[i + 1]) else None
        for chosen in (metric, None) if metric else (None,):
            made = _kept(calls, i, chosen, scratch)
            if made is not None:
                return made
    return calls


def _of_same_rows(loss: Call, metric: Call) -> bool:
    """Whether a call is a metric of this loss's output, by targets that the loss's kernel can read."""
    if metric.operation not in ("argmax_equals", "threshold_equals"):
        return False
    same_output = span(metric.operands[0]) == span(loss.operands[0])
    same_target = span(metric.operands[1]) == span(loss.operands[1])
    if loss.operation == "softmax_cross_entropy":
        return same_output and same_target and metric.operation == "argmax_equals"
    return same_output and (same_target or metric.operation == "argmax_equals")


def _kept(calls: list[Call], i: int, metric: Call | None, scratch: Sequence[Array]) -> list[Call] | None:
    """Return the calls with the loss at i fused; None if another call reads these losses or hits.

    None too if one of them is no scratch array, or if they are not put once each, at one cursor that no call
    in between changes.
    """
    loss = calls[i]
    batch = [loss.options["losses"], *([metric.options["out"]] if metric else [])]
    if not all(overlaps(array, scratch) for array in batch):
        return None
    puts = []
    for array in batch:
        found = [
            call for call in calls if call.operation == "put_rows" and span(call.operands[0]) == span(array)
        ]
        if len(found) != 1:
            return None
        puts += found
    cursor = puts[0].operands[1]
    if any(span(put.operands[1]) != span(cursor) for put in puts):
        return None
    done = [loss, *([metric] if metric else []), *puts]
    places = [j for j, call in enumerate(calls) if any(call is each for each in done)]
    others = [(j, call) for j, call in enumerate(calls) if j not in places]
    if places[0] != i or any(touches(call, [span(array) for array in batch]) for _, call in others):
        return None
    kept = [put.options["out"] for put in puts]
    for j, call in others:
        moved_past = i < j < places[-1]
        if moved_past and (touches(call, [span(array) for array in kept]) or overlaps(cursor, call.writes)):
            return None
    options = {"losses": kept[0], "hits": kept[1] if metric else None}
    fused = Call("keep_losses", (loss, metric, cursor), options, KEEP_LOSSES)
    return [fused if j == i else call for j, call in enumerate(calls) if j == i or j not in places]


def _with_bias_left_to_loss(calls: list[Call], scratch: Sequence[Array]) -> list[Call]:
    """Let `keep_losses` add the last layer's bias, if no other call reads the sum and that is scratch."""
    for i, add in enumerate(calls):
        if add.operation != "bias_activation" or not add.operands[2].is_identity:
            continue
        z, bias, _ = add.operands
        readers = [call for call in calls[i + 1 :] if touches(call, [span(z)])]
        if (
            bias is not None
            and span(add.options["out"]) == span(z)
            and add.options.get("kept") is None
            and overlaps(z, scratch)
            and [call.operation for call in readers] == ["keep_losses"]
        ):
            loss = readers[0]
            adding = replace(loss, options={**loss.options, "bias": bias})
            return [adding if call is loss else call for call in calls if call is not add]
    return calls


def _with_cursors_advanced(calls: list[Call]) -> list[Call]:
    """Replace an update, and an advance of a cursor after it or else before it, with `update_and_advance`."""
    for i, update in enumerate(calls):
        if update.operation != "update":
            continue
        for j in (*range(i + 1, len(calls)), *reversed(range(i))):
            advance = calls[j]
            if advance.operation != "advance":
                continue
            cursor, by = advance.operands
            if any(touches(call, [span(cursor)]) for call in (calls[i:j] if j > i else calls[j + 1 : i + 1])):
                continue
            fused = Call("update_and_advance", (update, cursor, by), {}, UPDATE_AND_ADVANCE)
            return [fused if k == i else call for k, call in enumerate(calls) if k != j]
    return calls
