"""The contract of declared accesses: an operation reads and writes the arrays that it says, and no others.

`CASES` has arguments for every operation and formula, and `Run` runs one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from fuseprop.backend import INTEGER, AnyBackend, Array, BackendForProcesses, Call, Program
from fuseprop.backend.seam import OPTIONAL, option
from fuseprop.testing.contract.calls import described
from fuseprop.testing.contract.formulas import ACTIVATION_CASES, ELEMENTWISE, TRAINABLE_CASES, UPDATE_CASES
from fuseprop.testing.contract.parity import Host
from fuseprop.testing.contract.reduction import Alike

Arguments: TypeAlias = dict[str, Any]
"""An operation's arguments by the names of its parameters: host arrays, and what is no array."""

ROWS, UNITS, SIZE = 6, 5, 70
DECAY_RANGES = [(3, 20), (40, SIZE)]
EXAMPLES = 40
"""Rows of an epoch, of which a batch takes `ROWS` from the cursor on."""


def _loss(host: Host, output: str, target: str = "target") -> Arguments:
    targets = host.labels(ROWS, UNITS) if target == "labels" else host.unit(ROWS, UNITS)
    weights = host.unit(ROWS) + host.backend.dtype.type(0.5)
    results = {"losses": host.normal(ROWS), "gradient": host.normal(ROWS, UNITS)}
    return {output: host.normal(ROWS, UNITS), target: targets, "row_weights": weights, **results}


def _loss_of_rows(host: Host, loss: str) -> Arguments:
    return {**_loss(host, "output"), "loss": ELEMENTWISE[loss].formula, "factor": 0.5}


def _forward(host: Host, activation: str) -> Arguments:
    """Return what is activated; z is kept where the way back needs it."""
    z, bias, out = host.normal(ROWS, UNITS), host.normal(UNITS), host.normal(ROWS, UNITS)
    formula = ACTIVATION_CASES[activation].formula
    kept = host.normal(ROWS, UNITS) if formula.slope_of == "z" else None
    return {"z": z, "bias": bias, "activation": formula, "out": out, "kept": kept}


def _backward(host: Host, activation: str) -> Arguments:
    gradient, point = host.normal(ROWS, UNITS), host.normal(ROWS, UNITS)
    results = {"out": host.normal(ROWS, UNITS), "bias_gradient": host.normal(UNITS)}
    formula = ACTIVATION_CASES[activation].formula
    return {"gradient": gradient, "point": point, "activation": formula, **results}


def _update(host: Host, update: str) -> Arguments:
    formula = UPDATE_CASES[update]
    return {
        "values": host.normal(SIZE),
        "gradients": host.normal(SIZE),
        "moments": host.unit(len(formula.moments), SIZE),
        "settings": host.unit(len(formula.settings) + 1),
        "formula": formula,
        "decay_ranges": DECAY_RANGES,
    }


def _cursor(host: Host) -> NDArray[Any]:
    return host.rng.integers(0, EXAMPLES - ROWS, 1)


CASES: dict[str, Callable[[Host], Arguments]] = {
    "copy": lambda host: {"source": host.normal(ROWS, UNITS), "out": host.normal(ROWS, UNITS)},
    "take_rows": lambda host: {
        "source": host.normal(EXAMPLES, UNITS),
        "order": host.rng.permutation(EXAMPLES),
        "cursor": _cursor(host),
        "out": host.normal(ROWS, UNITS),
    },
    "put_rows": lambda host: {
        "values": host.normal(ROWS),
        "cursor": _cursor(host),
        "out": host.normal(EXAMPLES),
    },
    "advance": lambda host: {"cursor": _cursor(host), "by": 3},
    "matmul": lambda host: {
        "a": host.normal(ROWS, 4),
        "b": host.normal(4, UNITS),
        "out": host.normal(ROWS, UNITS),
    },
    **{f"bias_activation, {each}": partial(_forward, activation=each) for each in ACTIVATION_CASES},
    "bias_activation, no bias": lambda host: {**_forward(host, "tanh"), "bias": None},
    "bias_activation, kept": lambda host: {**_forward(host, "tanh"), "kept": host.normal(ROWS, UNITS)},
    "bias_activation, kept without a bias": lambda host: {
        **_forward(host, "sigmoid"),
        "bias": None,
        "kept": host.normal(ROWS, UNITS),
    },
    **{f"activation_backward, {each}": partial(_backward, activation=each) for each in TRAINABLE_CASES},
    "dropout": lambda host: {
        "values": host.normal(ROWS, UNITS),
        "rate": 0.5,
        "seed": 3,
        "step": host.rng.integers(0, 1000, 1),
        "out": host.normal(ROWS, UNITS),
    },
    **{f"loss_of_rows, {each}": partial(_loss_of_rows, loss=each) for each in ELEMENTWISE},
    "softmax_cross_entropy": lambda host: _loss(host, "logits", "labels"),
    "softmax": lambda host: {"logits": host.normal(ROWS, UNITS), "out": host.normal(ROWS, UNITS)},
    "argmax_equals": lambda host: {
        "scores": host.normal(ROWS, 2),
        "labels": host.labels(ROWS, 2),
        "out": host.normal(ROWS),
    },
    "threshold_equals": lambda host: {
        "scores": host.normal(ROWS, 1),
        "target": host.unit(ROWS, 1),
        "score_threshold": 0.0,
        "target_threshold": 0.5,
        "out": host.normal(ROWS),
    },
    "sum_squares": lambda host: {"array": host.normal(SIZE), "out": host.normal(1)},
    "clip_norm": lambda host: {"gradients": host.normal(SIZE), "limit": 0.5, "norm": host.normal(1)},
    **{f"update, {each}": partial(_update, update=each) for each in UPDATE_CASES},
    "all_reduce": lambda host: {"array": host.normal(SIZE), "world": Alike(3)},
}
"""New arguments for each operation; two calls with one `Host` give arrays that differ in what they hold."""


