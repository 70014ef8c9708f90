"""Training steps compiled to machine code: the C++ of `native`, called through ctypes."""
