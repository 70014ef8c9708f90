"""The NumPy backend replays programs in three ways: which one runs, how it ends, and what it says."""

import signal
import threading
import time
from itertools import product

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.formulas import Kernels, encode_activation
from fuseprop_numpy.compiled.library import NotCompiled, library
from fuseprop_numpy.compiled.recognise import recognise
from fuseprop_numpy.compiled.runner import CompiledStep, kernels_of
from fuseprop_numpy.compiled.specification import Specification
from kinds_of_steps import BATCH, KINDS, epoch_of, kind

from fuseprop import Perceptron
from fuseprop.backend import ActivationFormula, BackendUnavailable, variable
from fuseprop.backend.expression import COMPARISONS, OPERATIONS, apply, where
from fuseprop.formulas import LOSSES, UPDATES
from fuseprop.formulas.activation import trainable_activations

WHY = ""
try:
    library()
except NotCompiled as why:
    WHY = str(why)

needs_library = pytest.mark.skipif(bool(WHY), reason=f"steps are not compiled here: {WHY}")


@needs_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_step_is_compiled_and_is_the_step(name, dtype):
    """All arrays that somebody may read are within 10 eps for each step."""
    left = []
    for replay in ("compiled", "eager"):
        training = kind(name, replay=replay, dtype=dtype)
        program = training.program(training.batches[0])
        if replay == "compiled":
            assert training.backend.why_not_compiled(program) is None
        if training.examples.x is None:
            training.batches[0].x[...] = np.random.default_rng(5).normal(size=training.batches[0].x.shape)
        training.backend.compile(program)(2)
        assert training.backend.not_compiled is None
        regions, scratch = program.memory.regions, 0
        for array in program.scratch:
            scratch |= regions[id(array)]
        left.append(
            [array for call in program.calls for array in call.writes if regions[id(array)] & ~scratch]
        )
    for ours, theirs in zip(*left, strict=True):
        bound = 20 * np.finfo(dtype).eps * np.maximum(1, np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


@needs_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_perceptron_learns_by_compiled_steps(dtype):
    backend = NumpyBackend(dtype, replay="compiled")
    assert Perceptron(seed=0, backend=backend).fit([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1])
    assert backend.not_compiled is None


@needs_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [family().name for family in LOSSES.values()])
def test_no_combination_of_what_is_built_in_runs_by_calls_or_is_interpreted(loss, dtype):
    kernels = kernels_of(library().functions)
    for activation, update in product(trainable_activations(), UPDATES):
        training = epoch_of(loss=loss, activation=activation, update=update, dtype=dtype, replay="compiled")
        for batch in training.batches:
            program = training.program(batch)
            assert training.backend.why_not_compiled(program) is None
            step = recognise(program, training.backend.dtype)
            told = Specification(step, training.backend.dtype, kernels).struct
            formulas = [told.update, *([] if step.loss is None else [told.loss])]
            for layer in told.layers[: told.layer_count]:
                formulas += [layer.value, layer.slope]
            assert all(formula.kernel >= 0 for formula in formulas), (activation, update)


