"""A graph of ONNX operators while it is built: inputs, constants, nodes and outputs, all with names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import __version__
from .library import onnx_library

OPSET, IR_VERSION = 17, 8
"""Of mid-2022: onnxruntime reads them from 1.12 on. What later ones add, such as Gelu, is composed."""

ML, ML_OPSET = "ai.onnx.ml", 3
"""The operators of classical machine learning: LabelEncoder, from texts to numbers."""

ROWS = "rows"
"""The name of the first dimension of inputs and outputs, of any size."""


class Graph:
    """Operators, each of which takes values by name and gives one.

    Names of inputs and outputs are a user's columns, and stay as they are; those of all else give way.

    Parameters
    ----------
    dtype : dtype
        Of the network's arithmetic: float32 or float64.
    names : sequence of str
        Those of the inputs that there will be.
    """

    def __init__(self, dtype: Any, names: tuple[str, ...] = ()) -> None:
        self.dtype = np.dtype(dtype)
        self._onnx, self._helper = onnx_library(), onnx_library("helper")
        self._taken = {"", *names}
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._domains = {"": OPSET}

    def input(self, name: str, dtype: Any, width: int) -> str:
        """Add an input (rows, width), texts where `dtype` is `str`; return its name."""
        self._inputs.append(self._value(name, dtype, (ROWS, width)))
        return name

    def constant(self, array: ArrayLike, name: str = "constant", dtype: Any = None) -> str:
        """Return the name of an array, in the graph's dtype unless another is given."""
        made = np.asarray(array, self.dtype if dtype is None else dtype)
        free = self._free(name)
        self._constants[free] = onnx_library("numpy_helper").from_array(made, free)
        return free

    def node(self, operator: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        """Add an operator; return the name of what it gives."""
        if domain:
            self._domains[domain] = ML_OPSET
        free = self._free(name or operator.lower())
        made = self._helper.make_node(operator, list(inputs), [free], free, domain=domain, **attributes)
        self._nodes.append(made)
        return free

    def refused(self, values: str, where: str, why: str, dtype: Any) -> str:
        """Return values of this dtype; where a truth value says so, the runtime ends with an error.

        There it looks for a row that a table does not have, and its error names this node.
        """
        row = self.node("Cast", where, to=self.kind(np.int64))
        nothing = self.node("Gather", self.constant([0], dtype=dtype), row, name=f"{why} is refused", axis=0)
        return self.node("Add", values, nothing)

    def output(self, value: str, name: str, dtype: Any, width: int | None) -> str:
        """Add an output (rows, width), or (rows,) without a width; return its name."""
        free = self._free(name)
        self._nodes.append(self._helper.make_node("Identity", [value], [free], free))
        self._outputs.append(self._value(free, dtype, (ROWS,) if width is None else (ROWS, width)))
        return free

    def model(self, about: str, texts: Mapping[str, str]) -> Any:
        """Return the whole as a ModelProto, with these metadata."""
        graph = self._helper.make_graph(
            self._nodes, "fuseprop", self._inputs, self._outputs, list(self._constants.values())
        )
        model = self._helper.make_model(
            graph,
            opset_imports=[self._helper.make_opsetid(*each) for each in self._domains.items()],
            ir_version=IR_VERSION,
            producer_name="fuseprop",
            producer_version=__version__,
            doc_string=about,
        )
        self._helper.set_model_props(model, dict(texts))
        return model

    def kind(self, dtype: Any) -> int:
        """Return ONNX's number of a dtype; `str` stands for texts."""
        if dtype is str:
            return int(self._onnx.TensorProto.STRING)
        return int(self._helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def _value(self, name: str, dtype: Any, shape: tuple[str | int, ...]) -> Any:
        return self._helper.make_tensor_value_info(name, self.kind(dtype), shape)

    def _free(self, name: str) -> str:
        """Return the name, with a number behind it where it is taken, and take it."""
        free, count = name, 1
        while free in self._taken:
            count += 1
            free = f"{name} {count}"
        self._taken.add(free)
        return free
