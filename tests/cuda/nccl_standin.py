"""A stand-in for `cupy.cuda.nccl` over host memory, by which threads or processes of MPI add up.

It checks what NCCL asks for without checking it: that all processes make the same sums in the same order,
that a sum is in a graph in all of them or in none, and that all launch the same graphs.
"""

import ctypes

import numpy as np

KINDS = {7: np.float32, 8: np.float64}

GRAPH = 0x7F00
"""The address of a stream of a capture."""


class NcclError(RuntimeError):
    pass


class Nccl:
    """The module, as one process sees it.

    Attributes
    ----------
    world : Processes
        That of the communicator which is made next.
    graph : tuple or None
        Which graph is being launched, as `HostGraph` says it.
    log : list
        What was done with the communicators.
    """

    available = True
    NCCL_FLOAT32, NCCL_FLOAT64, NCCL_SUM = 7, 8, 0

    def __init__(self):
        self.world = self.graph = None
        self.version = 23203
        self.failed = ""
        self.log = []

    def get_version(self):
        return self.version

    def get_unique_id(self):
        return np.random.default_rng().bytes(128)

    def NcclCommunicator(self, size, identity, rank):  # noqa: N802
        assert isinstance(identity, bytes)
        assert len(identity) == 128
        assert (size, rank) == (self.world.size, self.world.rank)
        assert len(set(self.world.gathered(identity))) == 1, "processes have different identities"
        self.log.append("made")
        return Communicator(self, self.world)


class Communicator:
    def __init__(self, nccl, world):
        self.nccl, self.world = nccl, world
        self.sums = 0

    def allReduce(self, source, out, count, kind, operation, stream):  # noqa: N802
        assert source == out, "the sum is not in place"
        assert count > 0
        assert kind in KINDS
        assert operation == Nccl.NCCL_SUM
        assert (stream == GRAPH) == (self.nccl.graph is not None), "a sum on a stream that is not captured"
        asked = self.world.gathered((self.sums, count, kind, self.nccl.graph))
        assert len(set(asked)) == 1, f"processes ask for different sums: {asked}"
        self.sums += 1
        memory = (ctypes.c_char * (count * np.dtype(KINDS[kind]).itemsize)).from_address(out)
        self.world.add(np.frombuffer(memory, KINDS[kind]))

    def check_async_error(self):
        if self.nccl.failed:
            raise NcclError(self.nccl.failed)

    def abort(self):
        self.nccl.log.append("aborted")

    def destroy(self):
        self.nccl.log.append("destroyed")
