"""ONNX files, which onnxruntime and many others run, out and in.

Out: `writing` says what a file holds of a network, model or estimator; `graph` collects operators, which
`operators` makes of formulas, `encoding` of what is done to columns, and `decoding` of what outputs stand
for; `file` writes them with a digest. In: `reading` opens a file; one of ours is `rebuilding` into the object
that it was, and in one of others `nodes` follows what becomes of the rows, whose constants are `tensors`,
from one dense layer to the next.
"""

from .reading import from_onnx
from .writing import to_onnx

__all__ = ["from_onnx", "to_onnx"]
