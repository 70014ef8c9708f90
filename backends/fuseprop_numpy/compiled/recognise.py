"""A program recognised as a training step, or as one that learns nothing from its gradients.

The step's own calls are found by their arrays. Whatever is left must be a task that can be done before the
step or after it: see `placing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Processes, Program, UpdateFormula

from .calls import Calls, Found
from .finding import Finder, Judged, Passed, formula_of, spanned
from .placing import place
from .resting import keeps_zeros
from .step import Clip, Hits, Layer, TrainingStep, UnknownStepError, Update


def recognise(program: Program, dtype: np.dtype[Any]) -> TrainingStep:
    """Return what a program is as a training step.

    Raises UnknownStepError where it is none, or one of which a library that takes a step as a whole would
    leave other numbers than its calls.
    """
    return _Recognition(Calls(program, dtype)).step()


@dataclass(frozen=True)
class _Flat:
    """The flat buffers of parameters and gradients, and the memory of all that is in them."""

    values: HostArray
    gradients: HostArray
    of_values: int
    of_gradients: int


Pairs = Sequence[tuple[HostArray, HostArray]]
"""Two arrays of each layer: weights and bias, or their gradients."""


class _Recognition(Finder):
    def step(self) -> TrainingStep:
        calls = self.calls
        updating = [each for each in calls.left if each.operation == "update"]
        if updating:
            calls.take("the update of the parameters", updating)
        loss = self.judged()
        if loss is None:
            raise UnknownStepError("the loss is computed by no calls instead of one.")
        passed, forward = self.forward(loss.logits)
        gradients, backward = self._backward(passed, loss.gradient)
        hits, labels, counting = self.hits(loss.logits, loss.target)
        update = self._update(updating[0]) if updating else None
        parameters = [(layer.weights, layer.bias) for layer in passed]
        flat = self._flat(parameters, gradients, updating)
        layers = self._layers(passed, gradients, flat, updating)
        world, reducing = self._reduce(flat.gradients) if updating else (None, [])
        clip, clipping = self._clip(flat.gradients) if updating else (None, [])
        self._declare(flat, update, loss, hits, clip)
        gathers: list[Found] = []
        x = self.gathered(passed[0].x, "the inputs", gathers)
        target = self.gathered(loss.target, "the targets", gathers)
        labels_of_rows = None if labels is None else self.gathered(labels, "the labels", gathers)
        row_weights = self.gathered(loss.row_weights, "the row weights", gathers)
        kept = self.kept()
        core = [*gathers, *forward, loss.call, *counting, *backward, *reducing, *clipping, *updating]
        moments = 0 if update is None else calls.memory(update.moments)
        placed = place(
            calls, core, self.parts, values=flat.of_values, gradients=flat.of_gradients, moments=moments
        )
        return TrainingStep(
            rows=len(loss.logits),
            layers=[
                replace(layer, **kept[id(arrays)]) if id(arrays) in kept else layer
                for layer, arrays in zip(layers, passed, strict=True)
            ],
            values=flat.values,
            gradients=flat.gradients,
            update=update,
            clip=clip,
            world=world,
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
            held=[array for pair in (*parameters, *gradients) for array in pair],
        )

    def _update(self, call: Found) -> Update:
        of, calls = call.arguments, self.calls
        size = of["values"].size
        calls.numbers(of["values"], (size,), "the array of all parameters")
        calls.numbers(of["gradients"], (size,), "the array of all gradients")
        formula = formula_of(of["formula"], UpdateFormula)
        return Update(
            formula,
            calls.numbers(of["moments"], (len(formula.moments), size), "the array of all moments"),
            calls.numbers(of["settings"], (len(formula.settings) + 1,), "the array of settings"),
        )

    def _flat(self, parameters: Pairs, gradients: Pairs, updating: Sequence[Found]) -> _Flat:
        """Return the buffers of the update; without one, the memory that the layers' own arrays span."""
        if updating:
            values, of = updating[0].arguments["values"], updating[0].arguments["gradients"]
            return _Flat(values, of, self.calls.memory(values), self.calls.memory(of))
        own, made = ([array for pair in pairs for array in pair] for pairs in (parameters, gradients))
        return _Flat(spanned(own), spanned(made), self.calls.memory(*own), self.calls.memory(*made))

    def _layers(
        self, passed: Sequence[Passed], gradients: Pairs, flat: _Flat, updating: Sequence[Found]
    ) -> list[Layer]:
        """Return the layers by their places in both buffers."""
        layers = self.layers(passed, flat.values, updating[0].arguments["decay_ranges"] if updating else ())
        for layer, pair in zip(layers, gradients, strict=True):
            if self.offset(flat.gradients, *pair) != layer.offset:
                raise UnknownStepError("the gradients do not lie as the parameters do.")
        inside = sum((layer.inputs + 1) * layer.outputs for layer in layers)
        if updating and inside < flat.values.size and not keeps_zeros(updating[0].arguments["formula"]):
            raise UnknownStepError("the update changes numbers of 0 that have gradients of 0.")
        return layers

    def _declare(
        self, flat: _Flat, update: Update | None, loss: Judged, hits: Hits | None, clip: Clip | None
    ) -> None:
        """Add to the parts what a step reads and writes beside rows and layers."""
        parts, memory = self.parts, self.calls.memory
        if update is None:
            parts.read("the parameters", flat.of_values)
        else:
            parts.write("the parameters", flat.of_values)
            if update.moments.size:
                parts.write("the moments", memory(update.moments))
            parts.read("the settings", memory(update.settings))
        parts.write("the gradients", flat.of_gradients)
        parts.write("the losses", memory(loss.losses))
        if hits is not None:
            parts.write("the hits", memory(hits.out))
        if clip is not None:
            parts.write("the norm", memory(clip.norm))
        if self.dropout_step is not None:
            parts.read("the number of the step", memory(self.dropout_step))

    # Backward

    def _backward(self, passed: list[Passed], gradient: HostArray) -> tuple[Pairs, list[Found]]:
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

    def _reduce(self, gradients: HostArray) -> tuple[Processes | None, list[Found]]:
        reducing = self.calls.matching("all_reduce", array=gradients)
        if not reducing:
            return None, []
        found = self.calls.take("the sum of the gradients over all processes", reducing)
        return found.arguments["world"], [found]

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
