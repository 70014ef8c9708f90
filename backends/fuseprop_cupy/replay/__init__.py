"""From a recorded program to CUDA graphs: fuse calls, lower them to launches, overlap, capture, replay.

Each module is one stage, and backends/README.md describes them in order; `trial` runs all of them for
the doctor.
"""
