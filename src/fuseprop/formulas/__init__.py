"""Activations and losses: what a network computes of numbers, by name, with slopes and links.

The arithmetic on arrays is the backends'; what stands here says which operation, and with which numbers.
"""
