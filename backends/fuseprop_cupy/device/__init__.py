"""One GPU and all that touches CUDA: memory, launches, products, streams, and the list of kernels.

It imports nothing of the backend's other packages; the tests replace `Device` by one over host memory.
"""
