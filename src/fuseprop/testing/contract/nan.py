"""The contract of NaN: where an element of an input is NaN, so is every result that is computed from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuseprop.backend import AnyBackend
from fuseprop.testing.contract.access import CASES, DECAY_RANGES, Arguments, Run
from fuseprop.testing.contract.formulas import depends
from fuseprop.testing.contract.parity import Host, assert_equal

Results = dict[str, Any]
"""By the name of an array that an operation writes, the indices that depend on the element."""

ALL = slice(None)


def _of_product(_: Arguments, name: str, at: tuple[int, ...]) -> Results:
    return {"out": (at[0], ALL) if name == "a" else (ALL, at[1])}


def _of_activation(_: Arguments, name: str, at: tuple[int, ...]) -> Results:
    return dict.fromkeys(("out", "kept"), (ALL, at[0]) if name == "bias" else at)


def _of_slope(arguments: Arguments, name: str, at: tuple[int, ...]) -> Results:
    unread = name == "point" and arguments["activation"].slope_of is None
    return {} if unread else {"out": at, "bias_gradient": at[1]}


def _of_loss(arguments: Arguments, name: str, at: tuple[int, ...]) -> Results:
    if name == "row_weights":
        return {"gradient": at}
    variable, formula = {"output": "y", "target": "t"}[name], arguments["loss"]
    made = {"losses": (formula.term, at[0]), "gradient": (formula.slope, at)}
    return {name: there for name, (expression, there) in made.items() if depends(expression, variable)}


def _of_row(_: Arguments, name: str, at: tuple[int, ...]) -> Results:
    row = {"gradient": at[0], "out": at[0], "losses": at[0]}
    return {"gradient": at[0]} if name == "row_weights" else row


def _of_norm(_: Arguments, name: str, at: tuple[int, ...]) -> Results:  # noqa: ARG001
    return {"norm": 0, "out": 0, "gradients": at}


def _of_update(arguments: Arguments, name: str, at: tuple[int, ...]) -> Results:
    formula = arguments["formula"]
    moments = [moment for moment, _ in formula.moments]
    decays = np.zeros(arguments["values"].size, bool)
    for start, stop in DECAY_RANGES:
        decays[start:stop] = True
    if name == "settings" and at[0] == len(formula.settings):
        elements, variables = np.flatnonzero(decays), {"g"}
    elif name == "settings":
        elements, variables = np.arange(decays.size), {formula.settings[at[0]]}
    else:
        elements = np.array(at[-1:])
        variables = {"values": {"w"}, "gradients": {"g"}}.get(name) or {moments[at[0]]}
        if name == "values" and decays[at]:
            variables.add("g")
    results: Results = {"moments": ([], [])}
    for place, moment in enumerate(moments):
        if any(depends(formula.results[moment], each) for each in variables):
            results["moments"][0].extend([place] * len(elements))
            results["moments"][1].extend(elements)
    if any(depends(formula.parameter, each) for each in variables):
        results["values"] = elements
    return results


RULES = {
    "copy": lambda _arguments, _name, at: {"out": at},
    "matmul": _of_product,
    "bias_activation": _of_activation,
    "activation_backward": _of_slope,
    "loss_of_rows": _of_loss,
    "softmax_cross_entropy": _of_row,
    "softmax": _of_row,
    "sum_squares": _of_norm,
    "clip_norm": _of_norm,
    "update": _of_update,
}
"""By operation, what becomes NaN; the others move rows, drop elements, or answer yes or no."""

CHECKED = [case for case in CASES if case.partition(",")[0] in RULES]


class NanContract:
    """NaN goes through, forward and backward, called and replayed."""

    @pytest.mark.parametrize("case", CHECKED)
    def test_exactly_what_is_computed_from_a_nan_is_nan(self, backend: AnyBackend, case: str) -> None:
        """One NaN in each input in turn; in the settings of an update, in each of them."""
        rule, arguments = RULES[case.partition(",")[0]], CASES[case](Host(backend))
        for replayed in (False, True):
            clean = Run(backend, case, arguments, replayed=replayed)
            for name in clean.before:
                if name in clean.written - clean.read or arguments[name].dtype.kind != "f":
                    continue
                for at in _places(name, arguments[name]):
                    content = arguments[name].copy()
                    content[at] = np.nan
                    with np.errstate(all="ignore"):
                        found = Run(backend, case, {**arguments, name: content}, replayed=replayed)
                    there = rule(arguments, name, at)
                    for result in found.written:
                        expected = np.zeros(found.after[result].shape, bool)
                        if result in there:
                            expected[there[result]] = True
                        what = f"{found.text}, with a NaN in {name} at {list(at)}: whether {result} is NaN"
                        assert_equal(np.isnan(found.after[result]), expected, what)


def _places(name: str, array: NDArray[Any]) -> list[tuple[int, ...]]:
    """Return the elements that are made NaN: each of the settings, else one, or one in each decay range."""
    if name == "settings":
        return [(i,) for i in range(len(array))]
    if array.shape[-1] >= DECAY_RANGES[-1][1]:
        rows = range(len(array)) if array.ndim == 2 else [None]
        return [(i,) if row is None else (row, i) for row in rows for i in (5, 30)]
    return [tuple(size // 2 for size in array.shape)]
