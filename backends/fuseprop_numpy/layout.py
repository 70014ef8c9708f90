"""Whether a program can run feature-major, examples along columns, and which arrays hold examples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fuseprop.backend import Call, HostArray, Program, Shape, place, span

SMALL = 8192
"""Elements of the widest activation up to which feature-major is faster."""

SMALL_INPUT = 2048
"""Elements of a batch up to which copying it, to add a row of ones, costs less than a bias apart."""


class Layout:
    """The arrays of a program by their role.

    Attributes
    ----------
    gathered : places of the batches that the program gathers
    computed : places of scratch (n, m) that it computes, activations and gradients
    folding : calls, by `id`, that come in pairs; a pair is one product with a layer's whole block
    multiplied : places of the arrays that such a product needs with a row of ones below
    """

    def __init__(self, program: Program) -> None:
        self._calls = program.calls
        gathers = [call for call in program.calls if call.operation == "take_rows"]
        self.gathered = {place(call.options["out"]) for call in gathers}
        matrices = {place(array): array for array in program.scratch if array.ndim == 2}
        self._computed = {key: array for key, array in matrices.items() if key not in self.gathered}
        self.computed = set(self._computed)
        self._spans = [(array, span(array)) for array in self._computed.values()]
        self._owners: dict[tuple[int, Shape], list[HostArray]] = {}
        self.folding: set[int] = set()
        self.multiplied = set()
        for first, second in pairwise(program.calls):
            x = self._folds(first, second)
            if x is not None:
                self.folding |= {id(first), id(second)}
                self.multiplied.add(place(x))

    def is_small(self) -> bool:
        """Whether the program consists of small products of rows, and can run feature-major."""
        products = [call.options["out"] for call in self._calls if call.operation == "matmul"]
        widest = max((out.size for out in products if place(out) in self.computed), default=0)
        return 0 < widest <= SMALL and all(map(self._can_run_feature_major, self._calls))

    def owners(self, array: HostArray) -> list[HostArray]:
        """Return the computed arrays that share memory with this one: itself, or what it is a view of."""
        key = place(array)
        if key not in self._owners:
            own, at = self._computed.get(key), span(array)
            self._owners[key] = (
                [each for each, where in self._spans if at.meets((where,))] if own is None else [own]
            )
        return self._owners[key]

    def has_rows(self, array: HostArray) -> bool:
        """Whether an array holds a row for each example."""
        return place(array) in self.computed or place(array) in self.gathered

    def _can_run_feature_major(self, call: Call) -> bool:
        computed = self.computed
        match call.operation:
            case "matmul":
                (a, b), out = call.operands, call.options["out"]
                if place(out) in computed:
                    return self.has_rows(a)
                return self.has_rows(a.T) and place(b) in computed
            case "bias_activation":
                return {place(call.operands[0]), place(call.options["out"])} <= computed
            case "activation_backward":
                return {*map(place, call.operands[:2]), place(call.options["out"])} <= computed
            case "softmax_cross_entropy":
                return {place(call.operands[0]), place(call.options["gradient"])} <= computed
        return True

    def _folds(self, first: Call, second: Call) -> HostArray | None:
        """Return what two neighbours multiply by a layer's whole block, or None if they do not."""
        match first.operation, second.operation:
            case "matmul", "bias_activation":
                (x, weights), (z, bias) = first.operands, second.operands[:2]
                neighbours = bias is not None and place(first.options["out"]) == place(z)
            case "activation_backward", "matmul":
                x, delta = second.operands[0].T, second.operands[1]
                weights, bias = second.options["out"], first.options["bias_gradient"]
                neighbours = place(first.options["out"]) == place(delta)
            case _:
                return None
        if not neighbours or not stands_below(bias, weights):
            return None
        small = place(x) in self.gathered and x.size <= SMALL_INPUT
        return x if small or place(x) in self.computed else None


def stands_below(bias: HostArray, weights: HostArray) -> bool:
    """Whether a bias (m,) is in memory what comes after its layer's weights (d, m)."""
    address, (_, m) = place(weights)
    return weights.flags.c_contiguous and place(bias) == (address + weights.nbytes, (m,))


def block_of(weights: HostArray) -> HostArray:
    """Return weights (d, m) together with the bias below them, (d + 1, m)."""
    d, m = weights.shape
    return np.lib.stride_tricks.as_strided(weights, (d + 1, m))
