"""Networks, models and estimators as files and objects of other libraries, and back.

What another library cannot say, and what fuseprop cannot say of theirs, is refused as `NotConvertible`:
nothing is left out in silence. Each library is imported when it is needed, and is an extra of its own.
"""

from .errors import NotConvertible
from .keras_network import from_keras, to_keras
from .onnx import from_onnx, to_onnx
from .torch_network import from_torch, save_torch, to_torch

__all__ = [
    "NotConvertible",
    "from_keras",
    "from_onnx",
    "from_torch",
    "save_torch",
    "to_keras",
    "to_onnx",
    "to_torch",
]
