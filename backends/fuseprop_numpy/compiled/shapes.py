"""A formula's shape as C++ on vectors: the formula with a hole in place of each number.

Formulas of one shape, such as those of ``leaky_relu(0.01)`` and ``leaky_relu(0.2)``, have one struct in
native/formulas.hpp, which takes their numbers. `header` writes that file; a shape's `key` is how the library
names what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Literal, TypeAlias

import numpy as np

from fuseprop.backend import (
    ActivationFormula,
    Dialect,
    Expression,
    HostArray,
    LossFormula,
    UpdateFormula,
    statements,
    substitute,
    variable,
    variables,
)

Kind: TypeAlias = Literal["Value", "Slope", "Loss", "Update"]
"""Of shapes: each has a table of its own in the library."""

TABLES: dict[Kind, str] = {"Value": "Values", "Slope": "Slopes", "Loss": "Losses", "Update": "Updates"}
"""The tables by the kind of shape."""

Number: TypeAlias = float | None
"""A number of a formula; None is the smallest normal number of the dtype."""

HEADER = """\
// The formulas of fuseprop.formulas on vectors, one struct for each shape: written by
// fuseprop_numpy/compiled/shapes.py, not by hand.
//
// A shape is a formula with a hole c[i] in place of each number. Value is y = f(z); Slope is f' of a point x,
// which is y or z; Loss is an output's term and its slope; Update changes w and the moments m by the gradient
// g and the settings s.
#pragma once

#include "trigonometry.hpp"

namespace fuseprop {

template <class... Shapes> struct Table {};
"""

FOOTER = """
} // namespace fuseprop
"""


@dataclass(frozen=True)
class Shape:
    """The shape of a formula, and the numbers that fill its holes.

    Attributes
    ----------
    kind : "Value" | "Slope" | "Loss" | "Update"
    body : str
        What stands between the braces of its struct.
    numbers : tuple of float or None
        In the order of the holes.
    """

    kind: Kind
    body: str
    numbers: tuple[Number, ...]

    @property
    def key(self) -> str:
        """What the library calls it; equal are those of equal bodies."""
        return sha256(f"{self.kind} {self.body}".encode()).hexdigest()[:12]


def in_dtype(numbers: Iterable[Number], dtype: np.dtype[np.floating]) -> HostArray:
    """Return numbers as an array; those that the dtype cannot hold are infinite."""
    tiny = float(np.finfo(dtype).tiny)
    with np.errstate(over="ignore"):
        return np.array([tiny if each is None else each for each in numbers], dtype)


@lru_cache(1000)
def value_shape(formula: ActivationFormula) -> Shape:
    """Return the shape of y = f(z)."""
    return _shape("Value", "V at", ["V z"], {"return": formula.value})


@lru_cache(1000)
def slope_shape(formula: ActivationFormula) -> Shape:
    """Return the shape of f', of y or z."""
    return _shape("Slope", "V at", ["V x"], {"return": slope_of_point(formula)})


@lru_cache(1000)
def loss_shape(formula: LossFormula) -> Shape:
    """Return the shape of a loss and its slope."""
    results = {"term": formula.term, "slope": formula.slope}
    return _shape("Loss", "void at", ["V y", "V t", "V& term", "V& slope"], results)


@lru_cache(1000)
def update_shape(formula: UpdateFormula) -> Shape:
    """Return the shape of an update."""
    formula = with_names(formula, "m[{}]", "s[{}]")
    moments = range(len(formula.moments))
    results = {f"const V next{i}": new for i, (_, new) in enumerate(formula.moments)}
    counts = f"MOMENTS = {len(formula.moments)}, SETTINGS = {len(formula.settings)}"
    return _shape(
        "Update",
        "void step",
        ["V& w", "V g", "V* m", "const V* s"],
        {**results, "w": formula.parameter},
        counts=f"{counts}, ",
        last=[f"m[{i}] = next{i};" for i in moments],
    )


def slope_of_point(formula: ActivationFormula) -> Expression:
    """Return f' of the variable x, which stands for y or z."""
    return substitute(formula.slope, {variable(formula.slope_of or "y"): variable("x")})


