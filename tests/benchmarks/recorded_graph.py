"""CUDA graphs of PyTorch on the CPU: operations are written down with their tensors, and done again on them.

What a graph forgets is forgotten here too: only operations are kept, neither Python nor which tensors a
parameter's `grad` has since become. Memory that was there before the recording is known by its address alone:
where its tensors are gone at a replay, AssertionError says so.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only


class Graph:
    """`torch.cuda.CUDAGraph`."""

    def __init__(self):
        self.operations = []

    def replay(self):
        with torch.no_grad():
            for function, args, kwargs, outputs in self.operations:
                args, kwargs = tree_map_only(Address, Address.tensor, (args, kwargs))
                again = function(*args, **kwargs)
                for old, new in zip(outputs, tree_leaves(again), strict=True):
                    old.copy_(new)


class Address:
    """Where a tensor lies, which does not keep its memory."""

    def __init__(self, tensor):
        self._storage = StorageWeakRef(tensor.untyped_storage())
        self._view = tensor.storage_offset(), tensor.size(), tensor.stride()
        self._dtype = tensor.dtype

    def tensor(self):
        storage = torch.UntypedStorage._new_with_weak_ptr(self._storage.cdata)
        assert storage is not None, "a graph is replayed on memory that has been freed"
        return torch.empty(0, dtype=self._dtype).set_(storage, *self._view)


class Recording(TorchDispatchMode):
    """Does what it is asked, and writes it down."""

    def __init__(self, graph):
        super().__init__()
        self.graph, self.own = graph, set()

    def by_address(self, tensor):
        """Return the address of what was there before; what the recording itself makes is the graph's."""
        return tensor if StorageWeakRef(tensor.untyped_storage()) in self.own else Address(tensor)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        returns = function._schema.returns
        aliases = [r.alias_info for r in returns]
        if any(a is not None and not a.is_write for a in aliases):
            return result  # a view: its memory is that of what was recorded before
        written = all(a is not None for a in aliases)
        outputs = [] if written else [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        self.own |= {StorageWeakRef(output.untyped_storage()) for output in outputs}
        args, kwargs = tree_map_only(torch.Tensor, self.by_address, (args, kwargs))
        self.graph.operations.append(
            (function, args, kwargs, outputs) if outputs else (_quiet(function), args, kwargs, [])
        )
        return result


def _quiet(function):
    def call(*args, **kwargs):
        function(*args, **kwargs)
        return []

    return call


class Stream:
    """`torch.cuda.Stream`: everything here happens at once."""

    waited = ()

    def wait_stream(self, other):
        self.waited = (*self.waited, other)


@contextmanager
def recording(graph):
    with Recording(graph):
        yield


def stand_in(monkeypatch):
    """Put these in the place of PyTorch's; return the stream that is current."""
    here = Stream()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: here)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    return here
