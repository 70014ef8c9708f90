"""Page-locked memory without CUDA: CuPy's own pool of it, over memory of the host's own."""

import cupy
import numpy as np


class Taken:
    """Memory from the system."""

    def __init__(self, size):
        self.bytes = np.empty(size, np.uint8)
        self.ptr, self.size = self.bytes.ctypes.data, size


class PageLocked:
    """What stands for `cupy.cuda.alloc_pinned_memory`: freed memory is handed out again.

    Attributes
    ----------
    taken : list of Taken
        What the pool has.
    """

    def __init__(self):
        self.taken = []
        self._pool = cupy.cuda.PinnedMemoryPool(self._take)

    def __call__(self, size):
        return self._pool.malloc(size)

    def _take(self, size):
        self.taken.append(Taken(size))
        return cupy.cuda.PinnedMemoryPointer(self.taken[-1], 0)
