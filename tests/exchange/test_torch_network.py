"""PyTorch's nn.Sequential, there and back, and a training that goes on in either."""

import numpy as np
import pytest
from exchange_tasks import BATCH, EPOCHS, batches, begun, tasks
from test_torch_files import CONVERTED, is_same, network

from fuseprop import Adam, Dense, MomentumSGD, Network, NotConvertible, from_torch, mlp, save_torch, to_torch
from fuseprop.installing import how_to_install

torch = pytest.importorskip("torch", reason=f"PyTorch is not installed. Type: {how_to_install('torch')}")
nn = torch.nn

EPS = {"float32": 1.2e-7, "float64": 2.3e-16}


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("activation", CONVERTED)
def test_a_module_computes_what_the_network_does_and_comes_back(activation, dtype, rows):
    made = network(activation, dtype=dtype)
    sequential = to_torch(made)
    there = sequential(torch.from_numpy((100 * rows).astype(dtype))).detach().numpy()
    here = made.forward(100 * rows)
    assert there.dtype == here.dtype
    np.testing.assert_allclose(there, here, rtol=0, atol=50 * EPS[dtype] * max(1, abs(here).max()))
    assert is_same(made, from_torch(sequential, "softmax_cross_entropy"))


@pytest.mark.parametrize(
    ("loss", "link"),
    [("softmax_cross_entropy", "Softmax"), ("sigmoid_cross_entropy", "Sigmoid"), ("hinge", None)],
)
def test_predictions_with_the_link(loss, link, rows):
    made = network("relu", loss)
    sequential = to_torch(made, predictions=True)
    there = sequential(torch.from_numpy(rows.astype(np.float32))).detach().numpy()
    np.testing.assert_allclose(there, made.predict(rows), rtol=1e-5, atol=1e-6)
    assert type(sequential[-1]).__name__ == (link or "Linear")
    assert is_same(made, from_torch(sequential, loss))
    with pytest.raises(NotConvertible, match="half_poisson_deviance makes predictions by the exponential"):
        to_torch(network("relu", "half_poisson_deviance"), predictions=True)


def test_weights_are_copies_and_the_generator_is_untouched():
    made = network()
    state = torch.get_rng_state()
    sequential = to_torch(made)
    assert torch.equal(torch.get_rng_state(), state)
    before = made.weights()[0][0].copy()
    with torch.no_grad():
        sequential[0].weight.zero_()
    np.testing.assert_array_equal(made.weights()[0][0], before)
    again = from_torch(sequential, "softmax_cross_entropy")
    with torch.no_grad():
        sequential[0].weight.fill_(1)
    assert not again.weights()[0][0].any()


def test_a_file_is_loaded_by_pytorch(tmp_path, rows):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    made, path = network("gelu"), tmp_path / "net.safetensors"
    save_torch(made, path)
    with safe_open(path, "pt") as file:
        sequential = eval(file.metadata()["modules"], {"nn": nn})
    sequential.load_state_dict(load_file(path))
    x = torch.from_numpy(rows.astype(np.float32))
    assert torch.equal(sequential.eval()(x), to_torch(made)(x))
    save_file(sequential.state_dict(), path)
    again = from_torch(path, "softmax_cross_entropy", activations="gelu")
    np.testing.assert_array_equal(again.weights()[2][0], made.weights()[2][0])
    mapped = from_torch(sequential.state_dict(), "softmax_cross_entropy", activations="gelu")
    np.testing.assert_array_equal(mapped.weights()[2][0], made.weights()[2][0])


def test_nested_modules_flatten_and_identity(rows):
    torch.manual_seed(0)
    sequential = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Identity(), nn.Softplus())),
        nn.Dropout(0.0),
        nn.Flatten(),
        nn.Linear(4, 2),
        nn.Sigmoid(),
    )
    made = from_torch(sequential, "half_squared_error", dtype="float64")
    assert [str(layer.function) for layer in made.layers] == ["softplus", "sigmoid"]
    there = sequential.double()(torch.from_numpy(rows)).detach().numpy()
    np.testing.assert_allclose(made.predict(rows), there, rtol=1e-8)
    as_link = from_torch(sequential, "sigmoid_cross_entropy")
    assert str(as_link.layers[-1].function) == "identity"
    np.testing.assert_allclose(as_link.predict(rows), there, rtol=1e-8)


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(dim=-1)], ids=["Softmax", "LogSoftmax"])
def test_a_softmax_at_the_end_stands_for_its_loss(last):
    assert from_torch(nn.Sequential(nn.Linear(2, 3), last)).loss == "softmax_cross_entropy"
    with pytest.raises(
        NotConvertible, match=r"layer 1 \(.*Softmax\) is the softmax at the end, and the loss hinge"
    ):
        from_torch(nn.Sequential(nn.Linear(2, 3), last), "hinge")


