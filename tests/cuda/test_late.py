"""Training before a device that is far behind: nothing arrives too early, nothing is overwritten too late."""

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from host_device import HostRunBackend
from late_device import LateBackend

from fuseprop import Adam, MomentumSGD, Network, mlp
from fuseprop.schedules import Cosine


def train(backend, *, weighted=False, optimizer=MomentumSGD, **options):
    rng = np.random.default_rng(0)
    X, y, weights = rng.normal(size=(26, 5)), rng.integers(0, 3, 26), rng.uniform(0, 2, 26)
    network = Network(mlp([5, 7, 3], "tanh"), "softmax_cross_entropy", seed=0, backend=backend)
    asked = {"sample_weight": weights if weighted else None} | options
    history = network.fit(X, y, optimizer(0.1), epochs=4, batch_size=8, **asked)
    losses = history.train_loss, history.validation_loss, history.gradient_norms
    return losses, [array.tobytes() for layer in network.weights() for array in layer]


def classifier(solver):
    from fuseprop import MLPClassifier

    return MLPClassifier((6,), solver=solver, max_iter=4, batch_size=16, random_state=0, device="cuda")


def decaying(rate):
    return Adam(Cosine(rate, 4))


RUNS = {
    "shuffled": {},
    "weighted": {"weighted": True},
    "in order, weighted": {"weighted": True, "shuffle": False},
    "with validation and norms": {"validation": 0.3, "norms": True},
    "with other settings in each step": {"optimizer": decaying},
}


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_estimators_too(monkeypatch, solver, weighted):
    base = pytest.importorskip("fuseprop.estimators.base", reason="needs scikit-learn", exc_type=ImportError)
    rng = np.random.default_rng(0)
    X, y, weights = rng.normal(size=(60, 4)), rng.integers(0, 3, 60), rng.uniform(0, 2, 60)
    found = []
    for backend in (HostRunBackend(), LateBackend()):
        monkeypatch.setattr(base, "backend_on", lambda *_, made=backend, **__: made)
        model = classifier(solver)
        model.fit(X, y, weights if weighted else None)
        found.append((model.loss_curve_, [array.tobytes() for array in model.coefs_]))
    assert found[0] == found[1]


@pytest.mark.parametrize("replay", ["captured", "fused", "eager"])
@pytest.mark.parametrize("run", RUNS)
def test_the_same_bits_as_without_delay(run, replay):
    prompt, late = HostRunBackend(replay=replay), LateBackend(replay=replay)
    assert train(prompt, **RUNS[run]) == train(late, **RUNS[run])
    assert late.seam.stream.waits == 0
