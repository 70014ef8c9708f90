"""Recording: what a step would do, and that nothing is done."""

import numpy as np
import pytest

from fuseprop.backend import Backend, BackendForProcesses
from fuseprop.backend.program import OPERATIONS
from fuseprop.backend.recording import record
from fuseprop.formulas.activations import relu

ON_THE_SPOT = {"empty", "zeros", "from_host", "share", "to_host", "synchronize", "compile", "session"}


def test_every_operation_is_recorded_or_done_on_the_spot():
    declared = vars(Backend).keys() | vars(BackendForProcesses).keys()
    methods = {name for name in declared if not name.startswith("_")}
    assert OPERATIONS.keys() | ON_THE_SPOT | {"name", "device", "dtype"} == methods


def test_a_program_is_the_calls_with_their_operands(backend):
    a, out, formula = backend.from_host(np.ones((2, 2))), backend.zeros((2, 2)), relu().formula

    def step(stand_in):
        assert (stand_in.name, stand_in.device, stand_in.dtype) == (
            backend.name,
            backend.device,
            backend.dtype,
        )
        stand_in.matmul(a, a, out=out)
        stand_in.bias_activation(out, None, formula, out=out)

    first, second = record(backend, step).calls
    assert (first.operation, first.operands, set(first.options)) == ("matmul", (a, a), {"out"})
    assert first.options["out"] is out
    assert (second.operation, second.operands[1:]) == ("bias_activation", (None, formula))
    assert not backend.to_host(out).any()


@pytest.mark.parametrize("operation", sorted(ON_THE_SPOT))
def test_a_step_neither_allocates_nor_talks_to_the_host(backend, operation):
    with pytest.raises(AttributeError, match=f"{operation} cannot be recorded.*neither allocates"):
        record(backend, lambda stand_in: getattr(stand_in, operation)((3,)))