class Mine(nn.Linear):
    """A class of somebody's own."""


def hooked():
    linear = nn.Linear(2, 2)
    linear.register_forward_hook(lambda *_: None)
    return linear


SHARED = nn.Linear(2, 2)
NORMED = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (
            [nn.Conv1d(2, 2, 1)],
            r"layer 0 \(Conv1d\) is none of the modules that can be converted\. Expected Lin",
        ),
        ([nn.Linear(2, 2), nn.BatchNorm1d(2)], r"layer 1 \(BatchNorm1d\) is none"),
        ([nn.LSTM(2, 2)], r"layer 0 \(LSTM\) is none"),
        ([nn.Linear(2, 2), nn.Sequential(nn.ReLU6())], r"layer 1\.0 \(ReLU6\) is none"),
        ([Mine(2, 2)], r"layer 0 \(.*Mine\) is none"),
        ([NORMED], r"layer 0 \(.*ParametrizedLinear\) is none"),
        ([nn.Linear(2, 2), nn.PReLU()], r"layer 1 \(PReLU\) is none"),
        ([hooked()], r"layer 0 \(Linear\) has a hook"),
        ([SHARED, nn.ReLU(), SHARED], r"layer 2 \(Linear\) shares its weight with layer 0 \(Linear\)"),
        (
            [nn.Linear(2, 2), nn.GELU()],
            r"layer 1 \(GELU\) is the exact GELU, .* nn\.GELU\(approximate='tanh'\)",
        ),
        ([nn.Linear(2, 2), nn.Softplus(2)], r"layer 1 \(Softplus\) has beta=2"),
        ([nn.Linear(2, 2), nn.Softplus(1, 5)], r"layer 1 \(Softplus\) has beta=1 and threshold=5"),
        (
            [nn.Linear(2, 2), nn.LeakyReLU(1.5)],
            r"layer 1 \(LeakyReLU\): negative_slope of leaky_relu must be",
        ),
        (
            [nn.Linear(2, 2), nn.ReLU(), nn.Tanh()],
            r"layer 2 \(Tanh\) follows another activation, layer 1 \(ReLU",
        ),
        (
            [nn.Linear(2, 2), nn.Dropout(0.1), nn.ReLU(), nn.Linear(2, 2)],
            r"layer 2 \(ReLU\) follows layer 1 \(Drop",
        ),
        (
            [nn.Linear(2, 2), nn.Dropout(0.1), nn.Dropout(0.1)],
            r"layer 2 \(Dropout\) follows layer 1 \(Dropout",
        ),
        ([nn.Dropout(0.1), nn.Linear(2, 2)], r"layer 0 \(Dropout\) stands before the first dense layer"),
        ([nn.Linear(2, 2), nn.Dropout(0.1)], r"layer 1 \(Dropout\) drops outputs of the network itself"),
        ([nn.Flatten(0), nn.Linear(2, 2)], r"layer 0 \(Flatten\) flattens axes 0 to -1"),
        ([nn.Flatten(1, 1), nn.Linear(2, 2)], r"layer 0 \(Flatten\) flattens axes 1 to 1"),
        ([nn.Linear(2, 2), nn.Flatten(0), nn.Linear(2, 2)], r"layer 1 \(Flatten\) flattens axes 0 to -1"),
        ([nn.Linear(2, 2), nn.Softmax(0)], r"layer 1 \(Softmax\) goes along axis 0"),
        (
            [nn.Linear(2, 2), nn.Softmax(1), nn.Linear(2, 2)],
            r"layer 2 \(Linear\) follows layer 1 \(Softmax\)",
        ),
        ([nn.Linear(2, 2), nn.ReLU(), nn.Softmax(1)], r"layer 2 \(Softmax\) follows layer 1 \(ReLU\)"),
        (
            [nn.Linear(2, 3), nn.Linear(2, 3)],
            r"layer 1 \(Linear\) takes 2 inputs, but layer 0 \(Linear\) gives 3",
        ),
        (
            [nn.Linear(2, 2, dtype=torch.bfloat16)],
            r"^the nn\.Sequential: layer 0 \(Linear\) holds bfloat16\. Convert it there",
        ),
        ([nn.Linear(2, 2, device="meta")], r"^the nn\.Sequential: layer 0 \(Linear\) is on the device meta"),
        (
            [nn.Linear(2, 2, dtype=torch.complex64)],
            r"layer 0 \(Linear\) holds complex64\. Expected float32 or",
        ),
        ([nn.Flatten()], "holds no dense layer"),
    ],
)
def test_what_no_network_has_is_named_by_position_and_class(modules, said):
    with pytest.raises(NotConvertible, match=said):
        from_torch(nn.Sequential(*modules), "half_squared_error")


