"""Compiled steps of several processes: they stop where gradients are added up, and nowhere else."""

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.library import NotCompiled, library
from fuseprop_numpy.compiled.recognise import recognise
from fuseprop_numpy.compiled.runner import CompiledStep
from kinds_of_steps import KINDS, kind
from test_replays import WIDE, interruptions

from fuseprop.backend import Call, Program, replay_by_calling
from fuseprop.backend.program import StoppableRunner
from fuseprop.testing.contract.reduction import Alike, in_a_world

try:
    library()
except NotCompiled as why:
    pytest.skip(f"steps are not compiled here: {why}", allow_module_level=True)


def step_of(name, world, **more):
    """Return a training and the program of a step of several processes."""
    training = kind(name, **more)
    if training.examples.x is None:
        training.batches[0].x[...] = np.random.default_rng(5).normal(size=training.batches[0].x.shape)
    gradients = training.stack.parameters.gradients
    return training, in_a_world(training.program(training.batches[0]), gradients, world)


def kept(program):
    """Return the arrays that a program writes and somebody may read."""
    regions, scratch = program.memory.regions, 0
    for array in program.scratch:
        scratch |= regions[id(array)]
    return [array for call in program.calls for array in call.writes if regions[id(array)] & ~scratch]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_step_is_compiled_and_is_the_step(name, dtype):
    """All arrays that somebody may read are within 10 eps for each step."""
    left = []
    for replay in ("compiled", "eager"):
        training, program = step_of(name, world := Alike(3), replay=replay, dtype=dtype)
        training.backend.compile(program)(2)
        assert training.backend.not_compiled is None
        assert world.asked == 2 * [training.stack.parameters.gradients.size]
        left.append(kept(program))
    for ours, theirs in zip(*left, strict=True):
        bound = 20 * np.finfo(dtype).eps * np.maximum(1, np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", KINDS)
def test_one_of_one_process_has_the_bits_of_a_process_that_is_alone(name, dtype):
    bits = []
    for world in (Alike(1), None):
        training, program = step_of(name, world, replay="compiled", dtype=dtype)
        if world is None:
            program = Program(tuple(c for c in program.calls if c.operation != "all_reduce"), program.scratch)
        training.backend.compile(program)(2)
        assert training.backend.why_not_compiled(program) is None
        parameters = training.stack.parameters
        left = [parameters.values, parameters.gradients, *training.optimizer.moments, training.state.losses]
        bits.append([array.tobytes() for array in left])
    assert bits[0] == bits[1]


def test_a_step_may_end_early_where_a_process_is_alone():
    training, program = step_of("plain", Alike(2), replay="compiled")
    assert not isinstance(training.backend.compile(program), StoppableRunner)
    alone = training.program(training.batches[0])
    assert isinstance(training.backend.compile(alone), StoppableRunner)


def twice(program, gradients):
    return Program((*program.calls, Call("all_reduce", (gradients, Alike(3)), {})), program.scratch)


def of_the_weights(program, _):
    call = next(call for call in program.calls if call.operation == "update")
    calls = [each for each in program.calls if each.operation != "all_reduce"]
    calls.insert(calls.index(call), Call("all_reduce", (call.operands[0], Alike(3)), {}))
    return Program(tuple(calls), program.scratch)


def behind_the_clipping(program, _):
    place = [call.operation for call in program.calls].index("all_reduce")
    calls = list(program.calls)
    calls.insert(place + 1, calls.pop(place))
    return Program(tuple(calls), program.scratch)


def of_measured_gradients(program, gradients):
    place = [call.operation for call in program.calls].index("all_reduce")
    calls = list(program.calls)
    calls.insert(place, Call("sum_squares", (gradients,), {"out": np.zeros(1)}))
    return Program(tuple(calls), program.scratch)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (twice, "over all processes is computed by 2 calls"),
        (of_the_weights, "all_reduce is there once more"),
        (behind_the_clipping, "all_reduce comes after clip_norm"),
        (of_measured_gradients, "sum_squares must be done in the midst"),
    ],
)
def test_other_programs_run_as_calls_and_say_why(changed, reason):
    left = []
    for replay in ("compiled", "eager"):
        training, program = step_of("clipped", Alike(3), replay=replay)
        program = changed(program, training.stack.parameters.gradients)
        if replay == "compiled":
            assert reason in training.backend.why_not_compiled(program)
        training.backend.compile(program)(2)
        assert (training.backend.not_compiled is None) == (replay == "eager")
        left.append(kept(program))
    for ours, theirs in zip(*left, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def taken_by(name, functions, times):
    """Take steps; return what is left: values, moments and positions, and whether Ctrl-C was pressed."""
    training, program = step_of(name, Alike(2), replay="compiled", sizes=WIDE)
    step = recognise(program, training.backend.dtype)
    run, interrupted = CompiledStep(functions, step, training.backend.dtype), False
    try:
        run(times)
    except KeyboardInterrupt:
        interrupted = True
    arrays = [training.stack.parameters.values, *training.optimizer.moments, training.state.cursor]
    if step.dropout_step is not None:
        arrays.append(step.dropout_step)
    return b"".join(array.tobytes() for array in arrays), interrupted


@pytest.mark.parametrize("name", ["plain", "everything"])
def test_a_run_that_is_interrupted_anywhere_leaves_a_whole_number_of_steps(name):
    assert interruptions(taken_by, name)


def test_a_step_whose_sum_fails_was_never_begun():
    class Failing(Alike):
        def add(self, array):
            if len(self.asked) == 1:
                raise ConnectionError("a process is gone")
            super().add(array)

    expected, program = step_of("everything", Alike(2), replay="compiled")
    expected.backend.compile(program)(1)
    training, program = step_of("everything", Failing(2), replay="compiled")
    run = training.backend.compile(program)
    with pytest.raises(ConnectionError, match="is gone"):
        run(2)
    for one in (training, expected):
        one.left = [one.stack.parameters.values, *one.optimizer.moments, one.state.cursor]
    for ours, theirs in zip(training.left, expected.left, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_own_sum_is_called():
    class Own(NumpyBackend):
        def all_reduce(self, array, world):
            super().all_reduce(array, world)
            world.asked.append("own")

    _, program = step_of("plain", world := Alike(2))
    backend = Own("float64")
    backend.compile(program)(1)
    assert world.asked[1:] == ["own"]
    replay_by_calling(backend, program)(1)
    assert world.asked.count("own") == 2
