"""Formulas as C++: a struct for each, by which the templates in kernels/ become kernels.

The structs of the built-in formulas stand in kernels/formulas.cuh, which `kernel_formulas` writes. A formula
whose struct is there has that name; any other one, such as a user's own, gets its struct when it is first
used, and a name that ends with a hash of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeAlias

from fuseprop.backend import (
    ActivationFormula,
    Expression,
    LossFormula,
    UpdateFormula,
    statements,
    variables,
)

Formula: TypeAlias = ActivationFormula | LossFormula | UpdateFormula

Kind: TypeAlias = Literal["Activation", "Loss", "Rule"]
"""Of formulas: the name of the template parameter for which their structs stand."""

FILE = Path(__file__).parent / "kernels" / "formulas.cuh"

HEADER = """\
// The formulas of fuseprop.formulas, one struct each: written by fuseprop_cupy/formulas.py, not by hand.
//
// An activation has value(z) = f(z) and slope = f', of the output y = f(z) or, where KEEPS_SUM holds, of z. A
// loss has at(y, t): an output's term and its slope. A rule has step(w, g, moments, settings), which changes
// the moments and returns the new w.
#ifndef FUSEPROP_FORMULAS_CUH
#define FUSEPROP_FORMULAS_CUH

#include "groups.cuh"
#include "scalars.cuh"
"""

FOOTER = """
#endif
"""

_STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Functor:
    """The struct of a formula.

    Attributes
    ----------
    kind : "Activation" | "Loss" | "Rule"
    name : str
        Its name in C++.
    body : str
        What stands between its braces.
    built_in : bool
        Whether it stands in kernels/formulas.cuh.
    """

    kind: Kind
    name: str
    body: str
    built_in: bool

    @property
    def text(self) -> str:
        """The struct itself."""
        return f"struct {self.name} {{\n{self.body}}};\n"


@lru_cache(1024)
def functor(formula: Formula) -> Functor:
    """Return the struct of a formula; equal formulas have the same one."""
    kind, body = _kind(formula), _body(formula)
    known = next((each for each in built_in() if each.body == body), None)
    return known or Functor(kind, f"{kind}_{sha256(body.encode()).hexdigest()[:8]}", body, built_in=False)


@cache
def built_in() -> tuple[Functor, ...]:
    """Return the structs in kernels/formulas.cuh."""
    return tuple(
        Functor(_kind_of_body(body), name, body, built_in=True)
        for name, body in _STRUCT.findall(FILE.read_text(encoding="utf-8"))
    )


def kernel_formulas(*groups: Mapping[str, Formula]) -> str:
    """Return the text of kernels/formulas.cuh for formulas by name, such as {"leaky_relu": ...}.

    Raises ValueError where two groups have the same name.
    """
    structs: dict[str, Functor] = {}
    for group in groups:
        for name, formula in group.items():
            camel = "".join(part.capitalize() for part in name.split("_"))
            if camel in structs:
                raise ValueError(f"two formulas would be the struct {camel}; give one of them another name.")
            structs[camel] = Functor(_kind(formula), camel, _body(formula), built_in=True)
    return "\n".join([HEADER, *(each.text for each in structs.values())]) + FOOTER


def _kind(formula: Formula) -> Kind:
    if isinstance(formula, ActivationFormula):
        return "Activation"
    return "Loss" if isinstance(formula, LossFormula) else "Rule"


def _kind_of_body(body: str) -> Kind:
    if "KEEPS_SUM" in body:
        return "Activation"
    return "Rule" if "MOMENTS" in body else "Loss"


def _body(formula: Formula) -> str:
    if isinstance(formula, ActivationFormula):
        return _activation(formula)
    return _loss(formula) if isinstance(formula, LossFormula) else _rule(formula)


def _activation(formula: ActivationFormula) -> str:
    of = formula.slope_of
    return (
        f"  static constexpr bool KEEPS_SUM = {str(of == 'z').lower()};\n"
        + _function("T value", ["z"], {"return": formula.value})
        + _function("T slope", [of or "y"], {"return": formula.slope})
    )


def _loss(formula: LossFormula) -> str:
    results = {"const T term": formula.term, "const T slope": formula.slope}
    return _function("Pair<T> at", ["y", "t"], results, ["return {term, slope};"])


def _rule(formula: UpdateFormula) -> str:
    moments = [name for name, _ in formula.moments]
    results = {f"moments[{i}]": new for i, (_, new) in enumerate(formula.moments)}
    results["return"] = formula.parameter
    used = variables(*results.values())
    named = [
        f"const T {name} = {array}[{i}];"
        for array, names in (("moments", moments), ("settings", formula.settings))
        for i, name in enumerate(names)
        if name in used
    ]
    arrays = ["T* moments" if moments else "T*"]
    arrays.append("const T* settings" if used & set(formula.settings) else "const T*")
    return (
        f"  static constexpr int MOMENTS = {len(moments)}, SETTINGS = {len(formula.settings)};\n"
        + _function("T step", ["w", "g"], results, arrays=arrays, named=named)
    )


def _function(
    declared: str,
    inputs: Sequence[str],
    results: Mapping[str, Expression],
    last: Sequence[str] = (),
    *,
    arrays: Sequence[str] = (),
    named: Sequence[str] = (),
) -> str:
    """Return a static function of numbers and arrays; an input that the results do not need has no name."""
    used = variables(*results.values())
    parameters = [*(f"T {name}" if name in used else "T" for name in inputs), *arrays]
    made = [line.replace("return = ", "return ", 1) for line in statements(results)]
    body = "".join(f"    {line}\n" for line in (*named, *made, *last))
    return f"  template <typename T> __device__ static {declared}({', '.join(parameters)}) {{\n{body}  }}\n"
