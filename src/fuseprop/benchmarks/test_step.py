"""A training step, its parts, and an epoch of steps: every network, activation, backend and dtype."""

from functools import lru_cache

import pytest

from ..backend import AnyBackend
from ..benchmarks.networks import ACTIVATIONS, CASES
from ..benchmarks.problem import make_problem
from ..benchmarks.stepper import Stepper
from .fixtures import Timed

problem_of = lru_cache(maxsize=2)(make_problem)

networks = pytest.mark.parametrize("network", CASES)
activations = pytest.mark.parametrize("activation", ACTIVATIONS)


@pytest.fixture
def stepper(backend: AnyBackend, network: str, activation: str) -> Stepper:
    """Return a network in training whose buffers hold what its first step left."""
    case = CASES[network]
    if case.gpu_only and not backend.device.startswith("cuda"):
        pytest.skip("for GPUs only: one step takes a CPU many seconds")
    made = Stepper(problem_of(case, activation), backend)
    made.run(1)
    made.call()
    return made


@activations
@networks
def test_forward(timed: Timed, stepper: Stepper, network: str) -> None:
    """All layers from gathered rows to the last output."""
    case = CASES[network]
    timed(stepper.forward, group="forward", samples=case.batch, flops=case.forward_flops)


@activations
@networks
def test_backward(timed: Timed, stepper: Stepper, network: str) -> None:
    """From the gradient of the loss to that of every parameter."""
    case = CASES[network]
    timed(stepper.backward, group="backward", samples=case.batch, flops=case.backward_flops)


@pytest.mark.parametrize("activation", ["sigmoid"])
@networks
def test_update(timed: Timed, stepper: Stepper, network: str, backend: AnyBackend) -> None:
    """v = mu v - a g, w = w + v over all parameters: 5 accesses each."""
    moved = 5 * CASES[network].parameters * backend.dtype.itemsize
    timed(stepper.update, group="update", moved=moved)


@activations
@networks
def test_training_step(timed: Timed, stepper: Stepper, network: str, backend: AnyBackend) -> None:
    """Gather, forward, loss, backward, update, recorded and replayed as `fit` does."""
    case = CASES[network]
    moved = case.step_bytes(backend.dtype.itemsize)
    with stepper.session():
        timed(stepper.step, group="step", samples=case.batch, flops=case.step_flops, moved=moved)


@pytest.mark.parametrize("activation", ["sigmoid"])
@networks
def test_called_step(timed: Timed, network: str, activation: str, backend: AnyBackend) -> None:
    """The same step without recording: every layer calls the backend."""
    case = CASES[network]
    if case.gpu_only and not backend.device.startswith("cuda"):
        pytest.skip("for GPUs only: one step takes a CPU many seconds")
    stepper = Stepper(problem_of(case, activation), backend, eager=True)
    stepper.run(1)
    timed(stepper.step, group="step called", samples=case.batch, flops=case.step_flops)


@pytest.mark.parametrize("activation", ["sigmoid"])
@networks
def test_compile(timed: Timed, stepper: Stepper) -> None:
    """Record a step and compile what replays it."""
    timed(stepper.compile, group="compile")


@activations
@networks
def test_epoch(timed: Timed, stepper: Stepper, network: str, activation: str) -> None:
    """The order sent, and every batch learned from."""
    case, problem = CASES[network], problem_of(CASES[network], activation)
    flops = problem.batches * case.step_flops
    with stepper.session():
        timed(stepper.epoch, group="epoch", samples=len(problem.X), flops=flops)
