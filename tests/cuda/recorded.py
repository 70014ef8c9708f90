"""The launches that the sanitizers replay: all kernels in both dtypes, over small but awkward shapes."""

from functools import cache

import numpy as np
import pytest
from comparisons import Comparison
from fuseprop_cupy.device import launch
from fuseprop_cupy.operations import dense
from host_device import HostRunBackend
from host_kernels import host_kernels
from replay import Recorder

SHAPES = [(1, 1), (2, 3), (3, 33), (33, 2), (129, 5)]
"""One item; less than a warp; a column more than a warp; a row more than a warp, and than a block."""


def record(kernels):
    """Run the comparisons on kernels, and return the `Recorder`."""
    recorder = Recorder(kernels)
    for dtype in ("float32", "float64"):
        for n, k in SHAPES:
            backend = HostRunBackend(dtype, built=recorder)  # a new one: its scratch memory fits exactly
            Comparison(backend).everything(n, k, np.random.default_rng(0))
        with pytest.MonkeyPatch.context() as patch:  # several items a thread, blocks and stages a sum
            patch.setattr(launch, "MAX_BLOCKS", 2)
            patch.setattr(dense, "MAX_SLICES", 3)
            Comparison(HostRunBackend(dtype, built=recorder)).everything(400, 3, np.random.default_rng(0))
    return recorder


@cache
def recorded():
    """The launches of the kernels as they are, recorded once a process."""
    return record(host_kernels())
