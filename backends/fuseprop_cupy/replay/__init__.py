"""From a recorded program to CUDA graphs: fuse calls, lower them to launches, overlap, capture, replay.

Each module is one stage; backends/README.md describes them in order.
"""
