"""Every kernel, run on the CPU, against the NumPy backend and against higher precision."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from accuracy import activation_errors, activation_ulps, loss_errors, softmax_errors
from comparisons import ACTIVATIONS, ELEMENTWISE, UPDATES, Comparison, outputs_and_targets, point_of
from far import LONG_WALKS, NEVER_LONG, compare_far
from fuseprop_cupy.device.kernel_list import BLOCK
from fuseprop_cupy.operations.updates import blocks_for_squares
from fuseprop_numpy import NumpyBackend
from host_device import HostRunBackend
from own import kernels

from fuseprop.backend import INTEGER

DTYPES = ["float32", "float64"]
BOUNDARIES = [1, 2, 3, 31, 32, 33, 127, 128, 129, 257]
LENGTHS = st.sampled_from(BOUNDARIES) | st.integers(1, 300)
FEW = st.integers(1, 12)
SHAPES = st.tuples(LENGTHS, FEW) | st.tuples(FEW, LENGTHS)
"""Rows and columns, few of one of them: a thousand elements take half a second, in all operations."""


@pytest.fixture(params=DTYPES)
def ours(request):
    return HostRunBackend(request.param)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_activations_within_4_ulp(ours, activation):
    assert activation_ulps(ours, ACTIVATIONS[activation]) <= 4


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_its_slope_within_4_eps(ours, activation):
    """A slope of z may have 20, where the sum of two parts is multiplied by z."""
    formula = ACTIVATIONS[activation]
    errors = activation_errors(ours, formula)
    assert errors["bias_activation"] <= 4
    assert errors["activation_backward"] <= (20 if formula.slope_of == "z" else 4)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 30.0, 1e30])
@pytest.mark.parametrize("k", [1, 10, 33])
def test_softmax_and_losses_within_4_eps(ours, k, scale):
    errors = {"softmax": softmax_errors(ours, k, scale)}
    errors |= {name: loss_errors(ours, loss, k, scale) for name, loss in ELEMENTWISE.items()}
    assert {name: found for name, found in errors.items() if max(found.values()) > 4} == {}


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(DTYPES), SHAPES, st.integers(0, 2**32 - 1))
@example("float32", (1, 1), 0)
@example("float64", (1, 1), 0)
@example("float32", (129, 65), 0)
@example("float64", (257, 33), 0)
@example("float32", (2, 4096), 0)
def test_parity_with_numpy_at_any_shape(dtype, shape, seed):
    Comparison(HostRunBackend(dtype)).everything(*shape, np.random.default_rng(seed))


@pytest.mark.parametrize("length", BOUNDARIES)
def test_parity_at_the_boundaries_of_warps_and_blocks(ours, length):
    Comparison(ours).everything(length, 5, np.random.default_rng(length))
    Comparison(ours).everything(3, length, np.random.default_rng(length))


def test_all_kernels_of_the_list_are_compared(ours):
    Comparison(ours).everything(300, 8, np.random.default_rng(0))
    assert set(ours._device.launched) == set(kernels(ours.dtype))


def test_threads_take_several_items_where_blocks_run_out(ours, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.device.launch.MAX_BLOCKS", 2)
    monkeypatch.setattr("fuseprop_cupy.operations.dense.MAX_SLICES", 3)
    Comparison(ours).everything(700, 5, np.random.default_rng(0))
    Comparison(ours).update(3000, np.random.default_rng(0))


def test_threads_add_up_several_columns_where_blocks_run_out(ours, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.device.launch.MAX_BLOCKS", 2)
    monkeypatch.setattr("fuseprop_cupy.operations.dense.SLICE", 2)
    Comparison(ours).steps(5, 600, np.random.default_rng(0))


def test_more_parts_of_a_sum_than_a_block_has_threads(ours, monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.operations.updates.SQUARES_PER_THREAD", 1)
    compare, values = Comparison(ours), np.random.default_rng(0).normal(size=130 * BLOCK + 1)
    compare("sum_squares", {"array": values}, {"out": (1,)})
    compare.clip(values, 0.1)


@pytest.mark.parametrize(("size", "blocks"), [(1, 1), (512, 1), (513, 2), (101_770, 199), (2**33, 1024)])
def test_a_sum_of_squares_takes_the_blocks_that_its_array_fills(size, blocks):
    """Four elements a thread, up to about as many blocks as a GPU runs at a time."""
    assert blocks_for_squares(size) == blocks


@pytest.mark.parametrize("dtype", DTYPES)
def test_indices_beyond_the_range_of_32_bits(dtype):
    """Every kernel, but for those that take minutes, or no such arrays."""
    assert compare_far(dtype) == {
        name for name in kernels(np.dtype(dtype)) if name.partition("<")[0] not in LONG_WALKS | NEVER_LONG
    }


NOT_FINITE = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("bad", NOT_FINITE)
def test_nan_and_infinity_go_where_they_go_in_numpy(ours, bad):
    """One bad number at a time; each result has nan and infinity in the same places."""
    compare, rng = Comparison(ours), np.random.default_rng(0)
    n, k = 6, 37
    z, t = rng.normal(size=(n, k)), rng.uniform(size=(n, k))
    weights, labels = rng.uniform(size=n), rng.integers(0, k, n)
    z[1, 0] = z[2, k - 1] = z[3, labels[3]] = bad
    out = {"losses": (n,), "gradient": (n, k)}
    for formula in ACTIVATIONS.values():
        kept = {"kept": (n, k)} if formula.slope_of == "z" else {}
        compare("bias_activation", {"z": z, "bias": z[0]}, {"out": (n, k), **kept}, formula)
        for inputs in ({"gradient": z, "point": t}, {"gradient": t, "point": point_of(formula, z)}):
            compare("activation_backward", inputs, {"out": (n, k), "bias_gradient": (k,)}, formula)
    for loss in ELEMENTWISE.values():
        output, target = outputs_and_targets(loss, z, rng)
        values = {"output": output, "target": target, "row_weights": weights}
        compare("loss_of_rows", values, out, loss.formula, 0.5)
        if loss.low == -np.inf:
            compare("loss_of_rows", {**values, "output": target, "target": output}, out, loss.formula, 0.5)
    compare.clip(z.ravel(), 1.0)
    compare("softmax_cross_entropy", {"logits": z, "labels": labels, "row_weights": weights}, out)
    kept = [backend.zeros((n, k)) for backend in (ours, compare.numpy)]
    for backend, place in zip((ours, compare.numpy), kept, strict=True):
        step = backend.zeros((1,), INTEGER)
        backend.dropout(backend.from_host(np.full((n, k), bad)), 0.5, 9, step, out=place)
    compare.agree(ours.to_host(kept[0]), kept[1], exactly=True)
    compare("softmax", {"logits": z}, {"out": (n, k)})
    compare("argmax_equals", {"scores": z, "labels": labels}, {"out": (n,)})
    compare("threshold_equals", {"scores": z, "target": t}, {"out": (n,)}, 0.0, 0.5)
    for rule in UPDATES.values():
        both = [updated(compare, backend, rule, bad) for backend in (ours, compare.numpy)]
        for actual, expected in zip(*both, strict=True):
            compare.agree(actual, expected)


def updated(compare, backend, rule, bad):
    """What becomes of values, gradients and moments, each of which is bad at a place of its own."""
    starts = np.ones((2 + len(rule.moments), 2 + len(rule.moments)))
    np.fill_diagonal(starts, bad)
    arrays = compare.state(backend, rule, starts)
    with np.errstate(all="ignore"):
        backend.update(*arrays, rule, decay_ranges=[(0, 1)])
    return [backend.to_host(array) for array in arrays]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_goes_through_an_activation_forward_and_backward(ours, name):
    """Through every formula, whatever NumPy does: out, kept and the gradient are NaN where an input is."""
    formula, bad = ACTIVATIONS[name], np.array([[np.nan, 1.0, -1.0], [0.5, np.nan, 2.0]])
    z, ones = map(ours.from_host, (bad, np.ones((2, 3))))
    out, kept, delta, sums = (ours.empty(shape) for shape in ((2, 3), (2, 3), (2, 3), (3,)))
    ours.bias_activation(z, None, formula, out=out, kept=kept)
    np.testing.assert_array_equal(np.isnan(ours.to_host(out)), np.isnan(bad))
    np.testing.assert_array_equal(ours.to_host(kept), bad.astype(ours.dtype))
    points = [] if formula.slope_of is None else [(ones, kept if formula.slope_of == "z" else out)]
    for gradient, point in (*points, (z, ones)):
        ours.activation_backward(gradient, point, formula, out=delta, bias_gradient=sums)
        np.testing.assert_array_equal(np.isnan(ours.to_host(delta)), np.isnan(bad))
        np.testing.assert_array_equal(np.isnan(ours.to_host(sums)), [True, True, False])


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("place", ["output", "target", "row_weights"])
def test_nan_goes_through_a_loss(ours, name, place):
    values = {"output": np.full((2, 3), 0.5), "target": np.ones((2, 3)), "row_weights": np.ones(2)}
    values[place].flat[-1] = np.nan
    losses, gradient = ours.empty((2,)), ours.empty((2, 3))
    arrays = map(ours.from_host, values.values())
    ours.loss_of_rows(*arrays, ELEMENTWISE[name].formula, 1.0, losses=losses, gradient=gradient)
    weighted = place == "row_weights"
    np.testing.assert_array_equal(np.isnan(ours.to_host(losses)), [False, not weighted])
    expected = [[False] * 3, [weighted, weighted, True]]
    np.testing.assert_array_equal(np.isnan(ours.to_host(gradient)), expected)


@pytest.mark.parametrize("name", UPDATES)
def test_nan_goes_through_an_update(ours, name):
    """From a gradient to the parameter and its moments, from a parameter to itself."""
    rule = UPDATES[name]
    starts = np.ones((2 + len(rule.moments), 3))
    starts[1, 1] = starts[0, 2] = np.nan
    values, gradients, moments, settings = Comparison(ours).state(ours, rule, starts)
    ours.update(values, gradients, moments, settings, rule, decay_ranges=[])
    np.testing.assert_array_equal(np.isnan(ours.to_host(values)), [False, True, True])
    for row in ours.to_host(moments):
        np.testing.assert_array_equal(np.isnan(row), [False, True, False])


def test_several_nan_the_first_one_wins(ours):
    scores = np.full((5, 70), np.nan)
    scores[1, :3] = scores[2, :40] = scores[3, ::2] = 1.0
    for label in (0, 1, 3, 40):
        Comparison(ours)("argmax_equals", {"scores": scores, "labels": np.full(5, label)}, {"out": (5,)})


def test_one_miss_anywhere_in_a_row_is_a_miss(ours):
    """Also where the thread that finds it finds later columns right."""
    k = 67  # more than two columns a thread, however many share a row
    scores, out = ours.from_host(np.vstack([np.eye(k), np.zeros(k)])), ours.empty((k + 1,))
    ours.threshold_equals(scores, ours.zeros((k + 1, k)), 0.5, 0.5, out=out)
    np.testing.assert_array_equal(ours.to_host(out), [*np.zeros(k), 1])


@pytest.mark.parametrize("scale", [1e-42, 1e-37, 1e18])
def test_numbers_near_the_ends_of_the_range(ours, scale):
    """Denormal and huge numbers through everything that multiplies."""
    compare, rng = Comparison(ours), np.random.default_rng(0)
    z, weights = rng.normal(size=(40, 6), scale=scale), rng.uniform(size=40)
    for name, formula in ACTIVATIONS.items():
        if scale < 1 or name != "exponential":
            compare("bias_activation", {"z": z, "bias": z[0]}, {"out": (40, 6)}, formula)
    out = {"losses": (40,), "gradient": (40, 6)}
    values = {"output": z, "target": np.abs(np.tanh(z)), "row_weights": weights}
    for loss in ELEMENTWISE.values():
        if scale < 1 or loss.link != "exponential":
            compare("loss_of_rows", values, out, loss.formula, 0.5)
    compare("softmax", {"logits": z}, {"out": (40, 6)})


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam"])
def test_without_decay_weights_that_are_not_finite_stay_as_they_are(ours, name):
    """0 times infinity would make them nan."""
    rule, values = UPDATES[name], []
    for backend in (ours, NumpyBackend(ours.dtype.name)):
        starts = np.vstack([[np.inf, -np.inf, 1.0], np.ones((1 + len(rule.moments), 3))])
        arrays = Comparison(ours).state(backend, rule, starts, decay=0.0)
        backend.update(*arrays, rule, decay_ranges=[(0, 3)])
        values.append(backend.to_host(arrays[0]))
    np.testing.assert_array_equal(values[0][:2], [np.inf, -np.inf])
    Comparison(ours).agree(*values)


def test_relu_gives_no_negative_zero(ours):
    """Its reciprocal would be minus infinity."""
    out = ours.empty((1, 3))
    ours.bias_activation(ours.from_host(np.array([[-0.0, 0.0, -1.0]])), None, ACTIVATIONS["relu"], out=out)
    assert not np.signbit(ours.to_host(out)).any()
