"""A step as the structs that the library is told it by."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from fuseprop.backend import HostArray

from . import interface
from .formulas import Encoded, Kernels, encode_activation, encode_loss, encode_update
from .step import Gathered, Layer, Task, TrainingStep

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
    """A step in the terms of a library that has these kernels.

    Attributes
    ----------
    struct : interface.StepSpec
        It points to the step's arrays, and to memory that this object holds.

    Raises CannotCompute for a formula that the library cannot compute.
    """

    def __init__(self, step: TrainingStep, dtype: np.dtype[Any], kernels: Kernels) -> None:
        self._dtype, self._kernels = dtype, kernels
        self._held: list[Any] = [step]
        self.struct = self._step(step)

    def _step(self, step: TrainingStep) -> interface.StepSpec:
        clip, hits = step.clip, step.hits
        struct = interface.StepSpec(
            rows=step.rows,
            layer_count=len(step.layers),
            values=address(step.values),
            gradients=address(step.gradients),
            moments=address(step.moments),
            parameter_count=step.values.size,
            moment_count=len(step.moments),
            x=_gather(step.x),
            target=_gather(None if step.loss is None else step.target),
            labels=_gather(step.target if step.loss is None else step.labels),
            row_weights=_gather(step.row_weights),
            dropout_step=address(step.dropout_step),
            loss_kind=interface.SOFTMAX_CROSS_ENTROPY if step.loss is None else interface.LOSS_OF_ROWS,
            factor=step.factor,
            losses=address(step.losses),
            hit_kind=interface.NO_HITS if hits is None else HITS[hits.operation],
            score_threshold=0.0 if hits is None else hits.score_threshold,
            target_threshold=0.0 if hits is None else hits.target_threshold,
            hits=None if hits is None else address(hits.out),
            outputs=address(step.outputs),
            update=self._formula(encode_update(step.update, self._dtype, self._kernels)),
            settings=address(step.settings),
            setting_count=step.settings.size - 1,
            clips=clip is not None,
            limit=0.0 if clip is None else clip.limit,
            norm=None if clip is None else address(clip.norm),
            stores_values=step.reads_values,
            stores_gradients=step.reads_gradients,
            before_count=len(step.before),
            after_count=len(step.after),
        )
        struct.layers = self._array(interface.LayerSpec, [self._layer(layer) for layer in step.layers])
        if step.loss is not None:
            struct.loss = self._formula(encode_loss(step.loss, self._dtype, self._kernels))
        struct.before = self._array(interface.Chore, [_chore(task) for task in step.before])
        struct.after = self._array(interface.Chore, [_chore(task) for task in step.after])
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
        )

    def _formula(self, encoded: Encoded) -> interface.Formula:
        self._held.append(encoded)
        constants, code = encoded.constants, encoded.code
        return interface.Formula(
            kernel=encoded.kernel,
            constants=address(constants),
            constant_count=constants.size,
            code=address(code),
            code_length=code.size,
        )

    def _array(self, kind: type[Any], structs: Sequence[Any]) -> Any:
        array = (kind * len(structs))(*structs)
        self._held.append(array)
        return ctypes.cast(array, ctypes.POINTER(kind))


def address(array: HostArray | None) -> int | None:
    """Return where an array is; None for none."""
    return None if array is None else array.ctypes.data


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
