"""Which calls of a step become one launch, which do not, and what a plan knows of the cost."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from fuseprop_cupy.replay.fusion import fuse
from fuseprop_cupy.replay.plan import plan
from host_device import HostRunBackend
from steps import CLASSIFICATION, REGRESSION, adam, training

from fuseprop import MomentumSGD
from fuseprop.backend import INTEGER, Call, Program

LOSSES = [CLASSIFICATION, REGRESSION, "sigmoid_cross_entropy", "half_poisson_deviance", "huber(1.35)"]


@pytest.fixture
def ours():
    return HostRunBackend("float32")


def operations(program):
    return [call.operation for call in program.calls]


def program_of(made, **options):
    return made.program(made.batches[0], **options)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_takes_five_launches_a_layer_and_one(ours, loss, layers):
    program = program_of(training(ours, layers, loss))
    assert plan(ours, program).facts.launches == 5 * layers + 1
    assert plan(ours, program, fused=False).facts.launches > 5 * layers + 2


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({"weighted": True}, ["take_rows"]),
        ({"dropout": 0.5}, ["dropout", "dropout", "advance"]),
        ({"optimizer": lambda: MomentumSGD(0.1, clip_norm=1.0)}, ["clip_norm"]),
        ({"optimizer": adam}, ["take_rows", "advance"]),
    ],
    ids=["weighted", "dropout", "clipped", "adam"],
)
def test_what_does_not_match_stays_as_it_is(ours, options, more):
    found = operations(fuse(program_of(training(ours, **options))))
    for operation in operations(fuse(program_of(training(ours)))):
        found.remove(operation)
    assert sorted(found) == sorted(more)


def test_losses_that_are_no_scratch_are_written(ours):
    """Only what is scratch may be left out."""
    program = program_of(training(ours))
    assert "keep_losses" in operations(fuse(program))
    assert "keep_losses" not in operations(fuse(replace(program, scratch=())))


@pytest.mark.parametrize("rows", [26, 400])
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_clipping_adds_two_launches(ours, layers, rows, monkeypatch):
    """However many blocks share the sum of squares, and the rows of a batch."""
    monkeypatch.setattr("fuseprop_cupy.operations.updates.blocks_for_squares", lambda size: 9)
    clipped = training(
        ours, layers, rows=rows, batch=rows - 18, optimizer=lambda: MomentumSGD(0.1, clip_norm=1.0)
    )
    assert plan(ours, program_of(clipped)).facts.launches == 5 * layers + 1 + 2


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_a_step_of_many_rows_takes_no_more(ours, layers):
    """The sums over their slices are the update's, unless another node reads them first."""
    program = program_of(training(ours, layers, rows=400, batch=300))
    assert plan(ours, program).facts.launches == 5 * layers + 1
    gradients = call_of(program, "update").operands[1]
    reading = with_call_before(
        program, "update", Call("copy", (gradients,), {"out": ours.empty(gradients.shape)})
    )
    names = [one.name.partition("<")[0] for one in plan(ours, reading).facts.each]
    assert names.count("sum_columns") == layers


def call_of(program, operation, number=0):
    return [call for call in program.calls if call.operation == operation][number]


def with_call_before(program, operation, extra):
    """The program with one more call before the first of an operation."""
    place = operations(program).index(operation)
    return replace(program, calls=(*program.calls[:place], extra, *program.calls[place:]))


def test_losses_that_the_step_itself_reads_are_written(ours):
    program = program_of(training(ours))
    losses = call_of(program, "put_rows").operands[0]
    out = ours.empty(losses.shape)
    reading = with_call_before(program, "put_rows", Call("copy", (losses,), {"out": out}))
    assert "keep_losses" not in operations(fuse(reading))


def test_losses_are_not_kept_past_a_cursor_that_moves(ours):
    program = program_of(training(ours))
    cursor = call_of(program, "advance").operands[0]
    moved = with_call_before(program, "put_rows", Call("advance", (cursor, 1), {}))
    assert "keep_losses" not in operations(fuse(moved))


def test_losses_are_not_kept_past_a_reader_of_the_epochs_losses(ours):
    program = program_of(training(ours))
    kept = call_of(program, "put_rows").options["out"]
    reading = with_call_before(program, "put_rows", Call("copy", (kept,), {"out": ours.empty(kept.shape)}))
    assert "keep_losses" not in operations(fuse(reading))


