"""How quantities are called in an explanation, and how numbers and products are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from ...backend import HostArray
from ...formulas.activation import slope
from ..numbers import LayerTrace

Factors: TypeAlias = Sequence[tuple[str, float]]
"""A product: each factor with its name."""


def unit(letter: str, number: int, j: int) -> str:
    """Return the name of a quantity of unit j (from 0) of a layer (from 1)."""
    return f"{letter}{number}.{j + 1}"


def input_of(number: int, i: int) -> str:
    """Return the name of input i (from 0) of a layer (from 1)."""
    return f"x{i + 1}" if number == 1 else unit("a", number - 1, i)


def weight(number: int, i: int, j: int, weights: HostArray) -> str:
    """Return the name of the weight of a layer (from 1) from its input i to its unit j."""
    comma = "," if max(weights.shape) > 9 else ""
    return f"w{number}.{i + 1}{comma}{j + 1}"


def slope_factor(layer: LayerTrace, number: int, j: int) -> list[tuple[str, float]]:
    """Return f' at unit j of a layer, for the one row of a trace; nothing for the identity, whose is 1."""
    if layer.function.formula.is_identity:
        return []
    point = layer.z if layer.function.formula.slope_of == "z" else layer.a
    return [(f"f'({unit('z', number, j)})", float(slope(layer.function, point[0, j])))]


def formula_at(text: str, z: str) -> str:
    """Return a formula of z with what stands for z in its place."""
    return re.sub(r"\bz\b", z, text)


def figures(value: float) -> str:
    """Return a number in six digits."""
    return f"{value:.6g}"


def in_brackets(value: float) -> str:
    """Return a number in six digits, in brackets where its sign would meet another one."""
    return f"({figures(value)})" if value < 0 else figures(value)


def product(factors: Factors) -> float:
    """Return the value of a product."""
    return float(np.prod([value for _, value in factors]))


def product_text(factors: Factors) -> str:
    """Return a product as names, as numbers, and as its value."""
    names = " * ".join(name for name, _ in factors)
    numbers = " * ".join(figures(value) for _, value in factors)
    return f"{names} = {numbers}" + (f" = {figures(product(factors))}" if len(factors) > 1 else "")
