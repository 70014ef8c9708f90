"""What a step and a forward pass have in common, found in a program's calls by their arrays.

The calls are found from the loss or the last output on; which of them comes first does not matter as long as
no call sees other numbers for it, which `placing` proves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from fuseprop.backend import ActivationFormula, HostArray, LossFormula, span

from .calls import HITS, LOSSES, Calls, Found
from .placing import Parts
from .step import Dropped, Gathered, Hits, Layer, UnknownStepError

Kind = TypeVar("Kind")

Keeps = Literal["sums", "outputs", "deltas"]


@dataclass
class Passed:
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


@dataclass(frozen=True)
class Judged:
    """The loss of rows.

    Attributes
    ----------
    call : Found
    logits, losses, gradient, row_weights, target : array
    formula : LossFormula, optional
        None for the cross-entropy of exclusive classes, of which the factor is 1 and the target labels.
    factor : float
    """

    call: Found
    logits: HostArray
    losses: HostArray
    gradient: HostArray
    row_weights: HostArray
    target: HostArray
    formula: LossFormula | None
    factor: float


class Finder:
    """The calls of a program on the way forward, and what they read and write.

    Attributes
    ----------
    calls : Calls
    parts : Parts
    shown : list of (layer, "sums" | "outputs" | "deltas", what, array)
        What a step can leave where its calls do, if anybody asks.
    dropout_step : (1,), optional
        The number of the step, where a layer drops.
    """

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.parts = Parts()
        self.shown: list[tuple[Passed, Keeps, str, HostArray]] = []
        self.dropout_step: HostArray | None = None

    def judged(self) -> Judged | None:
        """Return the loss of rows; None where there is none."""
        calls = self.calls
        found = [each for each in calls.left if each.operation in LOSSES]
        if not found:
            return None
        call = calls.take("the loss", found)
        of = call.arguments
        by_label = call.operation == "softmax_cross_entropy"
        logits = of["logits" if by_label else "output"]
        if not isinstance(logits, np.ndarray) or logits.ndim != 2:
            raise UnknownStepError("the loss is not one of rows of outputs.")
        n, k = logits.shape
        row_weights = calls.numbers(of["row_weights"], (n,), "the array of row weights")
        losses = calls.numbers(of["losses"], (n,), "the array of losses")
        gradient = calls.numbers(of["gradient"], (n, k), "a gradient of outputs")
        if by_label:
            target = calls.integers(of["labels"], (n,), "the array of labels")
            return Judged(call, logits, losses, gradient, row_weights, target, None, 1.0)
        target = calls.numbers(of["target"], (n, k), "the array of targets")
        loss = formula_of(of["loss"], LossFormula)
        return Judged(call, logits, losses, gradient, row_weights, target, loss, float(of["factor"]))

    def forward(self, output: HostArray) -> tuple[list[Passed], list[Found]]:
        """Return the layers, first layer first, up to the one whose output this is, and their calls."""
        calls = self.calls
        passed: list[Passed] = []
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
            activation = formula_of(activated.arguments["activation"], ActivationFormula)
            bias = activated.arguments.get("bias")
            kept = activated.arguments.get("kept")
            layer = Passed(
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
            what = "the outputs" if len(passed) == 1 else "the outputs of a hidden layer"
            self.shown.append((layer, "outputs", what, output))
            if not calls.same(z, output) and (kept is None or not calls.same(kept, z)):
                self.parts.intermediate("the weighted sums without a bias", calls.memory(z))
            if kept is not None:
                if calls.same(kept, output):
                    raise UnknownStepError("a layer leaves its weighted sums where its outputs are.")
                self.shown.append((layer, "sums", "the weighted sums", kept))
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
            output, dropped, drops, dropping = dropout.arguments["values"], x, self.drops(dropout), [dropout]

    def drops(self, dropout: Found) -> Dropped:
        of = dropout.arguments
        step = self.calls.integers(of["step"], (1,), "the number of the step")
        if self.dropout_step is not None and not self.calls.same(self.dropout_step, step):
            raise UnknownStepError("masks of dropout follow more than one number of the step.")
        self.dropout_step = step
        return Dropped(float(of["rate"]), int(of["seed"]))

    def layers(
        self, passed: Sequence[Passed], flat: HostArray, decay_ranges: Iterable[tuple[int, int]] = ()
    ) -> list[Layer]:
        """Return the layers by their places in the flat parameters."""
        decaying = {tuple(each) for each in decay_ranges}
        made = []
        taken = 0
        for layer in passed:
            d, m = layer.weights.shape
            offset = self.offset(flat, layer.weights, layer.bias)
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

    def offset(self, flat: HostArray, weights: HostArray, bias: HostArray) -> int:
        """Return where weights and the bias below them start in a flat array."""
        start, address, below = (_address(array) for array in (flat, weights, bias))
        offset, beside = divmod(address - start, flat.itemsize)
        beyond = offset < 0 or offset + weights.size + bias.size > flat.size
        if beside or beyond or below != address + weights.nbytes:
            raise UnknownStepError("a layer's weights and bias are no block of the flat parameters.")
        return offset

    def kept(self) -> dict[int, dict[str, Any]]:
        """Return the arrays of layers that somebody asks for, by `id` of the layer and by name.

        All calls of the step itself must be taken: what is left may read them.
        """
        calls = self.calls
        asked = ~calls.scratch
        for each in calls.left:
            asked |= each.reads
        kept: dict[int, dict[str, Any]] = {}
        for layer, name, what, array in self.shown:
            memory = calls.memory(array)
            if memory & asked:
                self.parts.write(what, memory)
                kept.setdefault(id(layer), {})[f"kept_{name}"] = array
            else:
                self.parts.intermediate(what, memory)
        return kept

    def hits(
        self, output: HostArray, target: HostArray | None
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
            if target is not None and target.ndim == 1 and not calls.same(target, labels):
                raise UnknownStepError("hits are counted by other labels than those of the loss.")
            return Hits(found.operation, out), labels, [found]
        if target is None or target.ndim != 2 or not calls.same(target, of["target"]):
            raise UnknownStepError("hits are counted by other targets than those of the loss.")
        thresholds = float(of["score_threshold"]), float(of["target_threshold"])
        return Hits(found.operation, out, *thresholds), None, [found]

    def gathered(self, array: HostArray, what: str, gathers: list[Found]) -> Gathered:
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


def spanned(arrays: Sequence[HostArray]) -> HostArray:
    """Return the memory from the first to the last of these arrays as a flat one, which does not hold it."""
    start = min(map(_address, arrays))
    end = max(_address(array) + array.nbytes for array in arrays)
    kind = np.ctypeslib.as_ctypes_type(arrays[0].dtype)
    size = (end - start) // arrays[0].itemsize
    return np.ctypeslib.as_array((kind * size).from_address(start))


def _address(array: HostArray) -> int:
    """Return where an array begins that has elements, row after row."""
    return span(array).start


def formula_of(given: Any, kind: type[Kind]) -> Kind:
    """Return a formula of this kind; raise UnknownStepError for what is none."""
    if not isinstance(given, kind):
        raise UnknownStepError(f"{type(given).__name__} is given in place of a formula.")
    return given
