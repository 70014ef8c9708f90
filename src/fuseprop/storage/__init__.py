"""Reading files with all faults as one error, and writing them atomically.

`tensorfile` reads and writes the bytes of a model file; `fuseprop.model` says what they mean.
"""
