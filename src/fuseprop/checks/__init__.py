"""Checks of what users pass in: arrays, settings, and names that must be among given choices.

A check returns the value in its canonical type, or raises an error that says what was expected, what came and
what to do; `quoting` shows values in messages. Nothing here imports a backend or a network.
"""