class AccessContract:
    """What `Call.reads` and `Call.writes` say is what happens, called and replayed."""

    @pytest.mark.parametrize("replayed", [False, True], ids=["called", "replayed"])
    @pytest.mark.parametrize("case", CASES)
    def test_exactly_the_declared_arrays_change(self, backend: AnyBackend, case: str, replayed: bool) -> None:
        """What is not written keeps its bits, and all that is written changes."""
        run = Run(backend, case, CASES[case](Host(backend)), replayed=replayed)
        changed = {name for name in run.before if not np.array_equal(run.before[name], run.after[name])}
        assert changed == run.written, (
            f"{run.text}: {_names(changed)} changed, {_names(run.written)} are to be written"
        )

    @pytest.mark.parametrize("replayed", [False, True], ids=["called", "replayed"])
    @pytest.mark.parametrize("case", CASES)
    def test_the_result_depends_on_exactly_the_declared_arrays(
        self, backend: AnyBackend, case: str, replayed: bool
    ) -> None:
        """Another content of one array changes the result where it is read, and no bit where it is not."""
        host = Host(backend)
        arguments, others = CASES[case](host), CASES[case](host)
        first = Run(backend, case, arguments, replayed=replayed)
        for name in first.before:
            contents = [others[name]]
            if name not in first.read and others[name].dtype.kind == "f":
                contents.append(np.full_like(others[name], np.nan))
            for content in contents:
                second = Run(backend, case, {**arguments, name: content}, replayed=replayed)
                same, read = first.has_results_of(second), name in first.read
                assert same != read, (
                    f"{first.text}: {name} is{'' if read else ' not'} to be read, and another content of it "
                    f"makes {'no' if same else 'a'} difference"
                )


class Run:
    """An operation that was run once: what its arrays held before and after, and what it declares of them."""

    def __init__(self, backend: AnyBackend, case: str, arguments: Arguments, *, replayed: bool) -> None:
        operation = case.partition(",")[0]
        if operation in OPTIONAL and option(backend, operation) is None:
            pytest.skip(f"{backend.name} has no {operation}")
        arrays: dict[str, Array] = {}
        given = dict(arguments)
        for name, value in arguments.items():
            if isinstance(value, np.ndarray):
                dtype = INTEGER if value.dtype.kind in "iu" else backend.dtype
                given[name] = arrays[name] = backend.from_host(value, dtype=dtype)
        parameters = inspect.signature(getattr(BackendForProcesses, operation)).parameters.values()
        by_name = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
        by_place = [each.name for each in parameters if each.name in given and each.name not in by_name]
        options = {name: given[name] for name in by_name if name in given}
        self.call = call = Call(operation, tuple(map(given.get, by_place)), options)
        self.read = {name for name, array in arrays.items() if any(array is each for each in call.reads)}
        self.written = {name for name, array in arrays.items() if any(array is each for each in call.writes)}
        self.before = {name: backend.to_host(array) for name, array in arrays.items()}
        self.text = described(operation, call.operands, call.options) + (", replayed" if replayed else "")
        try:
            if replayed:
                backend.compile(Program((call,)))(1)
            else:
                getattr(backend, operation)(*call.operands, **call.options)
        except Exception as error:
            error.add_note(f"This is of the call {self.text}.")
            raise
        self.after = {name: backend.to_host(array) for name, array in arrays.items()}

    def has_results_of(self, other: Run) -> bool:
        """Whether both left the same bits wherever one of them changed an element."""
        for name in self.written:
            ours, theirs = self.after[name], other.after[name]
            left = _same(ours, self.before[name]) & _same(theirs, other.before[name])
            if not (left | _same(ours, theirs)).all():
                return False
        return True


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no array"


def _same(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((a == b) | ((a != a) & (b != b)))
