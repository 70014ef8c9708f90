"""To and from PyTorch's `nn.Sequential`, and its state dicts as .safetensors files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import HostArray
from ..checks.quoting import counted, literal, shown
from ..data.errors import listed
from ..formulas.activation import AnyActivation
from ..formulas.loss import AnyLoss
from ..installing import how_to_install
from ..network import Network
from .chain import Chain, place_of
from .errors import NotConvertible
from .torch_files import in_order, read_state_dict, write_state_dict
from .torch_modules import Module, modules_of, read, weights_in

ARGUMENTS = (
    *("negative_slope", "alpha", "approximate", "beta", "threshold"),
    *("p", "dim", "start_dim", "end_dim"),
)
"""What modules keep of the arguments that they were made with."""

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
"""Where a module keeps its hooks; those of all modules are in `torch.nn.modules.module` behind "_global"."""


def to_torch(network: Network, *, predictions: bool = False) -> Any:
    """Return an `nn.Sequential` with copies of the weights: Linear, activations and Dropout.

    It is on the CPU, in the network's dtype, and in evaluation mode: dropout acts after ``.train()``. For
    rows x (n, d) it returns what `Network.forward` does, (n, k): for the cross-entropies logits, for the
    Poisson deviance logarithms of means.

    Parameters
    ----------
    network : Network
        Of a `Model`, its `network`, whose inputs are what `Model.encode_inputs` returns.
    predictions : bool
        Whether the loss's link stands at the end, a Softmax or Sigmoid: then it returns what
        `Network.predict` does.

    Both libraries take the mean over the rows of a batch. Over the k outputs PyTorch's losses take the mean
    too, so that for the losses that fuseprop adds up over outputs, its value and gradient are k times theirs:

    =======================  ========================================  ================================
    loss                     PyTorch's, of what the module returns     fuseprop's is it times
    =======================  ========================================  ================================
    half_squared_error       MSELoss()                                 k / 2
    mean_squared_error       MSELoss()                                 1
    mean_absolute_error      L1Loss()                                  1
    huber(delta)             HuberLoss(delta=delta)                    1
    sigmoid_cross_entropy    BCEWithLogitsLoss()                       k
    softmax_cross_entropy    CrossEntropyLoss()                        1
    half_poisson_deviance    PoissonNLLLoss()                          k, plus a term of targets alone
    log_cosh                 none
    quantile, hinge          none
    =======================  ========================================  ================================

    ``torch.optim.SGD(lr, momentum)`` keeps v / -lr where `MomentumSGD` keeps v: at a constant rate their
    steps are equal. ``torch.optim.Adam`` adds eps to sqrt(v / (1 - b2^t)), `Adam` to sqrt(v).

    Raises NotConvertible for an activation that torch.nn has no module for, such as "exponential", "step" and
    one's own; ModuleNotFoundError, with the line to type, without PyTorch.

    Examples
    --------
    >>> from fuseprop import Network, mlp, to_torch
    >>> network = Network(mlp([4, 16, 3], "tanh"), "softmax_cross_entropy", seed=0)
    >>> module = to_torch(network)  # doctest: +SKIP
    >>> len(module)  # doctest: +SKIP
    3
    """
    torch = _torch()
    modules = modules_of(network, predictions=predictions)
    dtype = getattr(torch, str(network.backend.dtype))
    made = []
    for kind, arguments in modules:
        if kind == "Linear":  # without starting weights, which would be drawn from PyTorch's generator
            made.append(torch.nn.utils.skip_init(torch.nn.Linear, **arguments, dtype=dtype))
        else:
            made.append(getattr(torch.nn, kind)(**arguments))
    sequential = torch.nn.Sequential(*made)
    state = weights_in(modules, network.weights())
    sequential.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return sequential.eval()


def from_torch(
    source: Any,
    loss: str | AnyLoss | None = None,
    *,
    activations: AnyActivation | Sequence[AnyActivation] | None = None,
    device: str | None = None,
    dtype: str | None = None,
    seed: int | np.random.Generator | None = None,
) -> Network:
    """Return the network of an `nn.Sequential` or its .safetensors file, with copies of the weights.

    Parameters
    ----------
    source : nn.Sequential, path, or mapping
        Modules on any device, of exactly these classes: Linear, Dropout behind activations, Flatten,
        Identity, nested Sequentials, and the activations that fuseprop has. A path, or a mapping as
        ``state_dict()`` returns it, has "0.weight" (m, d) and "0.bias" (m,), in the order of the numbers in
        their names; reading one needs no PyTorch.
    loss : str or Loss, optional
        As for `Network`; a file that `save_torch` wrote knows it, and a Softmax or LogSoftmax at the end
        stands for "softmax_cross_entropy". A Sigmoid at the end is the link of "sigmoid_cross_entropy", and
        an activation to all other losses. `to_torch` says which losses correspond.
    activations : str, Activation, or a sequence of them, optional
        Those of a state dict, which does not say them itself: one for all hidden layers, one for each, or one
        for each layer.
    device, dtype, seed
        As for `Network`; dtype is by default that of the weights.

    A Linear without a bias gets one of 0, with a warning. What concerns training alone (the optimizer, frozen
    parameters, the mode) stays behind. Softplus is z above PyTorch's threshold of 20, which in float64
    differs by up to 2e-9 from fuseprop's.

    Raises NotConvertible, a ValueError that names position and class, for other modules, subclasses among
    them, those with hooks, methods of their own (``module.forward = ...``) or shared weights, those of other
    dtypes, for pickles (.pt, .pth), which are never read, and for damaged files; ValueError for a missing
    loss.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import from_torch
    >>> weights = {"0.weight": np.ones((3, 2)), "0.bias": np.zeros(3)}
    >>> weights |= {"2.weight": np.ones((1, 3)), "2.bias": np.zeros(1)}
    >>> network = from_torch(weights, "half_squared_error", activations="relu")
    >>> network.predict([[1.0, 2.0]])
    array([[9.]])
    """
    if isinstance(source, str | os.PathLike):
        chain, kept = _of_file(Path(source), activations)
        loss = kept if loss is None else loss
    elif isinstance(source, Mapping):
        chain = Chain("the state dict")
        _take_state_dict(
            chain,
            {name: _host(f"{chain.whole}: {name}", array) for name, array in source.items()},
            activations,
        )
    else:
        chain = _of_modules(source, activations)
    return chain.network(loss, device=device, dtype=dtype, seed=seed)


def save_torch(network: Network, path: str | Path) -> None:
    """Write a .safetensors file with the state dict of `to_torch`, as PyTorch names and lays out weights.

    ``sequential.load_state_dict(safetensors.torch.load_file(path))`` reads it in PyTorch; its metadata hold
    the modules as Python under "modules", and `from_torch` makes the network again of it. PyTorch is needed
    for neither. The file is replaced whole, or stays as it was.

    Raises NotConvertible as `to_torch`, OSError where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from fuseprop import Network, from_torch, mlp, save_torch
    >>> network = Network(mlp([2, 3, 1], "tanh"), "sigmoid_cross_entropy", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_torch(network, f"{folder}/net.safetensors")
    ...     again = from_torch(f"{folder}/net.safetensors")
    >>> again.loss, bool((again.predict([[1, 2]]) == network.predict([[1, 2]])).all())
    ('sigmoid_cross_entropy', True)
    """
    modules = modules_of(network)
    write_state_dict(path, weights_in(modules, network.weights()), modules, network.stack.loss)


def _torch() -> Any:
    try:
        return import_module("torch")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(
            f"a network for PyTorch needs torch, which is not installed. Type: {how_to_install('torch')}.",
            name="torch",
        ) from error


def _of_file(
    path: Path, activations: AnyActivation | Sequence[AnyActivation] | None
) -> tuple[Chain, AnyLoss | None]:
    """Return the layers in a file, and the loss that it is known to have."""
    chain, state = Chain(shown(path, None)), read_state_dict(path)
    if state.modules is None:
        _take_state_dict(chain, state.tensors, activations)
        return chain, None
    if activations is not None:
        raise ValueError(f"{chain.whole} says itself which activations there are: leave `activations` out.")
    left = dict(state.tensors)

    def weights(position: str) -> tuple[HostArray, HostArray | None]:
        if f"{position}.weight" not in left:
            raise NotConvertible(f"{chain.whole}: layer {position} (Linear) has no weights in the file.")
        return left.pop(f"{position}.weight"), left.pop(f"{position}.bias", None)

    read(chain, [(str(i), module) for i, module in enumerate(state.modules)], weights)
    for name, array in left.items():
        raise _no_layer_has(chain, name, array)
    return chain, state.loss


def _take_state_dict(
    chain: Chain,
    tensors: Mapping[str, HostArray],
    activations: AnyActivation | Sequence[AnyActivation] | None,
) -> None:
    for name, array in tensors.items():
        dimensions = {"weight": 2, "bias": 1}.get(name.rpartition(".")[2])
        if dimensions != array.ndim or f"{name.rpartition('.')[0]}.weight" not in tensors:
            raise _no_layer_has(chain, name, array)
    names = in_order(chain.whole, tensors)
    if activations is None and len(names) > 1:
        raise ValueError(
            f"{chain.whole} does not say which activations stand between its layers: give them, such as "
            f'activations="relu" for all {len(names) - 1} hidden ones.'
        )
    for name, activation in zip(names, _each(activations, len(names)), strict=True):
        place = place_of(name, "Linear")
        chain.dense(place, tensors[f"{name}.weight"].T, tensors.get(f"{name}.bias"))
        chain.activation(f"the activation of {place}", activation)


def _each(
    activations: AnyActivation | Sequence[AnyActivation] | None, layers: int
) -> Sequence[AnyActivation]:
    if activations is None:
        return ["identity"] * layers
    if isinstance(activations, str) or not isinstance(activations, Sequence):
        return [activations] * (layers - 1) + ["identity"]
    if len(activations) not in (layers - 1, layers):
        raise ValueError(
            f"activations has {counted(len(activations), 'entry', 'entries')} for "
            f"{counted(layers, 'layer')}: give one for all hidden layers, {layers - 1} or {layers}."
        )
    return [*activations, "identity"][:layers]


def _no_layer_has(chain: Chain, name: str, array: HostArray) -> NotConvertible:
    return NotConvertible(
        f"{chain.whole} holds {literal(name)} {array.shape}, which no dense layer has. Expected weights "
        f"(m, d) and biases (m,) of Linear modules alone."
    )


def _of_modules(sequential: Any, activations: object) -> Chain:
    """Return the layers of an `nn.Sequential`."""
    torch = _torch()
    if type(sequential) is not torch.nn.Sequential:
        raise NotConvertible(
            f"from_torch takes an nn.Sequential, a state dict or a .safetensors file, got "
            f"{type(sequential).__name__}, whose `forward` may do anything. Put its modules into an "
            f"nn.Sequential."
        )
    if activations is not None:
        raise ValueError("an nn.Sequential says itself which activations there are: leave `activations` out.")
    chain = Chain("the nn.Sequential")
    if any(getattr(torch.nn.modules.module, f"_global{hooks}", None) for hooks in HOOKS):
        raise NotConvertible("PyTorch has a hook on all modules, which may do anything. Remove it.")
    _check_untouched(chain.whole, sequential)
    modules = dict(_flat(torch, chain.whole, sequential))
    shared: dict[int, str] = {}

    def weights(position: str) -> tuple[HostArray, HostArray | None]:
        module, place = modules[position], place_of(position, "Linear")
        for name, parameter in module.named_parameters():
            pointer = parameter.data_ptr()
            if pointer and pointer in shared:
                raise NotConvertible(
                    f"the nn.Sequential: {place} shares its {name} with {shared[pointer]}, and each layer of "
                    f"fuseprop has its own. Give one of them a clone."
                )
            shared[pointer] = place
        named, bias = f"{chain.whole}: {place}", module.bias
        return _host(named, module.weight), None if bias is None else _host(named, bias)

    read(chain, [(position, _described(torch, module)) for position, module in modules.items()], weights)
    return chain


def _flat(torch: Any, whole: str, sequential: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all modules with their positions, such as "0" and "1.0", those of nested Sequentials in place."""
    for name, module in sequential._modules.items():
        position = f"{above}{name}"
        _check_untouched(f"{whole}: {place_of(position, type(module).__name__)}", module)
        if type(module) is torch.nn.Sequential:
            yield from _flat(torch, whole, module, f"{position}.")
        else:
            yield position, module


def _check_untouched(place: str, module: Any) -> None:
    """Raise NotConvertible for a module that may compute something else than its class does."""
    held = [module, *module._parameters.values()]
    if any(getattr(each, hooks, None) for each in held for hooks in HOOKS):
        raise NotConvertible(f"{place} has a hook, which may do anything. Remove it.")
    replaced = sorted(name for name in vars(module) if callable(getattr(type(module), name, None)))
    if replaced:
        raise NotConvertible(
            f"{place} has {listed(replaced)} of its own, in the place of its class's, which may do anything. "
            f"Expected modules as torch.nn has them."
        )


def _described(torch: Any, module: Any) -> Module:
    kind = type(module).__name__
    if getattr(torch.nn, kind, None) is not type(module):  # a class of somebody's own, be it called Linear
        kind = f"{type(module).__module__}.{kind}"
    return Module(kind, {name: getattr(module, name) for name in ARGUMENTS if hasattr(module, name)})


def _host(place: str, tensor: Any) -> HostArray:
    """Return a host array of a tensor on any device, or of an array."""
    if not hasattr(tensor, "detach"):
        return np.asarray(tensor)
    if tensor.device.type == "meta":
        raise NotConvertible(
            f"{place} is on the device meta, which holds no numbers. Load its weights first."
        )
    if tensor.dtype.is_floating_point and tensor.dtype.itemsize < 4:
        raise NotConvertible(
            f"{place} holds {str(tensor.dtype).removeprefix('torch.')}. Convert it there: sequential.float()."
        )
    return np.asarray(tensor.detach().cpu())
