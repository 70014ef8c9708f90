"""`verify`: networks are trained on two backends from one start, and what differs becomes a certificate."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..backend import AnyBackend
from ..backend.parity import BOUND
from ..backend.registry import load_backend
from ..checks.choices import choose
from ..checks.settings import network_sizes, positive_integer
from ..formulas.activation import as_trainable_activation
from ..formulas.loss import as_loss
from ..layers.stack import check_trainable
from ..network import Network
from .cases import OPTIMIZERS, Case, default_cases, own_cases
from .certificate import Certificate, sealed
from .environment import described, environment
from .free import free_run
from .numbers import eps_of, kept
from .side import Side
from .steps import Measured, compared_divisions, compared_predictions, compared_squares, compared_steps

DTYPES = ("float32", "float64")


class OptionError(ValueError):
    """What is asked for is not known, or does not go together; the text says what would."""


class NothingToCompare(OptionError):
    """Both sides would compute in the same way."""


def verify(
    device: str | AnyBackend | None = None,
    *,
    against: str | AnyBackend = "cpu",
    replay: str | None = None,
    network: str | Sequence[int] | Network | None = None,
    activation: str | None = None,
    loss: str | None = None,
    optimizer: str | None = None,
    dtype: str | None = None,
    steps: int = 12,
    batch_size: int = 16,
    free_steps: int = 100,
    seed: int = 0,
) -> Certificate:
    """Train networks on two backends from one start; return by how much they differ, step by step.

    The verified backend takes each step in the way in which users run it, by the replay of a compiled
    program, and by its single calls too; the reference by its calls, one after the other. Each step begins in
    the state in which the reference has come to it, so that a difference is that step's own. It is compared
    with the parity bound, |a - b| <= 1000 eps max(1, |b|). Beside it stands, where the dtype is float32, how
    far both are from the same calls in float64. Then the verified backend takes all steps again, one in a
    call and many in a call, as training does: the bits must be equal. At last it predicts, scores and sums
    squares. All of this has a verdict. A free run, in which differences grow, has none: see `Certificate`.

    Parameters
    ----------
    device : str or Backend, optional
        What is verified: "cpu", "cuda", "cuda:1" or a backend's name, by default what FUSEPROP_DEVICE names,
        or "auto".
    against : str or Backend
        The reference; by default NumPy, operation by operation.
    replay : str, optional
        How the verified backend replays steps, where it has several ways, as "compiled" or "captured"; by
        default as in training.
    network : str, sequence of int, or Network, optional
        Sizes, "64-32-10" or ``[64, 32, 10]``, or a network, with its weights. By default a set of networks
        that together have every built-in activation, loss and update, dropout, clipping, weights of rows,
        weight decay and partial batches.
    activation, loss : str, optional
        Of the network of these sizes: "relu", and for one output "half_squared_error", else
        "softmax_cross_entropy".
    optimizer : "momentum" | "nesterov" | "adam", optional
        By default a network of one's own is trained by each of them.
    dtype : "float32" | "float64", optional
        By default both, or that of a network or backend that is given.
    steps, batch_size : int
        How many steps of a network are compared, in two epochs, and the rows of each; the last batch of an
        epoch has a third of them.
    free_steps : int
        How many steps a free run has, at least; and an epoch whose steps are taken one in a call and all in
        a call.
    seed : int
        What weights, rows, targets and orders are drawn from.

    Raises BackendUnavailable where a device cannot be had; ValueError for unknown names and numbers out of
    range, for an activation without a slope, and where the reference's own weights stop being finite;
    OptionError, a ValueError, for options that do not go together, and its NothingToCompare where both sides
    would compute in the same way.

    Examples
    --------
    >>> from fuseprop import verify
    >>> certificate = verify("cpu", network="4-3-2", optimizer="adam", dtype="float64")
    >>> certificate.passed
    True
    >>> certificate.save("certificate.json")  # doctest: +SKIP
    """
    steps = positive_integer("steps", steps)
    batch_size = positive_integer("batch_size", batch_size)
    free_steps = positive_integer("free_steps", free_steps)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r:.60}.")
    cases = _cases(network, activation, loss, optimizer, batch_size, steps)
    _check_decides(cases)
    made: list[dict[str, Any]] = []
    opened = []
    for chosen in _dtypes(dtype, device=device, against=against, network=network):
        ours = _opened(device, chosen, replay)
        reference = _opened(against, chosen, None, by_calls=True)
        _check_differ(ours, reference)
        truth = None if chosen == "float64" else _opened("cpu", "float64", None, by_calls=True)
        made += [_verified(case, ours, reference, truth, free_steps, seed) for case in cases]
        opened.append((ours, reference))
    asked = {"steps": steps, "batch_size": batch_size, "free_steps": free_steps, "seed": seed}
    verified, references = zip(*opened, strict=True)
    return Certificate(
        sealed(
            {
                "bound": BOUND,
                "asked": asked,
                "verified": described(verified),
                "reference": described(references),
                "environment": environment(),
                "networks": made,
            }
        )
    )


def _verified(
    case: Case,
    ours: AnyBackend,
    reference: AnyBackend,
    truth: AnyBackend | None,
    free_steps: int,
    seed: int,
) -> dict[str, Any]:
    """Return what was found about a case, as plain data."""
    side = partial(Side, case, data_dtype=ours.dtype, seed=seed)
    mine, theirs = side(ours), side(reference)
    exact = None if truth is None else side(truth)
    longer = replace(case, steps=2 * free_steps)  # a replay may take many steps in another way than few
    one, many = (Side(longer, ours, ours.dtype, seed) for _ in range(2))
    measured = list(compared_steps(mine, theirs, exact, seed))
    if not theirs.network.stack.parameters.are_finite():
        raise ValueError(
            f"{case.name}: the reference's own weights are not finite after {case.steps} steps on drawn "
            f"rows, and so nothing can be said of the other's. Take fewer steps, or another network."
        )
    measured += compared_divisions(one, many, seed)
    measured += compared_predictions(mine, theirs, seed)
    measured += compared_squares(mine, theirs)
    backends = [ours, reference, *([] if truth is None else [truth])]
    return {
        "network": case.name,
        **mine.network.stack.described(),
        "dtype": str(ours.dtype),
        "optimizer": repr(case.new_optimizer()),
        "batch_size": case.batch_size,
        "steps": case.steps,
        "first_beyond": next((_place(each) for each in measured if each.difference.excess > 1), None),
        "furthest": _place(max(measured, key=lambda each: each.difference.excess)),
        "tensors": _by_tensor(measured),
        "free_run": free_run(case, backends, free_steps, seed),
    }


def _by_tensor(measured: Iterable[Measured]) -> list[dict[str, Any]]:
    """Return for each tensor its distance by step, and its furthest element."""
    found: dict[tuple[str, str, str], list[Measured]] = {}
    for each in measured:
        found.setdefault((each.how, each.operation, each.tensor), []).append(each)
    made = []
    for group in found.values():
        furthest = max(group, key=lambda each: each.difference.excess)
        truths = [each.from_truth for each in group if each.from_truth is not None]
        made.append(
            {
                "how": furthest.how,
                "operation": furthest.operation,
                "tensor": furthest.tensor,
                "eps": eps_of(furthest.difference.excess),
                "step": furthest.step,
                "eps_by_step": [eps_of(each.difference.excess) for each in group],
                "eps_from_float64": [eps_of(max(pair)) for pair in zip(*truths, strict=True)] or None,
            }
        )
    return made


def _place(each: Measured) -> dict[str, Any]:
    difference = each.difference
    return {
        "how": each.how,
        "step": each.step,
        "operation": each.operation,
        "tensor": each.tensor,
        "index": list(difference.index),
        "got": kept(difference.got),
        "wanted": kept(difference.wanted),
        "bound": kept(difference.bound),
        "eps": eps_of(difference.excess),
    }


def _cases(
    network: str | Sequence[int] | Network | None,
    activation: str | None,
    loss: str | None,
    optimizer: str | None,
    batch_size: int,
    steps: int,
) -> list[Case]:
    if optimizer is not None:
        choose("optimizer", optimizer, dict.fromkeys(OPTIMIZERS))
    for name, given in (("activation", activation), ("loss", loss), ("optimizer", optimizer)):
        if given is not None and network is None:
            raise ValueError(f'{name}={given!r} is of a network of one\'s own: give network="64-32-10" too.')
    if network is None:
        return list(default_cases(batch_size, steps))
    rules = OPTIMIZERS if optimizer is None else (optimizer,)
    if isinstance(network, Network):
        check_trainable(network.layers)
        for name, given in (("activation", activation), ("loss", loss)):
            if given is not None:
                raise ValueError(f"{name}={given!r} is given, but the network has its own.")
        return list(own_cases(network, "", "", rules, batch_size, steps))
    sizes = network_sizes(network)
    if activation is not None:
        as_trainable_activation(activation)
    if loss is not None:
        as_loss(loss)
    chosen = loss or ("half_squared_error" if sizes[-1] == 1 else "softmax_cross_entropy")
    return list(own_cases(sizes, activation or "relu", chosen, rules, batch_size, steps))


def _check_decides(cases: Iterable[Case]) -> None:
    """Raise OptionError for classes that exclude each other where there is but one: no weight would move."""
    for case in cases:
        if case.loss.takes_labels and case.layers[-1].outputs < 2:
            raise OptionError(
                f"{case.name}: the loss {case.loss.name} needs at least 2 outputs, one for each of the "
                f"classes, and this network has 1. Give more outputs, or sigmoid_cross_entropy."
            )


def _dtypes(dtype: str | None, **given: object) -> Sequence[str]:
    """Return the dtypes to verify: the one that is asked for or given, or both."""
    if dtype is not None:
        choose("dtype", dtype, dict.fromkeys(DTYPES))
    found = {}
    for name, each in given.items():
        owner = each.backend if isinstance(each, Network) else each
        if hasattr(owner, "dtype"):  # a backend, no name
            found[name] = str(np.dtype(owner.dtype))
    if len({*found.values(), dtype or next(iter(found.values()), "")}) > 1:
        has = " and ".join(f"{name} has {own}" for name, own in found.items())
        raise OptionError(
            f"dtype {dtype} does not go with what is given: {has}. Leave dtype out."
            if dtype is not None
            else f"what is given has different dtypes: {has}. Give all in one."
        )
    return (dtype,) if dtype is not None else tuple({*found.values()}) or DTYPES


def _opened(
    device: str | AnyBackend | None, dtype: str, replay: str | None, *, by_calls: bool = False
) -> AnyBackend:
    """Return a backend that replays steps in this way; `by_calls`, one call after the other if it can."""
    if not isinstance(device, str | None):
        return device
    backend = load_backend(device, dtype)
    kind: Any = type(backend)
    takes_replay = "replay" in inspect.signature(kind).parameters
    if by_calls:
        return kind(dtype=dtype, device=backend.device, replay="eager") if takes_replay else backend
    if replay is None:
        return backend
    if not takes_replay:
        raise OptionError(
            f"the backend {backend.name} has one way to replay steps: leave out replay={replay!r:.60}."
        )
    try:
        return kind(dtype=dtype, device=backend.device, replay=replay)  # type: ignore[no-any-return]
    except ValueError as error:  # which names the ways that this backend has
        raise OptionError(str(error)) from error


def _check_differ(ours: AnyBackend, reference: AnyBackend) -> None:
    """Raise NothingToCompare where both sides compute in the same way."""
    same = type(ours) is type(reference) and ours.device == reference.device
    if same and getattr(ours, "replay", "eager") == "eager":
        raise NothingToCompare(
            f"both sides are {ours.name} on {ours.device}, call by call: there is nothing to compare. Give "
            f"another device, another reference (against), or another way to replay steps (replay)."
        )
