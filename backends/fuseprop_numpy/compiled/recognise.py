"""A program recognised as a training step, from what its calls compute, read and write.

The calls of the step itself are found by their arrays, from the update and the loss on; which of them comes
first does not matter as long as no call sees other numbers for it. Whatever is left must be a task that can
be done before the step or after it: see `placing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from fuseprop.backend import ActivationFormula, HostArray, LossFormula, Program, UpdateFormula

from .calls import HITS, LOSSES, Calls, Found
from .placing import Parts, place
from .resting import keeps_zeros
from .step import Clip, Dropped, Gathered, Hits, Layer, TrainingStep, UnknownStepError

Kind = TypeVar("Kind")


def recognise(program: Program, dtype: np.dtype[Any]) -> TrainingStep:
    """Return what a program is as a training step.

    Raises UnknownStepError where it is none, or one of which a library that takes a step as a whole would
    leave other numbers than its calls.
    """
    return _Recognition(Calls(program, dtype)).step()


@dataclass
class _Passed:
    """A layer on the way forward, by its arrays: x W + b = z, f(z) = output, dropped = dropout(output)."""

    x: HostArray
    weights: HostArray
    bias: HostArray
    z: HostArray
    output: HostArray
    kept: HostArray | None
    activation: ActivationFormula
    dropped: HostArray | None
    drops: Dropped | None


class _Recognition:
    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.parts = Parts()
        self.dropout_step: HostArray | None = None

    def step(self) -> TrainingStep:
        calls, parts = self.calls, self.parts
        update = calls.take("the update of the parameters", calls.matching("update"))
        loss = calls.take("the loss", [each for each in calls.left if each.operation in LOSSES])
        of = loss.arguments
        logits = of["logits" if loss.operation == "softmax_cross_entropy" else "output"]
        passed, forward = self._forward(logits)
        n, k = passed[-1].output.shape

        values = update.arguments["values"]
        size = values.size
        calls.numbers(values, (size,), "the array of all parameters")
        gradients = calls.numbers(update.arguments["gradients"], (size,), "the array of all gradients")
        formula = _formula(update.arguments["formula"], UpdateFormula)
        moments = calls.numbers(
            update.arguments["moments"], (len(formula.moments), size), "the array of all moments"
        )
        settings = calls.numbers(
            update.arguments["settings"], (len(formula.settings) + 1,), "the array of settings"
        )
        layers = self._layers(passed, values, update.arguments["decay_ranges"])
        inside = sum((layer.inputs + 1) * layer.outputs for layer in layers)
        if inside < size and not keeps_zeros(formula):
            raise UnknownStepError("the update changes numbers of 0 that have gradients of 0.")

        row_weights = calls.numbers(of["row_weights"], (n,), "the array of row weights")
        losses = calls.numbers(of["losses"], (n,), "the array of losses")
        if loss.operation == "softmax_cross_entropy":
            target, loss_formula, factor = (
                calls.integers(of["labels"], (n,), "the array of labels"),
                None,
                1.0,
            )
        else:
            target, factor = calls.numbers(of["target"], (n, k), "the array of targets"), float(of["factor"])
            loss_formula = _formula(of["loss"], LossFormula)
        hits, labels, counting = self._hits(logits, target)
        backward = self._backward(passed, layers, gradients, of["gradient"])
        clip, clipping = self._clip(gradients)

        parts.write("the parameters", calls.memory(values))
        parts.write("the gradients", calls.memory(gradients))
        if moments.size:
            parts.write("the moments", calls.memory(moments))
        parts.write("the losses", calls.memory(losses))
        if hits is not None:
            parts.write("the hits", calls.memory(hits.out))
        if clip is not None:
            parts.write("the norm", calls.memory(clip.norm))

        gathers: list[Found] = []
        gathered = [
            None if array is None else self._gathered(array, what, gathers)
            for array, what in (
                (passed[0].x, "the inputs"),
                (target, "the targets"),
                (labels, "the labels"),
                (row_weights, "the row weights"),
            )
        ]
        x_rows, target_rows, label_rows, weight_rows = gathered
        assert x_rows is not None
        assert target_rows is not None
        assert weight_rows is not None
        parts.read("the settings", calls.memory(settings))
        if self.dropout_step is not None:
            parts.read("the number of the step", calls.memory(self.dropout_step))

        core = [*gathers, *forward, loss, *counting, *backward, *clipping, update]
        placed = place(
            calls,
            core,
            parts,
            values=calls.memory(values),
            gradients=calls.memory(gradients),
            moments=calls.memory(moments),
            outputs=calls.memory(logits),
        )
        return TrainingStep(
            rows=n,
            layers=layers,
            values=values,
            gradients=gradients,
            moments=moments,
            settings=settings,
            update=formula,
            clip=clip,
            x=x_rows,
            target=target_rows,
            labels=label_rows,
            row_weights=weight_rows,
            loss=loss_formula,
            factor=factor,
            losses=losses,
            hits=hits,
            dropout_step=self.dropout_step,
            outputs=logits if placed.reads_outputs else None,
            reads_values=placed.reads_values,
            reads_gradients=placed.reads_gradients,
            before=placed.before,
            after=placed.after,
        )

    # Forward

    def _forward(self, output: HostArray) -> tuple[list[_Passed], list[Found]]:
        """Return the layers, first layer first, up to the one whose output this is, and their calls."""
        calls = self.calls
        passed: list[_Passed] = []
        made: list[Found] = []
        dropped: HostArray | None = None
        drops: Dropped | None = None
        dropping: list[Found] = []
        while True:
            activated = calls.take("an output", calls.matching("bias_activation", out=output))
            z = activated.arguments["z"]
            product = calls.take("a weighted sum", calls.matching("matmul", out=z))
            x, weights = product.arguments["a"], product.arguments["b"]
            if x.ndim != 2 or weights.ndim != 2 or not x.size or not weights.size:
                raise UnknownStepError("a product is not one of matrices that have elements.")
            (n, d), m = x.shape, weights.shape[1]
            activation = _formula(activated.arguments["activation"], ActivationFormula)
            bias = activated.arguments.get("bias")
            kept = activated.arguments.get("kept")
            layer = _Passed(
                x=calls.numbers(x, (n, d), "the input of a layer"),
                weights=calls.numbers(weights, (d, m), "a weight matrix"),
                bias=calls.numbers(bias, (m,), "a bias"),
                z=calls.numbers(z, (n, m), "an array of weighted sums"),
                output=calls.numbers(output, (n, m), "an array of outputs"),
                kept=None if kept is None else calls.numbers(kept, (n, m), "an array of weighted sums"),
                activation=activation,
                dropped=dropped,
                drops=drops,
            )
            passed.append(layer)
            made = [product, activated, *dropping, *made]
            last = len(passed) == 1
            what = "the outputs" if last else "the outputs of a hidden layer"
            if last:
                self.parts.write(what, calls.memory(output), kept_if_read=True)
            else:
                self.parts.intermediate(what, calls.memory(output))
            if not calls.same(z, output):
                self.parts.intermediate("the weighted sums", calls.memory(z))
            if kept is not None and calls.same(kept, output):
                raise UnknownStepError("a layer leaves its weighted sums where its outputs are.")
            if kept is not None and not calls.same(kept, z):
                self.parts.intermediate("the weighted sums", calls.memory(kept))
            if dropped is not None:
                self.parts.intermediate("what dropout leaves", calls.memory(dropped))

            if calls.matching("bias_activation", out=x):
                output, dropped, drops, dropping = x, None, None, []
                continue
            dropouts = [
                each
                for each in calls.matching("dropout", out=x)
                if calls.matching("bias_activation", out=each.arguments["values"])
            ]
            if not dropouts:
                return passed[::-1], made
            dropout = calls.take("what dropout leaves", dropouts)
            output, dropped, drops, dropping = dropout.arguments["values"], x, self._drops(dropout), [dropout]

    def _drops(self, dropout: Found) -> Dropped:
        of = dropout.arguments
        step = self.calls.integers(of["step"], (1,), "the number of the step")
        if self.dropout_step is not None and not self.calls.same(self.dropout_step, step):
            raise UnknownStepError("masks of dropout follow more than one number of the step.")
        self.dropout_step = step
        return Dropped(float(of["rate"]), int(of["seed"]))

    def _layers(self, passed: list[_Passed], values: HostArray, decay_ranges: Any) -> list[Layer]:
        """Return the layers by their places in the flat parameters."""
        decaying = {tuple(each) for each in decay_ranges}
        made = []
        taken = 0
        for layer in passed:
            d, m = layer.weights.shape
            offset = self._offset(values, layer.weights, layer.bias, (d + 1) * m)
            block = self.calls.memory(layer.weights, layer.bias)
            if taken & block:
                raise UnknownStepError("two layers share parameters.")
            taken |= block
            weights = (offset, offset + d * m)
            made.append(Layer(d, m, offset, weights in decaying, layer.activation, layer.drops))
            decaying.discard(weights)
        if decaying:
            raise UnknownStepError(
                "weight decay goes over other parameters than the weights of whole layers."
            )
        return made

    def _offset(self, flat: HostArray, weights: HostArray, bias: HostArray, size: int) -> int:
        """Return where weights and the bias below them start in a flat array."""
        start, address, below = (self._address(array) for array in (flat, weights, bias))
        offset, beside = divmod(address - start, flat.itemsize)
        if beside or offset < 0 or offset + size > flat.size or below != address + weights.nbytes:
            raise UnknownStepError("a layer's weights and bias are no block of the flat parameters.")
        return offset

    def _address(self, array: HostArray) -> int:
        place = self.calls.place(array)
        assert place is not None
        return place[0]

    # Backward

    def _backward(
        self, passed: list[_Passed], layers: list[Layer], gradients: HostArray, gradient: HostArray
    ) -> list[Found]:
        """Return the calls from the gradient by the last outputs to those by all parameters."""
        calls, parts = self.calls, self.parts
        made = []
        for i in reversed(range(len(passed))):
            layer, size = passed[i], (layers[i].inputs + 1) * layers[i].outputs
            shape = layer.output.shape
            calls.numbers(gradient, shape, "a gradient of outputs")
            back = calls.take("a gradient", calls.matching("activation_backward", gradient=gradient))
            of = back.arguments
            delta = calls.numbers(of["out"], shape, "a gradient of weighted sums")
            parts.intermediate("the gradients of outputs", calls.memory(gradient))
            if not calls.same(delta, gradient):
                parts.intermediate("the gradients of weighted sums", calls.memory(delta))
            self._check_slope(layer, of["activation"], of["point"])
            of_bias = calls.numbers(of["bias_gradient"], (shape[1],), "the gradient of a bias")

            products = [
                each
                for each in calls.matching("matmul", b=delta)
                if calls.is_transposed(each.arguments["a"], layer.x)
            ]
            product = calls.take("the gradient of weights", products)
            of_weights = calls.numbers(product.arguments["out"], layer.weights.shape, "a gradient of weights")
            if self._offset(gradients, of_weights, of_bias, size) != layers[i].offset:
                raise UnknownStepError("the gradients do not lie as the parameters do.")
            made += [back, product]
            if i == 0:
                return made

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
                if self._drops(dropout) != drops:
                    raise UnknownStepError("a gradient is dropped by another mask than the outputs.")
                left = dropout.arguments["out"]
                if not calls.same(left, gradient):
                    parts.intermediate("the gradients of outputs before dropout", calls.memory(gradient))
                gradient = left
                made.append(dropout)
        return made

    def _check_slope(self, layer: _Passed, activation: Any, point: Any) -> None:
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

    # Rows, and what is counted

    def _hits(
        self, output: HostArray, target: HostArray
    ) -> tuple[Hits | None, HostArray | None, list[Found]]:
        """Return what counts hits, the labels that it counts them by, and its call."""
        calls = self.calls
        counting = [each for each in calls.left if each.operation in HITS]
        if not counting:
            return None, None, []
        found = calls.take("whether a row is a hit", counting)
        of, n = found.arguments, len(output)
        if not calls.same(output, of["scores"]):
            raise UnknownStepError("hits are counted by other numbers than the last outputs.")
        out = calls.numbers(of["out"], (n,), "the array of hits")
        if found.operation == "argmax_equals":
            labels = calls.integers(of["labels"], (n,), "the array of labels")
            if target.ndim == 1 and not calls.same(target, labels):
                raise UnknownStepError("hits are counted by other labels than those of the loss.")
            return Hits(found.operation, out), labels, [found]
        if target.ndim != 2 or not calls.same(target, of["target"]):
            raise UnknownStepError("hits are counted by other targets than those of the loss.")
        thresholds = float(of["score_threshold"]), float(of["target_threshold"])
        return Hits(found.operation, out, *thresholds), None, [found]

    def _gathered(self, array: HostArray, what: str, gathers: list[Found]) -> Gathered:
        """Return from where the rows of an array are gathered.

        Nobody may read the array itself where they are: otherwise they are gathered before the step, and the
        step takes the array.
        """
        calls, parts = self.calls, self.parts
        memory = calls.memory(array)
        for known, gathered in parts.gathered:
            if calls.same(array, known):
                return gathered
        found = calls.matching("take_rows", out=array)
        if len(found) != 1 or memory & ~calls.scratch:
            parts.read(what, memory)
            gathered = Gathered(array)
        else:
            of = found[0].arguments
            source, order = of["source"], of["order"]
            if not isinstance(source, np.ndarray) or not source.ndim or not isinstance(order, np.ndarray):
                raise UnknownStepError(f"{what} are gathered from something else than an array.")
            shape = (len(source), *array.shape[1:])
            check = calls.integers if array.dtype.kind == "i" else calls.numbers
            gathered = Gathered(
                check(source, shape, f"the array that {what} are gathered from"),
                calls.integers(order, (order.size,), f"the order of {what}"),
                calls.integers(of["cursor"], (1,), f"the position of {what}"),
            )
            gathers.append(calls.take(what, found))
            parts.intermediate(what, memory)
            parts.read(f"what {what} are gathered from", calls.memory(source, order, of["cursor"]))
        parts.gathered.append((array, gathered))
        return gathered


def _formula(given: Any, kind: type[Kind]) -> Kind:
    if not isinstance(given, kind):
        raise UnknownStepError(f"{type(given).__name__} is given in place of a formula.")
    return given
