"""NotConvertible: what one library has and another one lacks."""

from __future__ import annotations


class NotConvertible(ValueError):
    """What cannot be said in another library's terms, or in fuseprop's.

    The text names what cannot be converted, where it stands (the layer, node or column, and the file), what
    can be, and what to do.

    Examples
    --------
    >>> from fuseprop.exchange import NotConvertible
    >>> raise NotConvertible("a.onnx: node 'c1' is a Conv; expected Gemm. Export dense layers.")
    Traceback (most recent call last):
    fuseprop.exchange.errors.NotConvertible: a.onnx: node 'c1' is a Conv; expected Gemm. Export dense layers.
    """
