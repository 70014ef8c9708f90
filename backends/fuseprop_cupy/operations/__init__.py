"""The operations of the `Backend` protocol: each checks its arrays, chooses a grid and launches a kernel.

One class for each family of operations; `CupyBackend` inherits all of them.
"""
