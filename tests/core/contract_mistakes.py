"""Mistakes for a backend, each with the check of the contract that must find it, and what that says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fuseprop_numpy import NumpyBackend

from fuseprop.backend import Call, Program, replay_by_calling
from fuseprop.testing.contract.parity import LARGE

RIGHT = type("Right", (NumpyBackend,), {"softmax": NumpyBackend.softmax})
"""A backend that is right, and replays calls one by one, as those below do."""

STEP = ("softmax_cross_entropy", "tanh", ("plain", "momentum"))
BLOCK = (33, 65)


@dataclass(frozen=True)
class Mistake:
    """Members in place of those that are right, and who finds it.

    Attributes
    ----------
    name : str
    members : mapping
        Of a class on `NumpyBackend`.
    check : str
        A test of `BackendContract`.
    arguments : tuple
        The test's, behind the backend.
    says : str
        A part of the message, as a regular expression.
    """

    name: str
    members: Mapping[str, Any]
    check: str
    arguments: tuple[Any, ...] = ()
    says: str = ""

    def backend(self, dtype: str = "float32") -> NumpyBackend:
        """Return a backend that has the mistake."""
        return type("Mistaken", (RIGHT,), dict(self.members))(dtype)


def share_copies(self, array):
    return np.array(array if isinstance(array, np.ndarray) else np.from_dlpack(array), self.dtype)


def sum_of_squares_in_any_order(self, array, *, out):
    self.turns = getattr(self, "turns", 0) + 1
    RIGHT.sum_squares(self, np.random.default_rng(self.turns).permutation(array), out=out)


def softmax_keeps_floats(self, logits, *, out):
    RIGHT.softmax(self, logits, out=out)
    vars(self).setdefault("kept", []).append(np.zeros(1000, np.float32))


def replay_keeps_floats(self, program):
    run, kept = replay_by_calling(self, program), []

    def replay(times):
        run(times)
        kept.extend(np.zeros(1000, np.float32) for _ in range(times))

    return replay


def product_is_added(self, a, b, *, out):
    out += a @ b


def product_of_halves(self, a, b, *, out):
    out[...] = a.astype(np.float16) @ b.astype(np.float16)


def product_of_what_is_stored(self, a, b, *, out):
    stored = a if a.flags.c_contiguous else a.T.reshape(a.shape)
    RIGHT.matmul(self, stored, b, out=out)


def values_of_float64(self, array, *, out=None, dtype=None):
    return RIGHT.from_host(self, array, out=out, dtype=dtype or np.float64)


def integers_become_floats(self, array, *, out=None, dtype=None):
    return RIGHT.from_host(self, array, out=out)


def from_host_shares(self, array, *, out=None, dtype=None):
    if out is None:
        return np.ascontiguousarray(array, dtype or self.dtype)
    return RIGHT.from_host(self, array, out=out)


def to_host_shares(self, array):
    return array


def cursor_stands_still(self, cursor, by):
    pass


def rows_from_one_on(self, source, order, cursor, *, out):
    start = cursor[0] + 1
    out[...] = source[order[np.minimum(np.arange(start, start + len(out)), len(order) - 1)]]


def rows_at_0(self, values, cursor, *, out):
    out[: len(values)] = values


def bias_forgotten(self, z, bias, activation, *, out, kept=None):
    RIGHT.bias_activation(self, z, None, activation, out=out, kept=kept)


def kept_after_activation(self, z, bias, activation, *, out, kept=None):
    RIGHT.bias_activation(self, z, bias, activation, out=out)
    if kept is not None:
        kept[...] = out


def nan_hidden(self, z, bias, activation, *, out, kept=None):
    RIGHT.bias_activation(self, np.nan_to_num(z, posinf=np.inf, neginf=-np.inf), bias, activation, out=out)
    if kept is not None:
        kept[...] = z if bias is None else z + bias


def bias_gradient_without_slope(self, gradient, point, activation, *, out, bias_gradient):
    sums = gradient.sum(axis=0)
    RIGHT.activation_backward(self, gradient, point, activation, out=out, bias_gradient=bias_gradient)
    bias_gradient[...] = sums


def gradient_written_too(self, gradient, point, activation, *, out, bias_gradient):
    RIGHT.activation_backward(self, gradient, point, activation, out=out, bias_gradient=bias_gradient)
    gradient[...] = out


def mask_of_the_next_step(self, values, rate, seed, step, *, out):
    RIGHT.dropout(self, values, rate, seed, step + 1, out=out)


def factor_forgotten(self, output, target, row_weights, loss, factor, *, losses, gradient):
    RIGHT.loss_of_rows(self, output, target, row_weights, loss, factor, losses=losses, gradient=gradient)
    gradient /= factor


def losses_are_added(self, output, target, row_weights, loss, factor, *, losses, gradient):
    before = losses.copy()
    RIGHT.loss_of_rows(self, output, target, row_weights, loss, factor, losses=losses, gradient=gradient)
    losses += before


def rows_without_weights(self, logits, labels, row_weights, *, losses, gradient):
    same = np.full_like(row_weights, 1 / len(row_weights))
    RIGHT.softmax_cross_entropy(self, logits, labels, same, losses=losses, gradient=gradient)


def exponentials_overflow(self, logits, *, out):
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        out[...] = e / e.sum(axis=1, keepdims=True)


def last_of_equal_scores(self, scores, labels, *, out):
    out[...] = scores.shape[1] - 1 - scores[:, ::-1].argmax(axis=1) == labels


def threshold_is_a_yes(self, scores, target, score_threshold, target_threshold, *, out):
    out[...] = ((scores >= score_threshold) == (target > target_threshold)).all(axis=1)


def clipped_below_the_limit(self, gradients, limit, *, norm):
    norm[0] = np.sqrt((gradients**2).sum())
    gradients *= limit / norm[0]


def decay_everywhere(self, values, gradients, moments, settings, formula, *, decay_ranges):
    RIGHT.update(self, values, gradients, moments, settings, formula, decay_ranges=[(0, values.size)])


def moments_swapped(self, values, gradients, moments, settings, formula, *, decay_ranges):
    RIGHT.update(self, values, gradients, moments, settings, formula, decay_ranges=decay_ranges)
    moments[...] = moments[::-1].copy()


def decay_left_in_gradients(self, values, gradients, moments, settings, formula, *, decay_ranges):
    before = values.copy()
    RIGHT.update(self, values, gradients, moments, settings, formula, decay_ranges=decay_ranges)
    for start, stop in decay_ranges:
        gradients[start:stop] += settings[-1] * before[start:stop]


def once_too_few(self, program):
    run = replay_by_calling(self, program)
    return lambda times: run(times - 1)


def settings_of_the_compilation(self, program):
    calls = [
        Call(call.operation, (*call.operands[:3], call.operands[3].copy(), *call.operands[4:]), call.options)
        if call.operation == "update"
        else call
        for call in program.calls
    ]
    return replay_by_calling(self, Program(tuple(calls), program.scratch))


def calls_in_another_order(self, program):
    calls = list(program.calls)
    calls[0], calls[1] = calls[1], calls[0]
    return replay_by_calling(self, Program(tuple(calls), program.scratch))


def any_device(self, dtype="float32", device="cpu"):
    NumpyBackend.__init__(self, dtype)


def nothing_is_added_up(self, array, world):
    pass


def bias_forgotten_beyond_a_block(self, z, bias, activation, *, out, kept=None):
    whole = len(z) <= 1024
    RIGHT.bias_activation(self, z, bias, activation, out=out, kept=kept)
    if not whole and kept is None and bias is not None:
        out[1024:] = 0


def column_sums_of_whole_blocks(self, gradient, point, activation, *, out, bias_gradient):
    RIGHT.activation_backward(self, gradient, point, activation, out=out, bias_gradient=bias_gradient)
    if len(out) > 2048:
        bias_gradient[...] = out[: len(out) // 32 * 32].sum(axis=0)


def logits_shifted_in_place(self, logits, labels, row_weights, *, losses, gradient):
    RIGHT.softmax_cross_entropy(self, logits, labels, row_weights, losses=losses, gradient=gradient)
    if len(logits) > 1024:
        logits -= logits.max(axis=1, keepdims=True)


def long_products_of_halves(self, a, b, *, out):
    (product_of_halves if a.shape[1] > 512 else RIGHT.matmul)(self, a, b, out=out)


def large_zeros_are_not(self, shape, dtype=None):
    array = RIGHT.zeros(self, shape, dtype)
    if array.size >= 2**18:
        array[-1] = 1
    return array


def cursor_in_float32(self, cursor, by):
    cursor[0] = int(np.float32(cursor[0]) + np.float32(by))


def many_squares_in_any_order(self, array, *, out):
    (RIGHT.sum_squares if array.size < 200_000 else sum_of_squares_in_any_order)(self, array, out=out)


def decay_in_eight_ranges(self, values, gradients, moments, settings, formula, *, decay_ranges):
    ranges = list(decay_ranges)[:8]
    RIGHT.update(self, values, gradients, moments, settings, formula, decay_ranges=ranges)


def nan_is_above_a_threshold(self, scores, target, score_threshold, target_threshold, *, out):
    out[...] = (~(scores <= score_threshold) == (target > target_threshold)).all(axis=1)


def masks_of_16_bits(self, values, rate, seed, step, *, out):
    flat, masked, block = values.reshape(-1), out.reshape(-1), 1 << 16
    for start in range(0, flat.size, block):
        part = slice(start, start + block)
        RIGHT.dropout(self, flat[part], rate, seed, step, out=masked[part])


FAR = r": at \[\d+, \d+\] got \S+, wanted \S+, differs by \S+, bound \S+; \d+ of 2145 elements differ"

MISTAKES = (
    Mistake(
        "share always copies",
        {"share": share_copies},
        "test_arrays_on_the_host_are_shared_as_they_are",
        says=r"share\(a NumPy array float32 \(4, 6\)\), changed in row 2 by its owner: a copy was made",
    ),
    Mistake(
        "squares added up in any order",
        {"sum_squares": sum_of_squares_in_any_order},
        "test_sums_have_the_same_bits_each_time",
        ("sum_squares", (65, 257)),
        r"sum_squares\(array float32 \(16705,\), out float32 \(1,\)\), called again: out: at \[0\] got",
    ),
    Mistake(
        "a leak of 1,000 floats a call",
        {"softmax": softmax_keeps_floats},
        "test_a_thousand_calls_do_not_grow",
        ("softmax",),
        r"softmax\(.*: after \S+ times there are \S+ bytes more on the host, 4,\d+ for each time",
    ),
    Mistake(
        "a leak of 1,000 floats a step",
        {"compile": replay_keeps_floats},
        "test_a_thousand_steps_do_not_grow",
        says="replayed steps: after .* bytes more on the host",
    ),
    Mistake(
        "products are added to what stood there",
        {"matmul": product_is_added},
        "test_the_result_depends_on_exactly_the_declared_arrays",
        ("matmul", False),
        r"matmul\(.*\): out is not to be read, and another content of it makes a difference",
    ),
    Mistake(
        "products of float16", {"matmul": product_of_halves}, "test_matmul", (65, 3, 10), r"matmul\(a .*"
    ),
    Mistake(
        "a transposed factor is taken as it is stored",
        {"matmul": product_of_what_is_stored},
        "test_matmul",
        (65, 3, 10),
        r"matmul\(.* got ",
    ),
    Mistake("values are float64", {"from_host": values_of_float64}, "test_host_arrays_go_there_and_back"),
    Mistake(
        "integers become floats", {"from_host": integers_become_floats}, "test_host_arrays_go_there_and_back"
    ),
    Mistake(
        "from_host shares memory",
        {"from_host": from_host_shares},
        "test_nothing_is_shared_with_the_host",
        (3,),
    ),
    Mistake(
        "to_host returns a view", {"to_host": to_host_shares}, "test_nothing_is_shared_with_the_host", (5000,)
    ),
    Mistake(
        "the cursor stands still",
        {"advance": cursor_stands_still},
        "test_take_rows",
        (3,),
        r"advance|take_rows\(",
    ),
    Mistake(
        "rows from one on", {"take_rows": rows_from_one_on}, "test_take_rows", (3,), r"take_rows\(source"
    ),
    Mistake(
        "rows put at 0", {"put_rows": rows_at_0}, "test_put_rows", (), r"put_rows\(.*: out: at \[0\] got 1"
    ),
    Mistake(
        "the bias is forgotten",
        {"bias_activation": bias_forgotten},
        "test_bias_activation",
        ("tanh", BLOCK),
        r"bias_activation\(z float32 \(33, 65\), bias float32 \(65,\), activation f\(z\) = tanh\(z\), out "
        r"float32 \(33, 65\)\): out" + FAR,
    ),
    Mistake(
        "z is kept after its activation",
        {"bias_activation": kept_after_activation},
        "test_bias_activation",
        ("tanh", BLOCK),
        r"bias_activation\(.*kept float32 \(33, 65\)\)",
    ),
    Mistake(
        "NaN is hidden",
        {"bias_activation": nan_hidden},
        "test_exactly_what_is_computed_from_a_nan_is_nan",
        ("bias_activation, tanh",),
        r"bias_activation\(.*, with a NaN in z at \[3, 2\]: whether out is NaN",
    ),
    Mistake(
        "the bias's gradient lacks the slope",
        {"activation_backward": bias_gradient_without_slope},
        "test_activation_backward",
        ("tanh", BLOCK),
        r"activation_backward\(.*: bias_gradient: at \[\d+\] got",
    ),
    Mistake(
        "what is only read is written too",
        {"activation_backward": gradient_written_too},
        "test_exactly_the_declared_arrays_change",
        ("activation_backward, tanh", False),
        r"bias_gradient, gradient, out changed, bias_gradient, out are to be written",
    ),
    Mistake(
        "the mask of the next step",
        {"dropout": mask_of_the_next_step},
        "test_dropout",
        (BLOCK, 0.5, 0, 0),
        r"dropout\(values float32 \(33, 65\), rate 0.5, seed 0, step int64 \(1,\), out ",
    ),
    Mistake(
        "the gradient lacks the factor",
        {"loss_of_rows": factor_forgotten},
        "test_loss_of_rows",
        ("mean_squared_error", BLOCK),
        r"loss_of_rows\(output .*: gradient" + FAR,
    ),
    Mistake(
        "losses are added to what stood there",
        {"loss_of_rows": losses_are_added},
        "test_the_result_depends_on_exactly_the_declared_arrays",
        ("loss_of_rows, half_squared_error", False),
        "losses is not to be read",
    ),
    Mistake(
        "rows have no weights",
        {"softmax_cross_entropy": rows_without_weights},
        "test_softmax_cross_entropy",
        (BLOCK,),
        r"softmax_cross_entropy\(logits .*: gradient" + FAR,
    ),
    Mistake(
        "exponentials overflow",
        {"softmax": exponentials_overflow},
        "test_softmax",
        (BLOCK,),
        r"softmax\(logits .*: at \[\d+, \d+\] got nan, wanted",
    ),
    Mistake(
        "the last of equal scores",
        {"argmax_equals": last_of_equal_scores},
        "test_argmax_equals",
        ((130, 257),),
        r"argmax_equals\(",
    ),
    Mistake(
        "the threshold is a yes",
        {"threshold_equals": threshold_is_a_yes},
        "test_threshold_equals",
        (BLOCK,),
        r"threshold_equals\(",
    ),
    Mistake(
        "gradients below the limit are scaled too",
        {"clip_norm": clipped_below_the_limit},
        "test_clip_norm",
        (1000,),
        r"clip_norm\(gradients float32 \(1000,\), limit .*: gradients: at",
    ),
    Mistake(
        "weights decay everywhere",
        {"update": decay_everywhere},
        "test_update",
        (1000, "momentum", 0.01),
        r"update\(values .*: values: at",
    ),
    Mistake(
        "moments are swapped",
        {"update": moments_swapped},
        "test_update",
        (1000, "adam", 0.0),
        r"update\(values .*: ",
    ),
    Mistake(
        "gradients are left with their decay",
        {"update": decay_left_in_gradients},
        "test_update",
        (1000, "momentum", 0.01),
        r"update\(values .*: ",
    ),
    Mistake(
        "a step too few",
        {"compile": once_too_few},
        "test_a_replayed_step_is_the_step",
        STEP,
        r"parameters after 1 replayed steps",
    ),
    Mistake(
        "settings of the time of compilation",
        {"compile": settings_of_the_compilation},
        "test_a_replay_sees_what_the_arrays_hold",
    ),
    Mistake(
        "calls in another order",
        {"compile": calls_in_another_order},
        "test_calls_keep_their_order",
    ),
    Mistake("any device is taken", {"__init__": any_device}, "test_unknown_device_is_unavailable"),
    Mistake("nothing is added up", {"all_reduce": nothing_is_added_up}, "test_all_reduce", (63,)),
    Mistake(
        "the bias is forgotten beyond a block",
        {"bias_activation": bias_forgotten_beyond_a_block},
        "test_bias_activation",
        ("tanh", LARGE),
        r"bias_activation\(z float32 \(4099, 5\)",
    ),
    Mistake(
        "column sums of whole blocks",
        {"activation_backward": column_sums_of_whole_blocks},
        "test_activation_backward",
        ("tanh", LARGE),
        r"activation_backward\(.*: bias_gradient: at",
    ),
    Mistake(
        "logits are shifted in place",
        {"softmax_cross_entropy": logits_shifted_in_place},
        "test_softmax_cross_entropy",
        (LARGE,),
        r"softmax_cross_entropy\(logits .*: logits: at",
    ),
    Mistake(
        "long products of float16",
        {"matmul": long_products_of_halves},
        "test_matmul",
        (65, 1031, 3),
        r"matmul\(.* of 195 elements differ",
    ),
    Mistake("large zeros are not", {"zeros": large_zeros_are_not}, "test_allocation", ((2**18 + 1,),)),
    Mistake(
        "NaN is above a threshold",
        {"threshold_equals": nan_is_above_a_threshold},
        "test_nan_is_above_no_threshold",
        says=r"threshold_equals\(.*: out: at \[\d\] got",
    ),
    Mistake(
        "masks repeat after 2^16 elements",
        {"dropout": masks_of_16_bits},
        "test_dropout",
        ((4099, 17), 0.5, 0, 0),
        r"dropout\(values float32 \(4099, 17\)",
    ),
    Mistake(
        "positions are float32",
        {"advance": cursor_in_float32},
        "test_positions_are_whole_numbers",
        says=r"advance\(cursor int64 \(1,\), by 2\): cursor: at \[0\] got",
    ),
    Mistake(
        "many squares added up in any order",
        {"sum_squares": many_squares_in_any_order},
        "test_sums_have_the_same_bits_each_time",
        ("sum_squares", (300, 1001)),
        r"sum_squares\(array float32 \(300300,\)",
    ),
    Mistake(
        "weights decay in eight ranges",
        {"update": decay_in_eight_ranges},
        "test_update",
        (1000, "momentum", 0.01),
        r"update\(values .*: values: at",
    ),
)
