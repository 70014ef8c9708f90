"""A step as the structs that the library is told it by."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, span

from . import interface
from .formulas import Encoded, Kernels, encode_activation, encode_loss, encode_update
from .forward import ForwardPass, Role
from .step import Gathered, Hits, Layer, Task, TrainingStep

TASKS = {
    "take_rows": interface.TAKE_ROWS,
    "put_rows": interface.PUT_ROWS,
    "advance": interface.ADVANCE,
    "sum_squares": interface.SUM_SQUARES,
    "copy": interface.COPY,
}

HITS = {
    "argmax_equals": interface.ARGMAX_EQUALS,
    "threshold_equals": interface.THRESHOLD_EQUALS,
}


class Specification:
    """A step, or a forward pass, in the terms of a library that has these kernels.

    Attributes
    ----------
    struct : interface.StepSpec
        It points to the step's arrays, and to memory that this object holds.

    Raises CannotCompute for a formula that the library cannot compute.
    """

    def __init__(self, step: TrainingStep | ForwardPass, dtype: np.dtype[Any], kernels: Kernels) -> None:
        self._dtype, self._kernels = dtype, kernels
        self._held: list[Any] = [step]
        self.struct = self._forward(step) if isinstance(step, ForwardPass) else self._step(step)

    def _step(self, step: TrainingStep) -> interface.StepSpec:
        clip, hits = step.clip, step.hits
        struct = interface.StepSpec(
            kind=interface.TRAINING if step.update is not None else interface.GRADIENT,
            rows=step.rows,
            layer_count=len(step.layers),
            values=address(step.values),
            gradients=address(step.gradients),
            parameter_count=step.values.size,
            x=_gather(step.x),
            target=_gather(None if step.loss is None else step.target),
            labels=_gather(step.target if step.loss is None else step.labels),
            row_weights=_gather(step.row_weights),
            dropout_step=address(step.dropout_step),
            loss_kind=interface.SOFTMAX_CROSS_ENTROPY if step.loss is None else interface.LOSS_OF_ROWS,
            factor=step.factor,
            losses=address(step.losses),
            hits=None if hits is None else address(hits.out),
            clips=clip is not None,
            limit=0.0 if clip is None else clip.limit,
            norm=None if clip is None else address(clip.norm),
            reduces=step.world is not None,
            stores_values=step.reads_values,
            stores_gradients=step.reads_gradients,
            before_count=len(step.before),
            after_count=len(step.after),
            **_hits(hits),
        )
        struct.layers = self._array(interface.LayerSpec, [self._layer(layer) for layer in step.layers])
        if step.update is not None:
            moments, settings = step.update.moments, step.update.settings
            struct.moments, struct.moment_count = address(moments), len(moments)
            struct.settings, struct.setting_count = address(settings), settings.size - 1
            struct.update = self._formula(encode_update(step.update.formula, self._dtype, self._kernels))
        if step.loss is not None:
            struct.loss = self._formula(encode_loss(step.loss, self._dtype, self._kernels))
        struct.before = self._array(interface.Chore, [_chore(task) for task in step.before])
        struct.after = self._array(interface.Chore, [_chore(task) for task in step.after])
        return struct

    def _forward(self, forward: ForwardPass) -> interface.StepSpec:
        roles: dict[Role, HostArray] = dict(zip(forward.given, forward.like, strict=True))
        by_label = forward.loss is None and "losses" in roles
        struct = interface.StepSpec(
            kind=interface.FORWARD,
            layer_count=len(forward.layers),
            values=address(forward.values),
            x=_rows(roles["x"]),
            target=_rows(roles.get("target")),
            labels=_rows(roles.get("labels")),
            loss_kind=interface.SOFTMAX_CROSS_ENTROPY if by_label else interface.LOSS_OF_ROWS,
            factor=forward.factor,
            losses=address(roles.get("losses")),
            hits=address(roles.get("hits")),
            outputs=address(roles.get("outputs")),
            **_hits(forward.hits),
        )
        struct.layers = self._array(interface.LayerSpec, [self._layer(layer) for layer in forward.layers])
        if forward.loss is not None:
            struct.loss = self._formula(encode_loss(forward.loss, self._dtype, self._kernels))
        if forward.link == "softmax":
            struct.link_kind = interface.SOFTMAX
        elif forward.link is not None:
            value, _ = encode_activation(forward.link, self._dtype, self._kernels)
            struct.link_kind, struct.link = interface.FORMULA, self._formula(value)
        return struct

    def _layer(self, layer: Layer) -> interface.LayerSpec:
        formula, drops = layer.activation, layer.drops
        value, slope = encode_activation(formula, self._dtype, self._kernels)
        return interface.LayerSpec(
            inputs=layer.inputs,
            outputs=layer.outputs,
            offset=layer.offset,
            decays=layer.decays,
            value=self._formula(value),
            slope=self._formula(slope),
            is_identity=formula.is_identity,
            slope_of_sum=formula.slope_of == "z",
            drops=drops is not None,
            rate=0.0 if drops is None else drops.rate,
            seed=0 if drops is None else drops.seed,
            kept_sums=address(layer.kept_sums),
            kept_outputs=address(layer.kept_outputs),
            kept_deltas=address(layer.kept_deltas),
        )

    def _formula(self, encoded: Encoded) -> interface.Formula:
        self._held.append(encoded)
        return interface.Formula(*encoded.fields)

    def _array(self, kind: type[Any], structs: Sequence[Any]) -> Any:
        array = (kind * len(structs))(*structs)
        self._held.append(array)
        return ctypes.cast(array, ctypes.POINTER(kind))


def address(array: HostArray | None) -> int | None:
    """Return where an array that lies in memory row after row is; None for none."""
    return None if array is None else span(array).start or array.ctypes.data  # an empty one spans nothing


def _hits(hits: Hits | None) -> dict[str, Any]:
    if hits is None:
        return {"hit_kind": interface.NO_HITS}
    return {
        "hit_kind": HITS[hits.operation],
        "score_threshold": hits.score_threshold,
        "target_threshold": hits.target_threshold,
    }


def _rows(array: HostArray | None) -> interface.Gather:
    """Return rows that come one after the other."""
    if array is None:
        return interface.Gather()
    return interface.Gather(source=address(array), width=array[0].size)


def _gather(gathered: Gathered | None) -> interface.Gather:
    if gathered is None:
        return interface.Gather()
    source = gathered.source
    return interface.Gather(
        source=address(source),
        order=address(gathered.order),
        cursor=address(gathered.cursor),
        width=source[0].size,
    )


def _chore(task: Task) -> interface.Chore:
    of, operation = task.arguments, task.operation
    number = TASKS[operation]
    cursor, out = address(of.get("cursor")), address(of.get("out"))
    match operation:
        case "advance":
            return interface.Chore(task=number, rows=int(of["by"]), cursor=cursor)
        case "sum_squares":
            source = of["array"]
            return interface.Chore(
                task=number, rows=source.size, bytes=source.itemsize, source=address(source), out=out
            )
        case "put_rows":
            source = rows = of["values"]
        case "take_rows":
            source, rows = of["source"], of["out"]
        case _:
            source = rows = of["source"]
    return interface.Chore(
        task=number,
        rows=len(rows),
        bytes=rows.nbytes // len(rows) if len(rows) else 0,
        source=address(source),
        order=address(of.get("order")),
        cursor=cursor,
        out=out,
    )
