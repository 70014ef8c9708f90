"""Which device each process of a world computes on: a GPU of its own, where there are GPUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .processes import Processes


class Placed(Processes, Protocol):
    """Processes that know their machines, as `World`.

    Attributes
    ----------
    local_rank, local_size : int
        The number of this process among those on its machine, from 0, and how many these are.
    """

    local_rank: int
    local_size: int


def device_of(world: Placed, device: str, check: Callable[[str], object]) -> str:
    """Return the device that this process computes on, where all were given `device`.

    "cuda" and "auto" are the GPU of the process's number on its machine. "auto" is "cpu" where no process can
    use that GPU. Every other name stands for itself, and so does every name in a world of one process.

    Parameters
    ----------
    world : World
        All its processes ask together.
    device : str
        Such as "cuda", "cuda:1", "cpu" or "auto".
    check : callable
        ``check("cuda:1")`` raises RuntimeError, such as BackendUnavailable, with the reason why this process
        cannot compute there.

    Raises ValueError, in all processes, where some have a GPU and others have none, or none has for "cuda".
    """
    if world.size == 1 or device not in ("cuda", "auto"):
        return device
    own = f"cuda:{world.local_rank}"
    why: str | None = None
    try:
        check(own)
    except RuntimeError as error:
        why = str(error)
    found = world.gathered((why, world.local_size))
    without = [rank for rank, (reason, _) in enumerate(found) if reason is not None]
    if not without:
        return own
    if device == "auto" and len(without) == world.size:
        return "cpu"
    reason, beside = found[without[0]]
    raise ValueError(
        f"{device!r} gives each process a GPU of its own, and process {without[0]}, one of {beside} on its "
        f"machine, has none: {reason} Start as many processes on each machine as it has GPUs, or let all "
        f'compute on "cpu".'
    )