def test_a_metric_of_other_rows_stays(ours):
    """The losses alone are kept where the hits go by another array than the loss."""
    program = program_of(training(ours))
    metric = call_of(program, "argmax_equals")
    other = ours.empty(metric.operands[0].shape)
    calls = [
        replace(call, operands=(other, call.operands[1])) if call is metric else call
        for call in program.calls
    ]
    found = fuse(Program(tuple(calls), program.scratch))
    assert call_of(found, "keep_losses").options["hits"] is None
    assert operations(found).count("argmax_equals") == operations(found).count("put_rows") == 1


def test_a_cursor_that_something_reads_in_between_is_moved_when_it_was(ours):
    program = program_of(training(ours))
    cursor = call_of(program, "advance").operands[0]
    reading = with_call_before(
        program, "advance", Call("copy", (cursor,), {"out": ours.empty((1,), INTEGER)})
    )
    assert operations(fuse(reading))[-2:] == ["copy", "advance"]


def test_gathers_of_other_places_stay_apart(ours):
    program = program_of(training(ours))
    gather = call_of(program, "take_rows")
    source, order, _ = gather.operands
    other = replace(gather, operands=(source, order, ours.zeros((1,), INTEGER)))
    calls = tuple(other if call is gather else call for call in program.calls)
    assert operations(fuse(Program(calls, program.scratch))).count("take_rows") == 2


def test_a_gather_from_what_another_one_writes_stays_behind_it(ours):
    program = program_of(training(ours))
    first, second = call_of(program, "take_rows"), call_of(program, "take_rows", 1)
    chained = replace(second, operands=(second.options["out"], *second.operands[1:]))
    calls = tuple(chained if call is second else call for call in program.calls)
    assert operations(fuse(Program(calls, program.scratch)))[:2] == ["take_rows", "take_rows"]
    assert first in fuse(Program(calls, program.scratch)).calls


def test_a_plan_allocates_only_when_it_is_made(ours):
    """Parts of two column sums, first apart and then together, and the tables of the update."""
    made = training(ours, 2, rows=400, batch=300)
    before = ours.seam.allocations
    facts = plan(ours, program_of(made)).facts
    assert ours.seam.allocations - before == 2 + 1 + 2
    assert facts.launches == 5 * 2 + 1


def test_bytes_are_those_of_the_arrays(ours):
    """By hand, for one layer of 5 inputs and 3 outputs at a batch of 8 rows in float32."""
    program = program_of(training(ours, 1))
    each = {
        one.name.partition("<")[0]: one
        for fused in (False, True)
        for one in plan(ours, program, fused=fused).facts.each
    }
    x, y, labels, settings = 8 * 5 * 4, 8 * 3 * 4, 8 * 8, 3 * 4
    size = 64 * 4  # parameters, padded
    assert each["take_batch"].minimum == 2 * x + 2 * labels + 8 * 8 + 8
    assert each["bias_activation"].minimum == 2 * y + 3 * 4
    assert each["softmax_cross_entropy"].minimum == 2 * y + 3 * 4 + labels + 3 * 8 * 4 + 8
    # The logits are read three times instead of once, and once more for the hits.
    assert each["softmax_cross_entropy"].moved == each["softmax_cross_entropy"].minimum + 3 * y
    assert each["sum_slices"].minimum == y + 3 * 4
    assert each["small_product"].moved == x + y + 5 * 3 * 4
    assert each["update"].minimum == 5 * size + settings + 2 * 8 + 2 * 8


def test_every_block_that_scales_reads_the_parts_of_the_norm(ours, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.operations.updates.blocks_for_squares", lambda size: 9)
    gradients, norm = ours.zeros((64,)), ours.zeros((1,))
    call = Call("clip_norm", (gradients, 1.0), {"norm": norm})
    squares, scale = plan(ours, Program((call,))).facts.each
    assert (squares.minimum, squares.moved) == (64 * 4 + 9 * 4,) * 2
    assert scale.minimum == 2 * 64 * 4 + 9 * 4 + 4
    assert scale.moved == 2 * 64 * 4 + 9 * 9 * 4 + 4


def test_a_copy_moves_its_array_twice(ours):
    a, b = ours.zeros((3, 4)), ours.zeros((3, 4))
    facts = plan(ours, Program((Call("copy", (a,), {"out": b}),))).facts
    assert (facts.launches, facts.products, facts.minimum, facts.moved) == (1, 0, 96, 96)


def test_calls_that_do_not_fit_are_refused(ours):
    a = ours.zeros((3, 4))
    with pytest.raises(ValueError, match=r"must have shape \(3, 4\), got \(4, 3\)"):
        plan(ours, Program((Call("softmax", (a,), {"out": ours.zeros((4, 3))}),)))
    assert np.all(ours.to_host(a) == 0)
