"""A training step as one call of a library: what it is told, and how a recorded step is recognised as such.

`recognise` finds out of a program's calls what the step is (`step`), `placing` proves that nothing is lost by
that; `specification` says it in the structs of `interface`, and `runner` runs it.
"""
