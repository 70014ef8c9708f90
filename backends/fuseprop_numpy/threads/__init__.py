"""Settings of the process and its threads around a replay.

`blas_limit` holds BLAS at one thread; `sharing` divides the cores among the processes of a machine;
`denormals` lets the processor take the tiniest numbers for zero.
"""
