"""Reading files with all faults as one error, writing them atomically, locking a path.

`tensorfile` reads and writes the bytes of a model file, and `state_file` turns a tree of plain data into what
such a file holds; `fuseprop.model` and `fuseprop.checkpoints` say what they mean.
"""
