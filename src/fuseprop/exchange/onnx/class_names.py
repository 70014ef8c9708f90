"""The names of the classes in a file of others, which a network does not keep."""

from __future__ import annotations

from typing import Any

from .tensors import Tensors


def class_names(graph: Any, tensors: Tensors) -> list[str] | None:
    """Return the names, in the order of the outputs; None for a file that has none, or only 0, 1, 2, ...

    skl2onnx writes them into a ZipMap, or as the array from which an ArrayFeatureExtractor takes the class;
    other tools into a Gather.
    """
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ("classlabels_strings", "classlabels_int64s"):
                held = [*attribute.strings, *attribute.ints]
                if _are_names(held):
                    return _texts(held)
        if node.op_type in ("ArrayFeatureExtractor", "Gather") and len(node.input) == 2:
            held = _held(graph, tensors, node)
            if _are_names(held):
                return _texts(held)
    return None


def _held(graph: Any, tensors: Tensors, node: Any) -> list[Any]:
    """Return what a node takes one of, where that may be names: texts, or an extractor's numbers."""
    source, number = node.input
    if source not in tensors or number in tensors:
        return []
    (tensor,) = (each for each in graph.initializer if each.name == source)
    if tensor.string_data:
        return [*tensor.string_data]
    return tensors.array(source).reshape(-1).tolist() if node.op_type == "ArrayFeatureExtractor" else []


def _are_names(held: list[Any]) -> bool:
    return len(held) > 1 and held != [*range(len(held))]


def _texts(held: list[Any]) -> list[str]:
    return [each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in held]
