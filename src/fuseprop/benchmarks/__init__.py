"""Measuring a training step: the same one by every library that is there, in processes that take turns.

`networks` and `problem` say what is trained, `peers` holds one file a library, `gate` lets a figure count
only where its training arrives where float64 does, and `turns` measures: it starts a process of `worker` for
each peer. What `pytest --pyargs fuseprop.benchmarks` runs is here too.
"""
