"""The operations of a backend, called one by one: what fails names the call and its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fuseprop.backend import (
    OPERATIONS,
    ActivationFormula,
    AnyBackend,
    Array,
    BackendForProcesses,
    LossFormula,
    UpdateFormula,
)
from fuseprop.testing.contract.parity import assert_equal, assert_parity


class Calls:
    """A backend that remembers its latest call, for the texts of what fails then.

    It has all members of the backend. What an operation raises gets a note that names the call.

    Attributes
    ----------
    text : str
        The latest call, with the shape and the dtype of each array.
    """

    def __init__(self, backend: AnyBackend) -> None:
        self.backend, self.text = backend, ""
        self._arguments: Mapping[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.backend, name)
        if name not in OPERATIONS:
            return member

        def call(*operands: Any, **options: Any) -> None:
            self._arguments = dict(zip(_parameters(name), operands, strict=False)) | options
            self.text = described(name, operands, options)
            try:
                member(*operands, **options)
            except Exception as error:
                error.add_note(f"This is of the call {self.text}.")
                raise

        return call

    def assert_parity(self, array: Array, expected: ArrayLike) -> None:
        """Assert that an array, after the latest call, is at parity with what is expected."""
        assert_parity(self.backend.to_host(array), expected, self.backend.dtype, self._what(array))

    def assert_equal(self, array: Array, expected: ArrayLike) -> None:
        """Assert that an array, after the latest call, has exactly the numbers that are expected."""
        assert_equal(self.backend.to_host(array), expected, self._what(array))

    def _what(self, array: Array) -> str:
        names = [name for name, given in self._arguments.items() if given is array]
        return f"{self.text}: {names[0]}" if names else self.text


def described(operation: str, operands: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Return a call as text, such as "softmax(logits float32 (3, 5), out float32 (3, 5))"."""
    given = [*zip(_parameters(operation), operands, strict=False), *options.items()]
    return f"{operation}({', '.join(f'{name} {_argument(value)}' for name, value in given)})"


@cache
def _parameters(operation: str) -> tuple[str, ...]:
    _, *names = inspect.signature(getattr(BackendForProcesses, operation)).parameters
    return tuple(names)


def _argument(value: Any) -> str:
    match value:
        case ActivationFormula():
            return f"f(z) = {value.value}"
        case LossFormula():
            return f"l(y, t) = {value.term}"
        case UpdateFormula():
            return f"w' = {value.parameter}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{np.dtype(value.dtype).name} {tuple(value.shape)}"
    return f"{value!r:.60}"
