"""CUDA graphs of PyTorch on the CPU: operations are written down with their tensors, and done again on them.

What a graph forgets is forgotten here too: only operations are kept, neither Python nor which tensors a
parameter's `grad` has since become.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Graph:
    """`torch.cuda.CUDAGraph`."""

    def __init__(self):
        self.operations = []

    def replay(self):
        with torch.no_grad():
            for function, args, kwargs, outputs in self.operations:
                again = function(*args, **kwargs)
                for old, new in zip(outputs, tree_leaves(again), strict=True):
                    old.copy_(new)


class Recording(TorchDispatchMode):
    """Does what it is asked, and writes it down."""

    def __init__(self, graph):
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        returns = function._schema.returns
        aliases = [r.alias_info for r in returns]
        if any(a is not None and not a.is_write for a in aliases):
            return result  # a view: its memory is that of what was recorded before
        written = all(a is not None for a in aliases)
        outputs = [] if written else [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
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
