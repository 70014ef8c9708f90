"""Searches of scikit-learn on a Dask cluster: the same scores, errors as ever, a device for each worker."""

import os
import pickle
import re
from contextlib import nullcontext
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from distributed import Client, LocalCluster
from fuseprop_numpy import NumpyBackend
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from fuseprop import MLPClassifier, MLPRegressor
from fuseprop.backend import BackendUnavailable, registry
from fuseprop.backend.registry import load_backend
from fuseprop.estimators.cluster import _Devices, give_devices

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def client():
    """That of two worker processes, which end with it."""
    options = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
    before = dict(os.environ)  # in which Dask sets OMP_NUM_THREADS=1 and the like for good
    try:
        with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
            os.environ.update(before)
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            yield client
    finally:
        os.environ.update(before)


def _score(model, X, y):
    return model.score(X, y)


def _process(model, X, y):
    return os.getpid()


def _device(model, X, y):
    return int(model.device_[-1])


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_search_gives_the_same_bits(client, kind, classes, numbers):
    X, y = classes if kind is MLPClassifier else numbers
    search = GridSearchCV(
        kind(hidden_layer_sizes=(5,), max_iter=30, tol=10, n_iter_no_change=3, random_state=0),
        {"learning_rate_init": [0.01, 0.003]},
        scoring={"score": _score, "process": _process},
        refit="score",
    )
    alone = clone(search).fit(X, y)
    with parallel_config("dask"):
        search.fit(X, y)
    splits = [f"split{i}_test" for i in range(5)]
    assert {pid for split in splits for pid in alone.cv_results_[f"{split}_process"]} == {os.getpid()}
    workers = set(client.run(os.getpid).values())
    assert {pid for split in splits for pid in search.cv_results_[f"{split}_process"]} <= workers
    for name in [f"{split}_score" for split in splits] + ["mean_test_score", "std_test_score"]:
        np.testing.assert_array_equal(search.cv_results_[name], alone.cv_results_[name], name)
    np.testing.assert_array_equal(search.predict(X), alone.predict(X))


def test_a_device_that_no_worker_has_is_the_usual_error(client, classes):
    search = GridSearchCV(MLPClassifier(device="nowhere"), {"alpha": [0.1, 0.2]}, error_score="raise")
    with parallel_config("dask"), pytest.raises(BackendUnavailable, match="'nowhere' is neither a device"):
        search.fit(*classes)


class Numbered(NumpyBackend):
    """The CPU as some devices: "numbered:0", "numbered:1", ..."""

    there = 1

    def __init__(self, dtype="float32", device="0"):
        if int(device) >= self.there:
            raise BackendUnavailable(f"there is no device {device}.")
        super().__init__(dtype)
        self.device = f"numbered:{device}"


class Entry:
    def load(self):
        return Numbered


def _install(there):
    """Have so many numbered devices in a worker."""
    installed = {**registry._installed(), "numbered": Entry()}
    registry._installed = lambda: installed
    Numbered.there = there


def test_more_workers_than_devices_are_refused(client):
    client.run(_install, 1)
    with pytest.raises(BackendUnavailable) as raised:
        give_devices(client, "numbered")
    assert "worker 1, one of 2 workers on " in str(raised.value)
    assert "cannot compute on 'numbered:1': there is no device 1. Start as many workers" in str(raised.value)
    assert set(client.run(os.getenv, registry.VARIABLE).values()) == {None}


def test_each_worker_computes_on_a_device_of_its_own(client, classes):
    client.run(_install, 2)
    assert give_devices(client, "numbered") == {0: "numbered:0", 1: "numbered:1"}
    search = GridSearchCV(
        MLPClassifier((5,), max_iter=30, tol=10, n_iter_no_change=3, random_state=0),
        {"alpha": [0.1, 0.2]},
        scoring={"process": _process, "device": _device},
        refit=False,
    )
    with parallel_config("dask"):
        found = search.fit(*classes).cv_results_
    expected = {
        client.run(os.getpid)[address]: int(device[-1])
        for address, device in client.run(os.getenv, registry.VARIABLE).items()
    }
    assert sorted(expected.values()) == [0, 1]
    for split in range(5):
        for process, device in zip(
            found[f"split{split}_test_process"], found[f"split{split}_test_device"], strict=True
        ):
            assert expected[process] == device


def test_a_worker_that_starts_again_has_its_device(monkeypatch):
    """Its process is a new one, which sets up the plugins that the scheduler holds."""
    monkeypatch.setenv(registry.VARIABLE, "")
    plugin = pickle.loads(pickle.dumps(_Devices({0: "cuda:0", 1: "cuda:1"})))
    plugin.setup(SimpleNamespace(name=1))
    assert os.environ[registry.VARIABLE] == "cuda:1"


def test_a_worker_that_joins_later_computes_on_no_device(monkeypatch):
    """Rather than on the one of another worker, or on the CPU in silence."""
    monkeypatch.setenv(registry.VARIABLE, "")
    _Devices({0: "cuda:0"}).setup(SimpleNamespace(name=1))
    with pytest.raises(BackendUnavailable, match=r"give_devices\(client\), which has to be called again"):
        load_backend()


def test_workers_in_one_process_and_no_workers_are_refused():
    places = {}
    client = SimpleNamespace(run=lambda function: places)
    with pytest.raises(ValueError, match="no workers yet"):
        give_devices(client)
    places.update({name: ("here", 1, name) for name in (0, 1)})
    with pytest.raises(ValueError, match="some workers share a process"):
        give_devices(client)


def test_the_workers_of_each_machine_are_counted_by_themselves():
    places = [("a", 1, 0), ("b", 1, 1), ("a", 2, 10), ("a", 3, 2)]
    registered = []
    client = SimpleNamespace(
        run=lambda function, *rest: {
            place[2]: (place[0], place[2], None) if rest else place for place in places
        },
        register_plugin=registered.append,
    )
    assert give_devices(client) == {0: "cuda:0", 2: "cuda:1", 10: "cuda:2", 1: "cuda:0"}
    assert len(registered) == 1


def test_the_readme_shows_a_search_that_runs(client, monkeypatch, capsys):
    """On the workers that are there already: a cluster of its own would take twice the time of this file."""
    asked = []

    def there(**options):
        asked.append(signature(LocalCluster).bind(**options).arguments)
        return nullcontext(client.cluster)

    section = README.read_text().partition("## From scikit-learn")[2].partition("\n## ")[0]
    (script,) = re.findall(r"```python\n(from dask.*?)```", section, re.DOTALL)
    monkeypatch.setattr("dask.distributed.LocalCluster", there)
    exec(script, {"__name__": "__main__"})
    assert asked == [{"n_workers": 2, "threads_per_worker": 1}]
    assert re.fullmatch(r"\{'alpha': 0\.\d+\} 0\.9\d+\n", capsys.readouterr().out)
