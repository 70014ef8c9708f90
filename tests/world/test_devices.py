"""Which device each process of a world computes on."""

import pytest
from threads import in_threads, outcomes

from fuseprop.world import ALONE
from fuseprop.world.devices import device_of


def on_machines(*gpus, device, processes=2):
    """What becomes of `processes` processes on each of machines with so many GPUs."""

    def ask(world):
        machine, world.local_rank = divmod(world.rank, processes)
        world.local_size = processes

        def check(name):
            if int(name.removeprefix("cuda:")) >= gpus[machine]:
                raise RuntimeError(f"there is no {name}.")

        return device_of(world, device, check)

    return outcomes(processes * len(gpus), ask)


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_each_process_has_the_gpu_of_its_number_on_its_machine(device):
    assert on_machines(2, 3, device=device) == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]


def test_without_gpus_auto_is_the_cpu():
    assert on_machines(0, 0, device="auto") == ["cpu"] * 4


@pytest.mark.parametrize(
    ("gpus", "device"), [((1,), "cuda"), ((1,), "auto"), ((2, 0), "auto"), ((0,), "cuda")]
)
def test_fewer_gpus_than_processes_are_refused_in_all(gpus, device):
    errors = on_machines(*gpus, device=device)
    first = {(1,): 1, (2, 0): 2, (0,): 0}[gpus]
    for error in errors:
        assert isinstance(error, ValueError)
        assert f"'{device}' gives each process a GPU of its own, and process {first}, one of 2" in str(error)
        assert f"there is no cuda:{first % 2}. Start as many processes on each machine as it has" in str(
            error
        )


@pytest.mark.parametrize("device", ["cpu", "cuda:1", "numpy", "mine:device"])
def test_a_device_that_is_named_is_what_comes(device):
    assert on_machines(0, device=device) == [device] * 2


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_one_process_has_what_it_was_given(device):
    assert device_of(ALONE, device, pytest.fail) == device
    assert in_threads(1, lambda world: device_of(world, device, pytest.fail)) == [device]
