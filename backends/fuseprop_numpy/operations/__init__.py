"""The protocol's operations on NumPy arrays, each called eagerly and, where that is cheaper, prebound.

All build on `scratch` (temporary arrays) and `calls` (prebound calls); none knows what compiles a program.
"""
