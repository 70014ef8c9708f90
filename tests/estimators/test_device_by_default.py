"""Which device an estimator takes: the one that is named, or FUSEPROP_DEVICE's, or the CPU."""

import pickle

import pytest
from fuseprop_numpy import NumpyBackend
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier as TheirClassifier

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor, from_sklearn
from fuseprop.backend import BackendUnavailable, registry

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Elsewhere(NumpyBackend):
    """The CPU under another name: "elsewhere:0"."""

    device = "elsewhere:0"

    def __init__(self, dtype="float32", device="elsewhere:0"):
        super().__init__(dtype)


class Entry:
    def load(self):
        return Elsewhere


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """An installed backend that "auto" would take, and no variable."""
    installed = {**registry._installed(), "elsewhere": Entry(), "cupy": Entry()}
    monkeypatch.setattr(registry, "_installed", lambda: installed)
    monkeypatch.delenv(registry.VARIABLE, raising=False)


@pytest.fixture
def named(monkeypatch):
    """The variable names the other device."""
    monkeypatch.setenv(registry.VARIABLE, "elsewhere")


def trained(classes, **parameters):
    return MLPClassifier((5,), max_iter=2, random_state=0, **parameters).fit(*classes)


def test_without_a_device_and_a_variable_it_is_the_cpu(classes, monkeypatch):
    """Not "auto", which would take the other one here; an empty variable is none."""
    assert fuseprop.load_backend("auto").device == "elsewhere:0"
    assert trained(classes).device_ == "cpu"
    monkeypatch.setenv(registry.VARIABLE, "")
    assert trained(classes).device_ == "cpu"


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_the_variable_stands_for_a_device_that_nobody_named(named, Estimator, classes, numbers):
    data = classes if Estimator is MLPClassifier else numbers
    model = Estimator(hidden_layer_sizes=(5,), max_iter=2).fit(*data)
    assert model.device is None
    assert model.device_ == "elsewhere:0"
    assert model.partial_fit(*data).device_ == "elsewhere:0"
    assert model.set_params(device="cpu").partial_fit(*data).device_ == "cpu"
    assert clone(model).fit(*data).device_ == "cpu"


def test_predictions_take_the_variables_device_too(classes, monkeypatch):
    model = trained(classes)
    monkeypatch.setenv(registry.VARIABLE, "nowhere")
    with pytest.raises(BackendUnavailable, match="The variable FUSEPROP_DEVICE names this device"):
        model.predict(classes[0])
    assert len(model.set_params(device="cpu").predict(classes[0])) == len(classes[0])


@pytest.mark.parametrize("named", ["nowhere", None])
def test_only_a_device_that_nobody_named_is_the_variables(classes, monkeypatch, named):
    monkeypatch.setenv(registry.VARIABLE, "nowhere")
    for call in (
        lambda: trained(classes, device=named),
        lambda: fuseprop.load_backend(named),
        lambda: fuseprop.Perceptron(device=named),
    ):
        with pytest.raises(BackendUnavailable) as raised:
            call()
        assert ("The variable FUSEPROP_DEVICE names this device." in str(raised.value)) == (named is None)


def test_the_parameter_stays_what_it_was(named, classes):
    """A device that the variable named is not written into copies, which may go elsewhere."""
    model = trained(classes)
    for copied in (clone(model), pickle.loads(pickle.dumps(model))):
        assert copied.get_params()["device"] is None
    assert "device" not in repr(model)
    assert clone(trained(classes, device="cpu")).device == "cpu"


def test_a_loaded_estimator_names_no_device_either(classes, tmp_path, monkeypatch):
    trained(classes).save(tmp_path / "m.safetensors")
    monkeypatch.setenv(registry.VARIABLE, "elsewhere")
    assert MLPClassifier.load(tmp_path / "m.safetensors").device is None
    assert MLPClassifier.load(tmp_path / "m.safetensors", device="cpu").device == "cpu"
    backend = fuseprop.load(tmp_path / "m.safetensors").network.backend
    assert backend.device == "elsewhere:0"
    assert fuseprop.load(tmp_path / "m.safetensors", device="cpu").network.backend.device == "cpu"


def test_conversion_names_no_device(named, classes):
    theirs = TheirClassifier((5,), max_iter=2, random_state=0).fit(*classes)
    assert from_sklearn(theirs).device is None
    assert from_sklearn(theirs, device="cpu").device == "cpu"