def with_names(formula: UpdateFormula, moment: str, setting: str) -> UpdateFormula:
    """Return an update whose moments and settings are called by their places, such as "m0"."""
    old = [name for name, _ in formula.moments], list(formula.settings)
    moments, settings = (
        [pattern.format(i) for i in range(len(names))]
        for pattern, names in zip((moment, setting), old, strict=True)
    )
    renamed = zip([*old[0], *old[1]], [*moments, *settings], strict=True)
    instead = {variable(name): variable(new) for name, new in renamed}
    made = [substitute(new, instead) for _, new in formula.moments]
    return UpdateFormula(
        substitute(formula.parameter, instead), tuple(zip(moments, made, strict=True)), tuple(settings)
    )


def _shape(
    kind: Kind,
    declared: str,
    inputs: Sequence[str],
    results: Mapping[str, Expression],
    *,
    counts: str = "",
    last: Sequence[str] = (),
) -> Shape:
    """Return the shape of a static function; an input that the results do not need has no name."""
    numbers: list[Number] = []

    def hole(value: float | None = None) -> str:
        numbers.append(value)
        return f"c[{len(numbers) - 1}]"

    dialect = Dialect(
        type="V",
        number=hole,
        tiny=hole,
        truth="truth<V>({})",
        holds="{} != V{{}}",
        choice="choose<V>({}, {}, {})",
        choice_rank=4,
        functions={},
    )
    lines = [line.replace("return = ", "return ", 1) for line in statements(results, dialect)]
    used = {name.partition("[")[0] for name in variables(*results.values())} | set(results)
    used |= {"m"} if last else set()
    parameters = [each if each.split()[-1] in used else each.rpartition(" ")[0] for each in inputs]
    parameters.append("const V* c" if numbers else "const V*")
    body = (
        f"  static constexpr int {counts}CONSTANTS = {len(numbers)};\n"
        f"  template <class V> static FUSEPROP_INLINE {declared}({', '.join(parameters)}) {{\n"
        + "".join(f"    {line}\n" for line in (*lines, *last))
        + "  }\n"
    )
    return Shape(kind, body, tuple(numbers))


def header(formulas: Iterable[tuple[str, ActivationFormula | LossFormula | UpdateFormula]]) -> str:
    """Return the text of native/formulas.hpp for formulas with their names, such as ("leaky_relu", ...).

    Formulas of one name, as those of a family with other parameters, may have several shapes.
    """
    tables: dict[Kind, dict[str, str]] = {kind: {} for kind in TABLES}
    structs: dict[str, str] = {}
    for name, formula in formulas:
        for shape in _shapes(formula):
            table = tables[shape.kind]
            if shape.key not in table:
                camel = "".join(part.capitalize() for part in name.split("_")) + shape.kind
                free = next(each for i in range(1, 100) if (each := camel + str(i)[i < 2 :]) not in structs)
                table[shape.key] = free
                structs[free] = f"struct {free} {{\n{shape.body}}};\n"
    lists = [
        _wrapped(f"using {TABLES[kind]} = Table<", [f"{name}," for name in names.values()])[:-1] + ">;\n"
        for kind, names in tables.items()
    ]
    keys = [_wrapped(f'  "{kind} ', list(names), '"', '  " ') + '\\n"' for kind, names in tables.items()]
    return "\n".join(
        [
            HEADER,
            *structs.values(),
            *lists,
            "// The keys of the tables' shapes, in their order.",
            "#define FUSEPROP_KEYS \\",
            " \\\n".join("\n".join(keys).split("\n")),
            FOOTER,
        ]
    )


def _wrapped(start: str, words: Sequence[str], end: str = "", begin: str = "    ") -> str:
    """Return words behind what they start with, in lines of at most 100 characters or so."""
    lines, line = [], start
    for place, word in enumerate(words):
        if len(line) + len(word) > 100:
            lines.append(line.rstrip(" ") + end)
            line = begin
        line += word + (" " if place < len(words) - 1 else "")
    return "\n".join([*lines, line])


def _shapes(formula: ActivationFormula | LossFormula | UpdateFormula) -> list[Shape]:
    if isinstance(formula, ActivationFormula):
        return [value_shape(formula), slope_shape(formula)]
    return [loss_shape(formula) if isinstance(formula, LossFormula) else update_shape(formula)]
