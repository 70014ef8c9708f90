"""Whether a program can run feature-major, examples along columns, and which arrays hold examples."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

from fuseprop.backend import Call, HostArray, Place, Program

SMALL = 8192
"""Elements of the widest activation up to which feature-major is faster."""

SMALL_INPUT = 2048
"""Elements of a batch up to which copying it, to add a row of ones, costs less than a bias apart."""


class Layout:
    """The arrays of a program by their role.

    Attributes
    ----------
    places : {id(array): Place}
        Those of all arrays in the program.
    gathered : {Place: array}
        The batches that the program gathers.
    computed : {Place: array}
        Scratch (n, m) that it computes, activations and gradients.
    rows : {Place: array}
        Both: the arrays with a row for each example.
    """

    def __init__(self, program: Program) -> None:
        self._calls = program.calls
        self._regions = program.memory.regions
        self.places = places = program.memory.places
        gathers = [call for call in program.calls if call.operation == "take_rows"]
        self.gathered: dict[Place, HostArray] = {
            places[id(out)]: out for out in (call.options["out"] for call in gathers)
        }
        matrices = {places[id(array)]: array for array in program.scratch if array.ndim == 2}
        self.computed: dict[Place, HostArray] = {
            place: array for place, array in matrices.items() if place not in self.gathered
        }
        self.rows = {**self.computed, **self.gathered}

    def is_small(self) -> bool:
        """Whether the program consists of small products of rows, and can run feature-major."""
        products = [call.options["out"] for call in self._calls if call.operation == "matmul"]
        widest = max((out.size for out in products if self.places[id(out)] in self.computed), default=0)
        return 0 < widest <= SMALL and all(map(self._can_run_feature_major, self._calls))

    @cached_property
    def owners(self) -> dict[int, list[HostArray]]:
        """By `id` of an array, the computed arrays that share memory with it: itself, or what it views."""
        regions = self._regions
        return {
            key: [self.computed[place]]
            if place in self.computed
            else [each for each in self.computed.values() if regions[key] & regions[id(each)]]
            for key, place in self.places.items()
        }

    @cached_property
    def pairs(self) -> dict[int, Place]:
        """The calls, by `id`, that come in pairs: one product with a layer's whole block, weights and bias.

        With each, the place of what is multiplied, which needs a row of ones below.
        """
        pairs = {}
        for first, second in pairwise(self._calls):
            x = self._folds(first, second)
            if x is not None:
                pairs[id(first)] = pairs[id(second)] = x
        return pairs

    def _can_run_feature_major(self, call: Call) -> bool:
        places = self.places
        match call.operation:
            case "matmul":
                (a, b), out = call.operands, call.options["out"]
                if places[id(out)] in self.computed:
                    return places[id(a)] in self.rows
                return transposed(places[id(a)]) in self.rows and places[id(b)] in self.computed
            case "bias_activation":
                if call.options.get("kept") is not None:
                    return False
                arrays = [call.operands[0], call.options["out"]]
            case "activation_backward":
                arrays = [*call.reads, call.options["out"]]
            case "softmax_cross_entropy":
                arrays = [call.operands[0], call.options["gradient"]]
            case _:
                return True
        return all(places[id(array)] in self.computed for array in arrays)

    def _folds(self, first: Call, second: Call) -> Place | None:
        """Return the place of what two neighbours multiply by a layer's whole block, None if they do not."""
        places = self.places
        match first.operation, second.operation:
            case "matmul", "bias_activation":
                (a, weights), (passed, bias) = first.operands, second.operands[:2]
                x = places[id(a)]
            case "activation_backward", "matmul":
                a, passed = second.operands
                weights, bias = second.options["out"], first.options["bias_gradient"]
                x = transposed(places[id(a)])
            case _:
                return None
        if bias is None or places[id(first.options["out"])] != places[id(passed)]:
            return None
        address, (_, m) = places[id(weights)]
        below = address + weights.nbytes, (m,)
        if not weights.flags.c_contiguous or places[id(bias)] != below:
            return None
        small = x in self.gathered and a.size <= SMALL_INPUT
        return x if small or x in self.computed else None


def transposed(place: Place) -> Place:
    """Return the place of the transpose of what is there."""
    address, shape = place
    return address, shape[::-1]
