"""What activations and losses share as objects with a name: what they are equal to, how they are shown."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from ..backend.expression import Expression


class NamedFormula:
    """The base of formulas with a name, which never change: a copy is the object itself."""

    KIND: ClassVar[str]
    """What it is, in a word."""

    name: str
    given_text: str | None
    is_built_in = False

    @property
    def text(self) -> str:
        """The formula as a person writes it."""
        return self.given_text or str(self._expression)

    @property
    def _expression(self) -> Expression:
        """What is written where no text was given."""
        raise NotImplementedError

    @property
    def _key(self) -> tuple[Any, ...]:
        """All that counts where two of a class are compared."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{self.KIND} {self.name}: {self.text}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self is other or self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self
