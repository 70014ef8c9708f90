"""Settings of the process and its threads around a replay.

`blas_limit` holds BLAS at one thread; `denormals` lets the processor take the tiniest numbers for zero.
"""
