"""A program recognised as a training step, or as one that learns nothing from its gradients.

The step's own calls are found by their arrays. Whatever is left must be a task that can be done before the
step or after it: see `placing`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Program, UpdateFormula

from .calls import Calls, Found
from .finding import Finder, Passed, formula_of, spanned
from .placing import place
from .resting import keeps_zeros
from .step import Clip, TrainingStep, UnknownStepError


def recognise(program: Program, dtype: np.dtype[Any]) -> TrainingStep:
    """Return what a program is as a training step.

    Raises UnknownStepError where it is none, or one of which a library that takes a step as a whole would
    leave other numbers than its calls.
    """
    return _Recognition(Calls(program, dtype)).step()


@dataclass(frozen=True)
class _Learned:
    """The update of a step."""

    call: Found
    values: HostArray
    gradients: HostArray
    moments: HostArray
    settings: HostArray
    formula: UpdateFormula


class _Recognition(Finder):
    def step(self) -> TrainingStep:
        calls, parts = self.calls, self.parts
        update = self._update()
        loss = self.judged()
        if loss is None:
            raise UnknownStepError("the loss is computed by no calls instead of one.")
        passed, forward = self.forward(loss.logits)
        gradients_of, backward = self._backward(passed, loss.gradient)
        if update is None:
            flat = spanned([array for layer in passed for array in (layer.weights, layer.bias)])
            gradients = spanned([array for pair in gradients_of for array in pair])
        else:
            flat, gradients = update.values, update.gradients
        layers = self.layers(passed, flat, () if update is None else update.call.arguments["decay_ranges"])
        inside = sum((layer.inputs + 1) * layer.outputs for layer in layers)
        if update is not None and inside < flat.size and not keeps_zeros(update.formula):
            raise UnknownStepError("the update changes numbers of 0 that have gradients of 0.")
        hits, labels, counting = self.hits(loss.logits, loss.target)
        for layer, pair in zip(layers, gradients_of, strict=True):
            if self.offset(gradients, *pair) != layer.offset:
                raise UnknownStepError("the gradients do not lie as the parameters do.")
        clip, clipping = (None, []) if update is None else self._clip(update.gradients)

        if update is None:
            values = calls.memory(*(array for layer in passed for array in (layer.weights, layer.bias)))
            of_gradients = calls.memory(*(array for pair in gradients_of for array in pair))
            moments = 0
            parts.read("the parameters", values)
        else:
            values, of_gradients = calls.memory(update.values), calls.memory(update.gradients)
            moments = calls.memory(update.moments)
            parts.write("the parameters", values)
            if update.moments.size:
                parts.write("the moments", moments)
            parts.read("the settings", calls.memory(update.settings))
        parts.write("the gradients", of_gradients)
        parts.write("the losses", calls.memory(loss.losses))
        if hits is not None:
            parts.write("the hits", calls.memory(hits.out))
        if clip is not None:
            parts.write("the norm", calls.memory(clip.norm))

        gathers: list[Found] = []
        x, target, labels_of_rows, row_weights = (
            None if array is None else self.gathered(array, what, gathers)
            for array, what in (
                (passed[0].x, "the inputs"),
                (loss.target, "the targets"),
                (labels, "the labels"),
                (loss.row_weights, "the row weights"),
            )
        )
        assert x is not None
        assert target is not None
        assert row_weights is not None
        if self.dropout_step is not None:
            parts.read("the number of the step", calls.memory(self.dropout_step))
        kept = self.kept()
        updating = [] if update is None else [update.call]
        core = [*gathers, *forward, loss.call, *counting, *backward, *clipping, *updating]
        placed = place(calls, core, parts, values=values, gradients=of_gradients, moments=moments)
        return TrainingStep(
            rows=len(loss.logits),
            layers=[
                replace(layer, **kept[id(arrays)]) if id(arrays) in kept else layer
                for layer, arrays in zip(layers, passed, strict=True)
            ],
            values=flat,
            gradients=gradients,
            moments=None if update is None else update.moments,
            settings=None if update is None else update.settings,
            update=None if update is None else update.formula,
            clip=clip,
            x=x,
            target=target,
            labels=labels_of_rows,
            row_weights=row_weights,
            loss=loss.formula,
            factor=loss.factor,
            losses=loss.losses,
            hits=hits,
            dropout_step=self.dropout_step,
            reads_values=placed.reads_values,
            reads_gradients=placed.reads_gradients,
            before=placed.before,
            after=placed.after,
            held=[array for layer in passed for array in (layer.weights, layer.bias)]
            + [array for pair in gradients_of for array in pair],
        )

    def _update(self) -> _Learned | None:
        """Return the update; None for a step that learns nothing."""
        calls = self.calls
        found = [each for each in calls.left if each.operation == "update"]
        if not found:
            return None
        call = calls.take("the update of the parameters", found)
        of = call.arguments
        values = of["values"]
        size = values.size
        formula = formula_of(of["formula"], UpdateFormula)
        return _Learned(
            call,
            calls.numbers(values, (size,), "the array of all parameters"),
            calls.numbers(of["gradients"], (size,), "the array of all gradients"),
            calls.numbers(of["moments"], (len(formula.moments), size), "the array of all moments"),
            calls.numbers(of["settings"], (len(formula.settings) + 1,), "the array of settings"),
            formula,
        )

    # Backward

    def _backward(
        self, passed: list[Passed], gradient: HostArray
    ) -> tuple[list[tuple[HostArray, HostArray]], list[Found]]:
        """Return the gradients of each layer's weights and bias, and the calls from the last outputs' on."""
        calls, parts = self.calls, self.parts
        gradients: list[tuple[HostArray, HostArray]] = []
        made: list[Found] = []
        for i in reversed(range(len(passed))):
            layer = passed[i]
            shape = layer.output.shape
            calls.numbers(gradient, shape, "a gradient of outputs")
            back = calls.take("a gradient", calls.matching("activation_backward", gradient=gradient))
            of = back.arguments
            delta = calls.numbers(of["out"], shape, "a gradient of weighted sums")
            if not calls.same(delta, gradient):
                parts.intermediate("the gradients of outputs", calls.memory(gradient))
            self.shown.append((layer, "deltas", "the gradients of weighted sums", delta))
            self._check_slope(layer, of["activation"], of["point"])
            of_bias = calls.numbers(of["bias_gradient"], (shape[1],), "the gradient of a bias")

            products = [
                each
                for each in calls.matching("matmul", b=delta)
                if calls.is_transposed(each.arguments["a"], layer.x)
            ]
            product = calls.take("the gradient of weights", products)
            of_weights = calls.numbers(product.arguments["out"], layer.weights.shape, "a gradient of weights")
            gradients.insert(0, (of_weights, of_bias))
            made += [back, product]
            if i == 0:
                break

            products = [
                each
                for each in calls.matching("matmul", a=delta)
                if calls.is_transposed(each.arguments["b"], layer.weights)
            ]
            below = calls.take("the gradient by a layer's input", products)
            gradient = below.arguments["out"]
            made.append(below)
            drops = passed[i - 1].drops
            if drops is not None:
                dropout = calls.take(
                    "what dropout leaves of a gradient", calls.matching("dropout", values=gradient)
                )
                if self.drops(dropout) != drops:
                    raise UnknownStepError("a gradient is dropped by another mask than the outputs.")
                left = dropout.arguments["out"]
                if not calls.same(left, gradient):
                    parts.intermediate("the gradients of outputs before dropout", calls.memory(gradient))
                gradient = left
                made.append(dropout)
        return gradients, made

    def _check_slope(self, layer: Passed, activation: Any, point: Any) -> None:
        if activation != layer.activation:
            raise UnknownStepError("a slope is another activation's than that of its layer.")
        if activation.slope_of is None:
            return
        if activation.slope_of == "y":
            right = self.calls.same(layer.output, point)
        else:
            right = layer.kept is not None and self.calls.same(layer.kept, point)
        if not right:
            raise UnknownStepError("a slope is taken at other numbers than those of its layer.")

    def _clip(self, gradients: HostArray) -> tuple[Clip | None, list[Found]]:
        clipping = [each for each in self.calls.left if each.operation == "clip_norm"]
        if not clipping:
            return None, []
        found = self.calls.take(
            "the clipped gradient",
            [each for each in clipping if self.calls.same(gradients, each.arguments["gradients"])],
        )
        norm = self.calls.numbers(found.arguments["norm"], (1,), "the norm")
        return Clip(float(found.arguments["limit"]), norm), [found]
