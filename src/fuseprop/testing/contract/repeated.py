"""The contract of operations that are asked again and again: the same bits, and no more memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import pytest

from fuseprop.backend import AnyBackend
from fuseprop.testing.contract.access import CASES, Arguments, Run
from fuseprop.testing.contract.formulas import ACTIVATION_CASES, ELEMENTWISE
from fuseprop.testing.contract.growth import assert_does_not_grow
from fuseprop.testing.contract.parity import Host, assert_equal

TIMES = 4
"""How often the same is asked, each time of arrays of its own."""

SHAPES = [(300, 7), (65, 257), (2, 3001)]
"""(rows, columns), so that sums along either are long, and an order of their terms shows in the last bits."""

LONG = [(300, 1001)]
"""Parameters of a network of some size: from so many on, a library may add up in threads."""

SUMS: dict[str, Callable[[Host, int, int], Arguments]] = {
    "matmul": lambda host, n, m: {"a": host.normal(9, m), "b": host.normal(m, n), "out": host.normal(9, n)},
    "activation_backward": lambda host, n, m: {
        "gradient": host.normal(n, m),
        "point": host.normal(n, m),
        "activation": ACTIVATION_CASES["tanh"].formula,
        "out": host.normal(n, m),
        "bias_gradient": host.normal(m),
    },
    "loss_of_rows": lambda host, n, m: {
        "output": host.normal(n, m),
        "target": host.normal(n, m),
        "row_weights": host.weights(n),
        "loss": ELEMENTWISE["half_squared_error"].formula,
        "factor": 0.3,
        "losses": host.normal(n),
        "gradient": host.normal(n, m),
    },
    "softmax_cross_entropy": lambda host, n, m: {
        "logits": host.normal(n, m),
        "labels": host.labels(n, m),
        "row_weights": host.weights(n),
        "losses": host.normal(n),
        "gradient": host.normal(n, m),
    },
    "softmax": lambda host, n, m: {"logits": host.normal(n, m), "out": host.normal(n, m)},
    "sum_squares": lambda host, n, m: {"array": host.normal(n * m), "out": host.normal(1)},
    "clip_norm": lambda host, n, m: {
        "gradients": host.normal(n * m),
        "limit": 0.5,
        "norm": host.normal(1),
    },
}
"""New arguments for each operation that adds up."""

ONE_EACH = list({case.partition(",")[0]: case for case in reversed(CASES)}.values())[::-1]
"""A case of each operation."""


class RepeatedContract:
    """Operations, many times over."""

    @pytest.mark.parametrize(
        ("operation", "shape"), [*product(SUMS, SHAPES), *product(("sum_squares", "clip_norm"), LONG)]
    )
    def test_sums_have_the_same_bits_each_time(
        self, backend: AnyBackend, operation: str, shape: tuple[int, int]
    ) -> None:
        """The order in which terms are added up is fixed."""
        arguments = SUMS[operation](Host(backend), *shape)
        first = Run(backend, operation, arguments, replayed=False)
        for _ in range(TIMES):
            again = Run(backend, operation, arguments, replayed=False)
            for name in first.written:
                assert_equal(again.after[name], first.after[name], f"{again.text}, called again: {name}")

    @pytest.mark.parametrize("case", ONE_EACH)
    def test_a_thousand_calls_do_not_grow(self, backend: AnyBackend, case: str) -> None:
        """What a call allocates it gives back, and it keeps nothing of what it was called with."""
        run = Run(backend, case, CASES[case](Host(backend)), replayed=False)
        call = partial(getattr(backend, run.call.operation), *run.call.operands, **run.call.options)

        def several(times: int) -> None:
            with np.errstate(all="ignore"):  # all_reduce makes numbers of any size
                for _ in range(times):
                    call()

        assert_does_not_grow(backend, several, run.text)
