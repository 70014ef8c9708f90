"""A device for each worker of a Dask cluster, so that a search takes all the GPUs of all its machines.

joblib's backend "dask" sends the fits of a search to the workers. Estimators that name no device compute on
the one that a worker's variable FUSEPROP_DEVICE names: here each worker gets one of its own.
"""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from typing import Any

from ..backend import BackendUnavailable
from ..backend.registry import VARIABLE, load_backend
from ..checks.quoting import counted
from ..installing import how_to_install

try:
    from distributed import Client, Worker, WorkerPlugin
except ImportError as error:
    raise ImportError(
        "fuseprop.estimators.cluster needs Dask's distributed, which is not installed. "
        f"Type: {how_to_install('cluster')}."
    ) from error

NONE = "no device, for this worker joined after give_devices(client), which has to be called again"
"""What the variable says in a worker that was given none: no such device exists, and the error quotes it."""


def give_devices(client: Client, device: str = "cuda") -> dict[Any, str]:
    """Give each worker a device of its own: on each machine "cuda:0" to the first, then "cuda:1", ...

    Estimators without a `device` compute there. A worker that is started again under its name, as a cluster
    does with one that has died, gets the same device; in one that joins later they raise BackendUnavailable.

    Parameters
    ----------
    client : distributed.Client
        That of a cluster whose workers are all there: see its `wait_for_workers`.
    device : str
        A kind of device, or the name of a backend, whose devices are numbered from 0.

    Returns the device of each worker, by the worker's name.

    Raises BackendUnavailable where a worker cannot compute on its device, as with more workers on a machine
    than it has devices, and then changes nothing; ValueError without workers, and where workers share a
    process, which has one variable.
    """
    places = sorted(client.run(_place).values(), key=lambda place: (place[0], str(place[2]).zfill(9)))
    if not places:
        raise ValueError("the cluster has no workers yet. Wait for them: client.wait_for_workers(2).")
    beside: dict[str, list[Any]] = defaultdict(list)
    for machine, _, name in places:
        beside[machine].append(name)
    if len({place[:2] for place in places}) < len(places):
        raise ValueError(
            "some workers share a process, and so a device. Start each in a process of its own: "
            "LocalCluster(processes=True, n_workers=2, threads_per_worker=1)."
        )
    devices = {name: f"{device}:{n}" for names in beside.values() for n, name in enumerate(names)}
    for machine, name, reason in client.run(_reason, devices).values():
        if reason is not None:
            raise BackendUnavailable(
                f"worker {name!r}, one of {counted(len(beside[machine]), 'worker')} on {machine}, cannot "
                f"compute on {devices[name]!r}: {reason} Start as many workers on each machine as it has "
                f"devices."
            )
    client.register_plugin(_Devices(devices))
    return devices


class _Devices(WorkerPlugin):
    """Names a worker's device in its variable, whenever its process starts."""

    name = "fuseprop-devices"

    def __init__(self, devices: dict[Any, str]) -> None:
        self.devices = devices

    def setup(self, worker: Worker) -> None:
        os.environ[VARIABLE] = self.devices.get(worker.name, NONE)


def _place(dask_worker: Worker) -> tuple[str, int, Any]:
    """Return a worker's machine, process and name."""
    return socket.gethostname(), os.getpid(), dask_worker.name


def _reason(devices: dict[Any, str], dask_worker: Worker) -> tuple[str, Any, str | None]:
    """Return a worker's machine and name, and why it cannot compute on its device; None where it can."""
    try:
        load_backend(devices[dask_worker.name])
    except BackendUnavailable as error:
        return socket.gethostname(), dask_worker.name, str(error)
    return socket.gethostname(), dask_worker.name, None
