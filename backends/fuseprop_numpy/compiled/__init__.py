"""Training steps compiled to machine code: the C++ of `native`, called through ctypes.

`library` finds and loads what was built, `hashes` tells whether it is of these sources.
"""
