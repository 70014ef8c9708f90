"""What calls declare to read and write, the fused ones too, held against what their launches do."""

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from fuseprop_cupy.operations.fused import KEEP_LOSSES, TAKE_BATCH, UPDATE_AND_ADVANCE
from fuseprop_cupy.replay.fusion import fuse
from fuseprop_cupy.replay.lowering import Lowering
from host_device import HostRunBackend
from steps import CLASSIFICATION, REGRESSION, adam, training

from fuseprop import MomentumSGD
from fuseprop.backend import Call, Program, span
from fuseprop.formulas import MOMENTUM

OPTIONS = {
    "momentum": {},
    "regression": {"loss": REGRESSION, "layers": 3},
    "adam": {"optimizer": adam, "loss": "sigmoid_cross_entropy"},
    "clipped": {"optimizer": lambda: MomentumSGD(0.1, clip_norm=1.0), "loss": CLASSIFICATION},
    "slopes of z": {"activation": "gelu", "layers": 3},
    "weighted, dropped": {"weighted": True, "dropout": 0.5, "loss": "mean_absolute_error"},
}


@pytest.fixture
def ours():
    return HostRunBackend("float32")


def named(call):
    """All arrays that a call is given, those of the calls within it too."""
    found = []
    for value in (*call.operands, *call.options.values()):
        if isinstance(value, Call):
            found += named(value)
        elif isinstance(value, tuple):
            found += value
        elif hasattr(getattr(value, "data", None), "ptr"):
            found.append(value)
    return found


@pytest.mark.parametrize("fused", [False, True], ids=["recorded", "fused"])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_call_touches_nothing_that_it_does_not_declare(ours, options, fused):
    made = training(ours, **OPTIONS[options])
    program = made.program(made.batches[0])
    seen = set()
    for call in fuse(program).calls if fused else program.calls:
        given = {span(array): array for array in named(call)}
        nodes = Lowering(ours.seam, ours.dtype).nodes(Program((call,)))
        before = {at: ours.to_host(array) for at, array in given.items()}
        for node in nodes:
            ours.seam.prepare(node)()
        changed = {at for at, array in given.items() if not np.array_equal(ours.to_host(array), before[at])}
        reads, writes = ({span(array) for array in arrays} for arrays in (call.reads, call.writes))
        assert changed <= writes, call.operation
        assert changed or call.access is None, call.operation  # a bias of zeros, for one, changes nothing
        assert {at for node in nodes for at in node.reads} & set(given) <= reads | writes, call.operation
        seen.add(call.operation)
    assert not fused or {"keep_losses", "take_batch"} <= seen
    assert not fused or options == "adam" or "update_and_advance" in seen


def test_fused_operations_write_what_the_calls_that_they_stand_for_write(ours):
    x, order, cursor, out = (ours.zeros((4,)) for _ in range(4))
    copied = Call("take_batch", (order, cursor, (x, None)), {"outs": (out, None)}, TAKE_BATCH)
    assert [span(a) for a in copied.reads] == [span(a) for a in (order, cursor, x)]
    assert [span(a) for a in copied.writes] == [span(out)]
    logits, labels, weights, gradient = (ours.zeros((4,)) for _ in range(4))
    loss = Call("softmax_cross_entropy", (logits, labels, weights), {"losses": out, "gradient": gradient})
    kept = ours.zeros((9,))
    options = {"losses": kept, "hits": None, "bias": x}
    keeping = Call("keep_losses", (loss, None, cursor), options, KEEP_LOSSES)
    assert [span(a) for a in keeping.reads] == [span(a) for a in (logits, labels, weights, cursor, x)]
    assert [span(a) for a in keeping.writes] == [span(a) for a in (out, gradient, kept)]
    update = Call("update", (x, gradient, weights, labels, MOMENTUM), {"decay_ranges": []})
    moving = Call("update_and_advance", (update, cursor, 3), {}, UPDATE_AND_ADVANCE)
    assert [span(a) for a in moving.writes] == [span(a) for a in (x, weights, cursor)]
    assert np.all(ours.to_host(x) == 0)  # looking at a call makes it not
