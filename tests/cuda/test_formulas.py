"""Formulas as C++ structs: which name each has, what is compiled for it, and when."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import own
from comparisons import ACTIVATIONS, ELEMENTWISE, UPDATES
from cupy_private import ptx
from fuseprop_cupy.device import device as devices
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.kernel_list import kernels, source
from fuseprop_cupy.formulas import FILE, built_in, functor, kernel_formulas
from host_device import HostRunBackend

from fuseprop.formulas import LOSSES, Activation, Loss, as_activation, as_loss, exp, leaky_relu

FLOAT32 = np.dtype("float32")
FORMULAS = {**ACTIVATIONS, **{name: loss.formula for name, loss in ELEMENTWISE.items()}, **UPDATES}


def test_every_built_in_formula_has_its_struct_in_the_file():
    found = {name: functor(formula) for name, formula in FORMULAS.items()}
    named = {name: each.name for name, each in found.items() if each.built_in}
    assert named == {name: name.title().replace("_", "") for name in found if name not in own_names()}
    assert set(named.values()) == {each.name for each in built_in()}


def own_names():
    return {*own.ACTIVATIONS, *own.LOSSES, *own.UPDATES}


def test_the_file_is_what_the_formulas_make():
    losses = {name: as_loss(name).formula for name in LOSSES if name in ELEMENTWISE}
    activations = {name: formula for name, formula in ACTIVATIONS.items() if name not in own_names()}
    updates = {name: rule for name, rule in UPDATES.items() if name not in own_names()}
    assert FILE.read_text() == kernel_formulas(activations, losses, updates)


def test_two_formulas_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two formulas would be the struct LeakyRelu"):
        kernel_formulas({"leaky_relu": FORMULAS["relu"]}, {"leaky_relu": FORMULAS["huber"]})


def test_a_built_in_formula_that_a_user_writes_is_the_built_in_one():
    mine = Activation("mine", exp, lambda y: y)
    assert functor(mine.formula).name == "Exponential"
    squared = Loss("squared", lambda y, t: (y - t) ** 2)
    assert functor(squared.formula).name == "MeanSquaredError"


def test_the_name_of_any_other_depends_on_its_text_alone():
    name = functor(leaky_relu(0.2).formula).name
    assert name == functor(as_activation("leaky_relu(negative_slope=0.2)").formula).name
    assert name.startswith("Activation_")
    assert name != functor(leaky_relu(0.3).formula).name


@pytest.mark.parametrize("each", [None, *own.FUNCTORS], ids=lambda each: each.name if each else "none")
def test_a_formula_of_ones_own_compiles_alone(each):
    """With the very text and names that the device hands to the compiler."""
    functors = () if each is None else (each,)
    listed = kernels(FLOAT32, functors)
    assert all(kernel.functor is each for kernel in listed.values())
    found = ptx([*listed.keys() | {"advance"}], 90, source(functors))  # it is no template: always compiled
    assert found.keys() == listed.keys() | {"advance"}


def test_a_formula_is_compiled_once_and_those_of_a_long_search_are_let_go(monkeypatch):
    compiled = []

    class Module:
        def __init__(self, code, options, name_expressions):
            compiled.append(name_expressions)

        def get_function(self, name):
            return name

    device = object.__new__(Device)
    device._functions, device._modules, device._dtype = {}, {}, FLOAT32
    device._cupy = SimpleNamespace(RawModule=Module)
    monkeypatch.setattr(devices, "MOST_MODULES", 2)
    made = [list(kernels(FLOAT32, [each]).values()) for each in own.FUNCTORS[:3]]
    for kernel in (*made[0], *made[0], *made[1]):
        assert device._function(kernel) == kernel.expression
    assert compiled == [tuple(each.expression for each in listed) for listed in made[:2]]
    device._function(made[2][0])
    assert len(device._modules) == 1


def test_launches_of_a_long_search_are_let_go(monkeypatch):
    monkeypatch.setattr("fuseprop_cupy.operations.launching.MOST_FORMULAS", 2)
    backend = HostRunBackend("float32")
    z, out = backend.zeros((2, 3)), backend.empty((2, 3))
    for name in ("tanh", "relu", "sigmoid"):
        backend.bias_activation(z, None, ACTIVATIONS[name], out=out)
    assert list(backend._of_formulas) == [ACTIVATIONS["sigmoid"]]