def test_other_modules_than_a_sequential_are_refused():
    class Net(nn.Sequential):
        def forward(self, x):
            return super().forward(x) + 1

    class Called(nn.Sequential):
        def __call__(self, x):
            return super().__call__(x) + 1

    class Reversed(nn.Sequential):
        def __iter__(self):
            return iter([*super().__iter__()][::-1])

    nets = [kind(nn.Linear(2, 2)) for kind in (Net, Called, Reversed)]
    for module in (nn.Linear(2, 2), *nets, nn.ModuleList([nn.Linear(2, 2)]), None):
        with pytest.raises(NotConvertible, match=f"got {type(module).__name__}, whose `forward`"):
            from_torch(module, "half_squared_error")
    with pytest.raises(ValueError, match="says itself which activations"):
        from_torch(nn.Sequential(nn.Linear(2, 2)), "half_squared_error", activations="relu")


def of_own_doing(change):
    """A nested Sequential, one of whose modules has been changed."""
    sequential = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Tanh(), nn.Linear(2, 2)))
    change(sequential)
    return sequential


HOOKING = (
    *("register_forward_hook", "register_forward_pre_hook"),
    *("register_full_backward_hook", "register_full_backward_pre_hook"),
)


@pytest.mark.parametrize(
    ("place", "module"),
    [
        (r"the nn\.Sequential has", lambda net: net),
        (r"layer 0 \(Linear\) has", lambda net: net[0]),
        (r"layer 1 \(Sequential\) has", lambda net: net[1]),
        (r"layer 1\.0 \(Tanh\) has", lambda net: net[1][0]),
    ],
)
def test_hooks_and_methods_of_an_object_are_refused_wherever_they_are(place, module):
    for hooking in HOOKING:
        made = of_own_doing(lambda net, hooking=hooking: getattr(module(net), hooking)(lambda *_: None))
        with pytest.raises(NotConvertible, match=f"{place} a hook"):
            from_torch(made, "half_squared_error")
    for method in ("forward", "_call_impl", "_slow_forward", "_wrapped_call_impl"):
        made = of_own_doing(lambda net, method=method: setattr(module(net), method, lambda x: 7 * x))
        with pytest.raises(NotConvertible, match=f"{place} {method} of its own"):
            from_torch(made, "half_squared_error")


def test_hooks_of_parameters_and_of_all_modules_are_refused():
    made = of_own_doing(lambda net: net[0].weight.register_hook(lambda g: 2 * g))
    with pytest.raises(NotConvertible, match=r"layer 0 \(Linear\) has a hook"):
        from_torch(made, "half_squared_error")
    for hook in ("register_module_forward_hook", "register_module_forward_pre_hook"):
        handle = getattr(nn.modules.module, hook)(lambda *_: None)
        try:
            with pytest.raises(NotConvertible, match="PyTorch has a hook on all modules"):
                from_torch(nn.Sequential(nn.Linear(2, 2)), "half_squared_error")
        finally:
            handle.remove()


def test_a_flatten_of_rows_changes_nothing(rows):
    sequential = nn.Sequential(nn.Linear(3, 2), nn.Flatten(-1), nn.Flatten(1, 1), nn.Linear(2, 1)).double()
    there = sequential(torch.from_numpy(rows)).detach().numpy()
    np.testing.assert_allclose(from_torch(sequential, "half_squared_error").predict(rows), there, rtol=1e-10)


