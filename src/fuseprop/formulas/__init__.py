"""Activations and losses by name: their formulas, slopes and links.

Backends do the arithmetic on arrays; a loss here says by which operation, and with which numbers.
"""