@needs_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[3, 40, 17, 3], [70, 9, 8, 2]], ids=str)
@pytest.mark.parametrize("update", UPDATES)
def test_interpreted_steps_have_the_bits_of_the_others(monkeypatch, update, sizes, dtype):
    left = []
    for interprets in (False, True):
        if interprets:
            known = kernels_of(library().functions).operations
            monkeypatch.setattr(
                "fuseprop_numpy.compiled.runner.kernels_of", lambda _, known=known: Kernels(operations=known)
            )
        training = epoch_of(
            loss="log_cosh", activation="gelu", update=update, sizes=sizes, dtype=dtype, replay="compiled",
            decays=True, dropout=[0.0, 0.3], weighted=True,
        )  # fmt: skip
        training.backend.compile(training.program(training.batches[0]))(2)
        assert training.backend.not_compiled is None
        left.append((training.stack.parameters.values.copy(), training.state.losses.copy()))
    for ours, theirs in zip(*left, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@needs_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_formula_of_any_operation_is_compiled(dtype):
    """One of one's own has no struct: it is interpreted."""
    z, kernels = variable("z"), kernels_of(library().functions)
    formulas = [apply(name, z, *[2] * (of.arity - 1)) for name, of in OPERATIONS.items() if name != "where"]
    formulas += [where(apply(name, z, 2), z, 1) for name in COMPARISONS]
    for formula in formulas:
        value, _ = encode_activation(ActivationFormula(1 + formula, formula), np.dtype(dtype), kernels)
        assert value.kernel == -1


def test_other_names_are_refused():
    with pytest.raises(ValueError, match='"compiled", "calls" or "eager"'):
        NumpyBackend(replay="captured")


def test_without_a_library_calls_are_what_runs(monkeypatch):
    def none():
        raise NotCompiled("there is no compiler")

    monkeypatch.setattr("fuseprop_numpy.backend.library", none)
    assert NumpyBackend().replay == "calls"
    with pytest.raises(BackendUnavailable, match="there is no compiler"):
        NumpyBackend(replay="compiled")


@needs_library
def test_what_is_no_step_runs_as_calls_and_says_why():
    training = kind("plain", replay="compiled")
    backend, program = training.backend, training.program(training.batches[0])
    assert backend.replay == "compiled"
    backend.compile(program)
    assert backend.not_compiled is None
    other = type(program)(program.calls[:3])
    assert "the loss" in backend.why_not_compiled(other)
    backend.compile(other)(1)
    assert backend.not_compiled == backend.why_not_compiled(other)
    assert "calls" in kind("plain").backend.why_not_compiled(program)


@needs_library
@pytest.mark.parametrize("times", [3, 100])
def test_nothing_beyond_an_array_is_read_or_written(times):
    training = kind("plain", replay="compiled")
    run = training.backend.compile(training.program(training.batches[0]))
    before = training.stack.parameters.values.copy()
    with pytest.raises(IndexError, match="beyond the rows"):
        run(times)
    np.testing.assert_array_equal(training.stack.parameters.values, before)
    run(0)
    run(2)
    assert training.state.cursor[0] == 2 * BATCH


class Interrupting:
    """A library that is left after each unit of work, and in which Ctrl-C is pressed after so many."""

    def __init__(self, functions, after):
        self._functions, self._after = functions, after

    def __getattr__(self, name):
        return getattr(self._functions, name)

    def fuseprop_run(self, step, times, part, patience):
        return self._pressed(self._functions.fuseprop_run(step, times, part, 0))

    def fuseprop_resume(self, step, patience):
        return self._pressed(self._functions.fuseprop_resume(step, 0))

    def _pressed(self, goes_on):
        self._after -= 1
        if self._after < 0:
            raise KeyboardInterrupt
        return goes_on


WIDE = [400, 500, 3]
"""Sizes of a network each unit of whose work is more than the library does between two looks at the clock."""


def taken_by(name, functions, times):
    """Take steps; return what is left: values, moments and positions, and whether Ctrl-C was pressed."""
    training = kind(name, replay="compiled", sizes=WIDE)
    step = recognise(training.program(training.batches[0]), training.backend.dtype)
    run, interrupted = CompiledStep(functions, step, training.backend.dtype), False
    try:
        run(times)
    except KeyboardInterrupt:
        interrupted = True
    arrays = [training.stack.parameters.values, *training.optimizer.moments, training.state.cursor]
    if step.dropout_step is not None:
        arrays.append(step.dropout_step)
    return b"".join(array.tobytes() for array in arrays), interrupted


def interruptions(taken_by, name):
    """Interrupt runs of two steps ever later, until one comes to its end; return how many runs there were.

    ``taken_by(name, functions, times)`` takes so many steps by these functions of the library; it returns the
    bytes that they leave, and whether they were interrupted. Each run must leave those of a whole number of
    steps, no fewer than the run before.
    """
    functions = library().functions
    whole = [taken_by(name, functions, times)[0] for times in range(3)]
    assert len(set(whole)) == 3
    found, interrupted, after = [], True, 0
    while interrupted:
        left, interrupted = taken_by(name, Interrupting(functions, after), 2)
        found.append(whole.index(left))
        after += 1
    assert found == sorted(found)
    assert set(found) == {0, 1, 2}
    return after


@needs_library
@pytest.mark.parametrize("name", ["plain", "everything"])
def test_a_run_that_is_interrupted_anywhere_leaves_a_whole_number_of_steps(name):
    assert interruptions(taken_by, name) > 6


@needs_library
def test_ctrl_c_comes_through_soon():
    """A replay of a quarter of an hour ends long before: a busy machine may take seconds to come back."""
    training = kind("plain", replay="compiled")
    program = training.program(training.batches[0])
    program = type(program)(tuple(c for c in program.calls if c.operation != "advance"), program.scratch)
    run = training.backend.compile(program)
    started = time.perf_counter()
    threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        run(10**9)
    assert time.perf_counter() - started < 60


@needs_library
def test_no_memory_is_an_error(monkeypatch):
    class Full:
        def __getattr__(self, name):
            return getattr(library().functions, name)

        def fuseprop_new_double(self, spec):
            return None

    training = kind("plain")
    step = recognise(training.program(training.batches[0]), np.dtype("float64"))
    with pytest.raises(MemoryError, match="8 rows"):
        CompiledStep(Full(), step, np.dtype("float64"))
