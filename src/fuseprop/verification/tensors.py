"""What the arrays of a training step hold, by name: "layer 2: gradient of the weights"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..backend import Array, Call, HostArray, Program
from ..training.epoch import Epoch
from ..training.step import Batch

AFTER = {
    "matmul": {"output": "weighted sum", "delta": "gradient of the output"},
    "loss_of_rows": {"delta": "gradient of the output"},
    "softmax_cross_entropy": {"delta": "gradient of the output"},
    "dropout": {"delta": "gradient of the output, after dropout"},
    "clip_norm": {
        "gradient of the weights": "gradient of the weights, clipped",
        "gradient of the biases": "gradient of the biases, clipped",
    },
}
"""What an array holds that several operations write, one after the other, by operation; else its name."""

OTHERS = {"advance": "counter", "clip_norm": "norm of the gradient"}
"""What optimizers keep for themselves, by the operation that writes it; else the settings of the update."""

IN_TURN = ("losses of the epoch", "hits of the epoch", "gradient", "norm", "moment", "weights", "biases")
"""The order in which what a step leaves was computed, by how names begin; counters come last."""


OF_LAYERS = ("matmul", "bias_activation", "activation_backward", "dropout")
"""The operations that read what the step itself has computed, and views of it, and weights."""


class Part(NamedTuple):
    """A part of an array that has a name; `layer` counts from 1, and is 0 for what belongs to none."""

    layer: int
    what: str
    values: HostArray

    @property
    def name(self) -> str:
        """Such as "layer 2: weights"."""
        return f"layer {self.layer}: {self.what}" if self.layer else self.what


class Tensors:
    """The arrays of the step of one batch, with names.

    Attributes
    ----------
    program : Program
    left : list of Array
        Those that a replay must leave as the calls do: whatever is written, and is no scratch.
    read : list of Array
        Those that it only reads: rows, targets, order, settings.
    """

    def __init__(self, epoch: Epoch, batch: Batch, program: Program) -> None:
        self.program = program
        parameters, optimizer = epoch.stack.parameters, epoch.optimizer
        self._parameters = parameters
        self._moments = [name for name, _ in optimizer.formula.moments]  # type: ignore[attr-defined]
        self._flat: dict[int, tuple[str, str]] = {
            id(parameters.values): ("weights", "biases"),
            id(parameters.gradients): ("gradient of the weights", "gradient of the biases"),
        }
        self._named: dict[int, tuple[int, str]] = {
            id(batch.x): (0, "rows"),
            id(batch.target): (0, "targets"),
            id(batch.labels): (0, "labels"),
            id(batch.row_weights): (0, "weights of rows"),
            id(batch.losses): (0, "losses"),
            id(batch.hits): (0, "hits"),
            id(epoch.state.losses): (0, "losses of the epoch"),
            id(epoch.state.hits): (0, "hits of the epoch"),
            id(epoch.state.cursor): (0, "counter of rows"),
        }
        views = set()
        for i, layer in enumerate(parameters.layers, 1):
            self._named |= {
                id(layer.weight_gradients): (i, "gradient of the weights"),
                id(layer.bias_gradient): (i, "gradient of the biases"),
                id(batch.outputs[i - 1]): (i, "output"),
                id(batch.gradients[i - 1]): (i, "delta"),
                id(batch.dropped[i - 1]): (i, "output, after dropout"),
                id(batch.sums[i - 1]): (i, "weighted sum, kept"),
            }
            views |= {id(each) for each in (layer.weight_gradients, layer.bias_gradient, layer.weights)}
            views.add(id(layer.bias))
        self._named |= {
            id(epoch.examples.x): (0, "all rows"),
            id(epoch.examples.target): (0, "all targets"),
            id(epoch.examples.labels): (0, "all labels"),
            id(epoch.state.order): (0, "order of rows"),
            id(epoch.state.row_weights): (0, "all weights of rows"),
            id(epoch.state.positions): (0, "positions"),
        }
        calls = program.calls
        scratch = {id(array) for array in program.scratch}
        written = {id(array): array for call in calls for array in call.writes}
        self._writers = {id(array): call.operation for call in calls for array in call.writes}
        sent = {id(array): array for call in calls if call.operation not in OF_LAYERS for array in call.reads}
        self.left = [parameters.gradients] + [
            array for key, array in written.items() if key not in scratch | views | {id(parameters.gradients)}
        ]
        self.read = [
            array
            for key, array in sent.items()
            if key not in scratch | written.keys() | {id(parameters.gradients)}
        ]

    def written(self, call: Call) -> list[Array]:
        """Return the arrays that a call writes, each once; moments before the weights made of them."""
        found = list({id(array): array for array in call.writes}.values())
        return found[::-1] if call.operation == "update" else found

    def parts(self, array: Array, values: HostArray, call: Call | None = None) -> Iterator[Part]:
        """Yield what an array holds, of which these are the values; after a call, or after the step."""
        after = {} if call is None else AFTER.get(call.operation, {})
        for part in self._split(array, values):
            yield part._replace(what=after.get(part.what, part.what))

    def in_turn(self, parts: Sequence[Part]) -> list[Part]:
        """Return what a step leaves in the order in which it was computed: gradients from the last layer."""

        def place(part: Part) -> tuple[int, int]:
            starts = (i for i, start in enumerate(IN_TURN) if part.what.startswith(start))
            rank = next(starts, len(IN_TURN))
            return rank, -part.layer if part.what.startswith("gradient") else part.layer

        return sorted(parts, key=place)

    def _split(self, array: Array, values: HostArray) -> Iterator[Part]:
        key = id(array)
        if key in self._named:
            yield Part(*self._named[key], values)
        elif key in self._flat:
            yield from self._by_layer(values, *self._flat[key])
        elif values.ndim == 2 and values.shape == (len(self._moments), *self._parameters.values.shape):
            for name, moment in zip(self._moments, values, strict=True):
                yield from self._by_layer(
                    moment, f"moment {name} of the weights", f"moment {name} of the biases"
                )
        else:
            operation = self._writers.get(key, "")
            yield Part(0, OTHERS.get(operation, "settings of the update"), values)

    def _by_layer(self, flat: HostArray, of_weights: str, of_biases: str) -> Iterator[Part]:
        parameters = self._parameters
        for i, ((start, stop), (d, m)) in enumerate(
            zip(parameters.weight_ranges, parameters.shapes, strict=True), 1
        ):
            yield Part(i, of_weights, flat[start:stop].reshape(d, m))
            yield Part(i, of_biases, flat[stop : stop + m])
