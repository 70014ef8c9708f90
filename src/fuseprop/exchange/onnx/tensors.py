"""The constants of an ONNX graph as arrays: their sizes are checked before anything is taken for numbers."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...backend import HostArray
from ...checks.quoting import literal, shown
from ...storage.reading import open_file
from ..errors import NotConvertible
from .library import onnx_library

FIELDS = {
    "FLOAT": ("<f4", "float_data"),
    "DOUBLE": ("<f8", "double_data"),
    "INT64": ("<i8", "int64_data"),
    "INT32": ("<i4", "int32_data"),
    "BOOL": ("|b1", "int32_data"),
}
"""The types of constants that are read: NumPy's dtype, and the field that holds their values one by one."""

MOST_DIMENSIONS = 8


class Tensors:
    """The initializers of a graph, by name, read when they are asked for.

    Parameters
    ----------
    path : Path
        The file; weights in files of their own lie beside it.
    graph : GraphProto
    """

    def __init__(self, path: Path, graph: Any) -> None:
        self._path, self._place = path, shown(path, None)
        self._tensors: Mapping[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
        if len(self._tensors) < len(graph.initializer):
            raise NotConvertible(
                f"{self._place} is damaged: two initializers have one name. Export it again."
            )

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def array(self, name: str) -> HostArray:
        """Return an initializer as a read-only array. Raises NotConvertible."""
        if name not in self._tensors:
            raise NotConvertible(f"{self._place} lacks the weights {literal(name)}. Export it again.")
        return self.read(self._tensors[name], f"the initializer {shown(name)}")

    def read(self, tensor: Any, what: str) -> HostArray:
        """Return a TensorProto as a read-only array; `what` names it. Raises NotConvertible."""
        types = onnx_library().TensorProto
        known = types.DataType.Name(tensor.data_type) if tensor.data_type in types.DataType.values() else "?"
        shape = tuple(tensor.dims)
        if known not in FIELDS:
            raise NotConvertible(
                f"{self._place}: {what} is of the type {known}; expected {', '.join(FIELDS)}. Export the "
                f"network in float32 or float64."
            )
        dtype, field = np.dtype(FIELDS[known][0]), FIELDS[known][1]
        if len(shape) > MOST_DIMENSIONS or any(size < 0 for size in shape) or tensor.HasField("segment"):
            raise NotConvertible(f"{self._place} is damaged: {what} has the shape {literal(shape)}.")
        count = prod(shape)
        if tensor.data_location == types.EXTERNAL or tensor.external_data:
            data = self._beside(tensor, what, count * dtype.itemsize)
        elif tensor.HasField("raw_data"):
            data = tensor.raw_data
        else:
            values = getattr(tensor, field)
            if len(values) != count:
                raise self._of_size(what, shape, f"{len(values):,} numbers")
            made = np.array(values, dtype)
            made.flags.writeable = False
            return made.reshape(shape)
        if len(data) != count * dtype.itemsize:
            raise self._of_size(what, shape, f"{len(data):,} bytes")
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)

    def _of_size(self, what: str, shape: tuple[int, ...], got: str) -> NotConvertible:
        return NotConvertible(
            f"{self._place} is truncated or damaged: {what} has the shape {literal(shape)}, but {got}. "
            f"Export it again."
        )

    def _beside(self, tensor: Any, what: str, size: int) -> bytes:
        """Return the bytes of weights in a file of its own, which lies in the same folder."""
        about = {entry.key: entry.value for entry in tensor.external_data}
        name = about.get("location", "")
        if not name or name in (".", "..") or set(name) & set("/\\:\0") or not name.isprintable():
            raise NotConvertible(
                f"{self._place}: {what} stands in the file {literal(name)}, which is not the plain name of a "
                f"file beside it. Export the network as one file: onnx.save(model, path)."
            )
        path = self._path.parent / name
        numbers = [about.get("offset", "0"), about.get("length", str(size))]
        if not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
            raise NotConvertible(f"{self._place} is damaged: {what} has no valid place in {shown(name)}.")
        offset, length = map(int, numbers)
        try:
            is_beside, there = path.is_file() and not path.is_symlink(), path.stat().st_size
        except OSError:  # it is not there, or its name is too long for this system
            is_beside, there = False, 0
        if not is_beside:
            raise NotConvertible(
                f"{self._place}: {what} stands in the file {shown(name)}, and no such file lies beside it. "
                f"Copy it there, or export the network as one file: onnx.save(model, path)."
            )
        if length != size or offset + size > there:
            raise NotConvertible(
                f"{self._place}: {what} takes {size:,} bytes from byte {offset:,} of {shown(name)} on, which "
                f"that file does not have. Copy both files again."
            )
        with open_file(path) as file:
            file.seek(offset)
            return file.read(size)
