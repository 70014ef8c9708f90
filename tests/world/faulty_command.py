"""`fuseprop train` whose reading of tables fails: mpiexec -n 2 python faulty_command.py WAY."""

import sys

import fuseprop.cli  # noqa: F401 (whose module `train` is found below)
from fuseprop.__main__ import main
from fuseprop.backend import BackendUnavailable
from fuseprop.cli.processes import world_of_command
from fuseprop.world import agreeing

way = sys.argv[1]


def load(*_, **__):
    world = world_of_command()
    is_it = world.rank == 1
    if way == "all":
        raise ValueError("it broke")
    if way == "interrupted":
        raise KeyboardInterrupt
    if way == "agreed":
        with agreeing(world):
            if is_it:
                raise ValueError("it broke")
    if is_it:
        raise BackendUnavailable("no GPU") if way == "device" else ValueError("it broke")
    world.total(0)


sys.modules["fuseprop.cli.train"].load_table = load
sys.argv[1:] = ["train", "iris"]
main()