def test_square_weights_come_in_their_order_and_not_transposed(rows):
    torch.manual_seed(0)
    sequential = nn.Sequential(*(nn.Linear(3, 3) for _ in range(12))).double()
    with torch.no_grad():
        sequential[0].weight.data = sequential[0].weight.data.T  # a view in another order of memory
    there = sequential(torch.from_numpy(rows)).detach().numpy()
    state = sequential.state_dict()
    for source, activations in [
        (sequential, None),
        (state, "identity"),
        (dict(sorted(state.items(), reverse=True)), "identity"),
    ]:
        made = from_torch(source, "half_squared_error", activations=activations)
        np.testing.assert_allclose(made.predict(rows), there, rtol=1e-9)


def test_an_activation_in_front_of_a_loss_with_a_link():
    with pytest.raises(
        NotConvertible, match=r"layer 1 \(ReLU\) is at the end, and the loss sigmoid_cross_entropy"
    ):
        from_torch(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), "sigmoid_cross_entropy")


LOSSES = {
    "half_squared_error": nn.MSELoss(),
    "mean_squared_error": nn.MSELoss(),
    "mean_absolute_error": nn.L1Loss(),
    "huber": nn.HuberLoss(delta=1.5),
    "sigmoid_cross_entropy": nn.BCEWithLogitsLoss(),
    "softmax_cross_entropy": nn.CrossEntropyLoss(),
    "half_poisson_deviance": nn.PoissonNLLLoss(),
}
"""As the docstring of `to_torch` has them."""

OPTIMIZERS = {
    "momentum": (lambda: MomentumSGD(0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, 0.9)),
    "nesterov": (
        lambda: MomentumSGD(0.05, 0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, 0.05, 0.9, nesterov=True),
    ),
    "adam": (  # an epsilon that changes no step: PyTorch adds it at another place
        lambda: Adam(0.01, epsilon=1e-30),
        lambda p: torch.optim.Adam(p, 0.01, eps=1e-30),
    ),
}
BOUNDS = {"float32": 2e-5, "float64": 1e-10}


def trained_there(sequential, optimizer, loss, rows, task):
    """Train for some epochs; return the mean loss of each, as fuseprop counts it."""
    x = torch.from_numpy(rows.astype(sequential[0].weight.detach().numpy().dtype))
    target = torch.from_numpy(task.target)
    target = target if target.ndim == 1 else target.to(x.dtype)
    optimizer, losses = optimizer(sequential.train().parameters()), []
    for _ in range(EPOCHS):
        total = 0.0
        for batch in batches(len(x)):
            optimizer.zero_grad()
            value = task.factor * loss(sequential(x[batch]), target[batch])
            value.backward()
            optimizer.step()
            total += value.item() * len(x[batch])
        losses.append(total / len(x))
    return losses


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_training_goes_on_here_and_there_to_the_same_losses(name, optimizer, dtype, rows):
    task = tasks()[name]
    made = begun(task, rows, dtype)
    ours, theirs = OPTIMIZERS[optimizer]
    sequential = to_torch(made)
    there = trained_there(sequential, theirs, LOSSES[name], rows, task)
    here = made.fit(rows, task.target, ours(), epochs=EPOCHS, batch_size=BATCH, shuffle=False).train_loss
    if name == "half_poisson_deviance":  # PyTorch's lacks t log t - t, of which no gradient depends
        t = task.target
        there = np.add(there, (t * np.log(np.maximum(t, 1)) - t).sum(axis=1).mean())
    np.testing.assert_allclose(here, there, rtol=BOUNDS[dtype])
    back = from_torch(sequential, task.loss)
    for mine, other in zip(made.weights(), back.weights(), strict=True):
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=BOUNDS[dtype])
    assert back.evaluate(rows, task.target) == pytest.approx(made.evaluate(rows, task.target), rel=1e-4)


def test_dense_layers_without_a_hidden_one(rows):
    made = Network([Dense(3, 2, "softsign")], "mean_squared_error", device="cpu", seed=0)
    assert is_same(made, from_torch(to_torch(made), "mean_squared_error"))
    assert len(to_torch(Network(mlp([3, 2]), "hinge", device="cpu"))) == 1
