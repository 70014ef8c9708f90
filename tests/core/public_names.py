"""What users and other packages may call: every public name with its signature, one a line.

    python tests/core/public_names.py

renews `public_names.txt`, which `test_public_names.py` compares with the code. A line names what a user
types, and never the file in which it is written, so that files may move. Annotations are left out, and what
classes inherit from other libraries.
"""

import ast
import inspect
import re
import sys
import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Literal, TypeVar, get_args, get_origin

import click
import numpy as np

from fuseprop import Dense, MLPClassifier, MLPRegressor, Network
from fuseprop.backend import Backend
from fuseprop.cli import main

LIST = Path(__file__).with_suffix(".txt")

OURS = ("fuseprop", "fuseprop_numpy", "fuseprop_cupy")

OF_SCIKIT_LEARN = ["MLPClassifier", "MLPRegressor", "from_sklearn", "to_sklearn"]
MODULES = {
    "fuseprop": ["__all__", *OF_SCIKIT_LEARN],
    "fuseprop.backend": ["__all__"],
    "fuseprop.callbacks": ["__all__"],
    "fuseprop.data": ["__all__"],
    "fuseprop.estimators": ["__all__"],
    "fuseprop.exchange": ["__all__"],
    "fuseprop.formulas": ["__all__"],
    "fuseprop.inspection": ["__all__"],
    "fuseprop.learn": ["__all__"],
    "fuseprop.metrics": ["__all__"],
    "fuseprop.optimizers": ["__all__"],
    "fuseprop.plots": ["__all__"],
    "fuseprop.schedules": ["__all__"],
    "fuseprop.testing": ["__all__"],
    "fuseprop.verification": ["__all__"],
    "fuseprop_cupy": ["CupyBackend"],
    "fuseprop_numpy": ["NumpyBackend"],
}
"""The modules that users import from, with their public names; "__all__" stands for what it lists."""

FIXTURES = {"fuseprop.testing": ["backend", "backend64"], "fuseprop.benchmarks.fixtures": ["timed"]}
"""Of the pytest plugins."""

SPECIAL = ["__call__", "__contains__", "__enter__", "__exit__", "__getitem__", "__iter__", "__len__"]
"""Methods that users call by Python's own syntax."""


def public_names():
    """Return the lines, sorted."""
    seen, lines, found = {}, [], []
    for module, listed in MODULES.items():
        imported = import_module(module)
        names = [name for entry in listed for name in (imported.__all__ if entry == "__all__" else [entry])]
        for name in dict.fromkeys(names):
            value = getattr(imported, name)
            place = f"{module}.{name}"
            if inspect.isclass(value) or inspect.isfunction(value):
                if value in seen:
                    lines.append(f"{place}: {seen[value]}")
                    continue
                seen[value] = place
            lines += _described(place, value, found if module == "fuseprop" else [])
    lines += _returned(found, seen)
    lines += [
        f"{plugin}.{name}: fixture"
        for plugin, names in FIXTURES.items()
        for name in names
        if hasattr(import_module(plugin), name)
    ]
    return sorted([*lines, *_choices(), *_fitted_attributes(), *_command(main)])


def _described(place, value, found):
    """Yield the lines of a public name; what its calls return is added to `found`."""
    if inspect.isclass(value):
        yield from _class(place, value, found)
    elif inspect.isfunction(value):
        found.append(value)
        yield place + _signature(value)
    else:
        yield f"{place}: {_constant(value)}"


def _class(place, cls, found):
    """Yield the lines of a class and its public members; those of other libraries' bases are left out."""
    ours = [base for base in cls.__mro__ if _is_ours(base)]
    protocol = getattr(cls, "_is_protocol", False)
    if issubclass(cls, BaseException):
        bases = ", ".join(base.__name__ for base in cls.__mro__[1:-2])
        yield f"{place}{_constructed(cls) if _own_start(cls) else ''}: exception, {bases}"
    else:
        yield f"{place}: protocol" if protocol else place + _constructed(cls)
    if place.endswith("Contract"):  # its tests are there to be run; a new one is no new name
        return
    members = {}
    for base in reversed(ours):
        members |= dict.fromkeys(_attributes_set(base), "attribute")
        members |= dict.fromkeys(inspect.get_annotations(base), "attribute")
        members |= {name: value for name, value in vars(base).items() if not isinstance(value, type)}
    if is_dataclass(cls):
        members |= dict.fromkeys((field.name for field in fields(cls)), "field")
    members |= dict.fromkeys(getattr(cls, "_fields", ()), "field")
    if place.endswith("Backend") and not protocol:  # what the protocol asks for stands there
        members = {name: member for name, member in members.items() if not hasattr(Backend, name)}
    for name, member in members.items():
        if name.startswith("_") and name not in SPECIAL:
            continue
        if isinstance(member, str) and member in ("attribute", "field"):
            if name.endswith("_"):  # of a fitted estimator: see `_fitted_attributes`
                continue
            yield f"{place}.{name}: {member}"
            continue
        method = getattr(member, "__wrapped__", member)  # such as scikit-learn's available_if
        if isinstance(member, property | cached_property):
            found.append(getattr(member, "fget", None) or member.func)
            yield f"{place}.{name}: property"
        elif isinstance(member, classmethod | staticmethod):
            found.append(member.__func__)
            yield f"{place}.{name}{_signature(getattr(cls, name))}: {type(member).__name__}"
        elif inspect.isfunction(method):
            found.append(inspect.unwrap(method))
            yield f"{place}.{name}{_signature(method, method=True)}"
        elif type(member).__module__.partition(".")[0] not in ("sklearn", "typing"):
            yield f"{place}.{name}: {_constant(member)}"


def _is_ours(value):
    return value.__module__.partition(".")[0] in OURS


def _own_start(cls):
    """Return whether a class of ours says how it is constructed."""
    starts = (base for base in cls.__mro__ if {"__init__", "__new__"} & vars(base).keys())
    return _is_ours(next(starts))


def _constructed(cls):
    return _signature(cls) if _own_start(cls) else "()"


def _attributes_set(cls):
    """Return the names which the constructor of this class gives to its object."""
    start = vars(cls).get("__init__")
    if not inspect.isfunction(start) or (is_dataclass(cls) and start.__code__.co_filename == "<string>"):
        return []
    tree = ast.parse(textwrap.dedent(inspect.getsource(start)))
    return [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    ]


def _signature(function, *, method=False):
    """Return "(x, *, y=1)": names, kinds and defaults, without annotations and without self."""
    parameters = list(inspect.signature(function).parameters.values())[method:]
    made = [
        p.replace(
            annotation=p.empty, default=p.empty if p.default is p.empty else _Shown(_constant(p.default))
        )
        for p in parameters
    ]
    return str(inspect.Signature(made))


class _Shown:
    """A default that is shown as this text."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


def _constant(value):
    """Return a value in words that no version of Python, NumPy or another library changes."""
    if get_origin(value) is Literal:
        return f"one of {', '.join(map(repr, get_args(value)))}"
    if isinstance(value, TypeVar) or get_origin(value) is not None:
        return "type"
    if isinstance(value, Mapping):
        return ", ".join(map(str, value))
    if isinstance(value, np.dtype):
        return value.name
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, tuple | list | set | frozenset):
        constants = map(_constant, value)
        return f"({', '.join(sorted(constants) if isinstance(value, set | frozenset) else constants)})"
    if inspect.isclass(value) or inspect.isfunction(value):
        return value.__name__
    if type(value).__name__ == "_HAS_DEFAULT_FACTORY_CLASS":
        return "..."
    return f"a {type(value).__name__}" if _is_ours(type(value)) else "type"


def _returned(found, seen):
    """Yield the lines of classes that no module lists and `fuseprop`'s own calls return, by their names.

    `found` grows while it is read, by what their methods return. A base of what is listed is skipped.
    """
    for function in found:
        annotation = inspect.get_annotations(function).get("return", "")
        names = re.findall(r"[A-Za-z_]\w*", annotation if isinstance(annotation, str) else "")
        for name in names:
            value = function.__globals__.get(name)
            if not inspect.isclass(value) or not _is_ours(value) or value in seen:
                continue
            if not any(inspect.isclass(other) and issubclass(other, value) for other in seen):
                seen[value] = f"returned {name}"
                yield from _class(seen[value], value, found)


def _choices():
    """Yield which names the arguments take that are chosen by name, as their refusals list them."""
    calls = {
        "fuseprop.Dense(activation=)": lambda: Dense(1, 1, "?"),
        "fuseprop.Dense(initializer=)": lambda: Dense(1, 1, initializer="?"),
        "fuseprop.Network(loss=)": lambda: Network([Dense(1, 1)], "?", device="cpu"),
        "fuseprop.Network(metric=)": lambda: Network(
            [Dense(1, 1)], "half_squared_error", metric="?", device="cpu"
        ),
        "fuseprop.MLPRegressor(loss=)": lambda: MLPRegressor("?").fit([[1.0], [2.0]], [1.0, 2.0]),
        "fuseprop.MLPRegressor(solver=)": lambda: MLPRegressor(solver="?").fit([[1.0], [2.0]], [1.0, 2.0]),
        "fuseprop.MLPRegressor(activation=)": lambda: MLPRegressor(activation="?").fit([[1.0]], [1.0]),
    }
    for what, call in calls.items():
        try:
            call()
        except ValueError as error:
            text = str(error)
        else:
            raise AssertionError(f"{what} takes '?'.")
        listed = text.partition("Choose from:")[2].partition(". ")[0] or text.partition("{")[2]
        names = sorted(set(re.findall(r"[a-z]\w+|[a-z]\d*", listed.partition("}")[0])) - {"str", "among"})
        assert names, text
        yield f"{what}: {', '.join(names)}"


def _fitted_attributes():
    """Yield what estimators have once they are fitted."""
    X, y = np.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 0, 1]
    for kind in (MLPClassifier, MLPRegressor):
        names = set()
        for how in (
            {"solver": "sgd", "early_stopping": True, "validation_fraction": 0.5},
            {"solver": "lbfgs"},
        ):
            model = kind(hidden_layer_sizes=(2,), max_iter=1, random_state=0, device="cpu", **how)
            with warnings.catch_warnings(action="ignore"):
                names |= vars(model.fit(X, y)).keys() - model.get_params().keys()
        yield from (
            f"fuseprop.{kind.__name__}.{name}: once fitted" for name in names if not name.startswith("_")
        )


def _command(group, place="fuseprop"):
    """Yield the arguments and options of the command and its subcommands."""
    for parameter in group.params:
        names = [*parameter.opts, *parameter.secondary_opts]
        if isinstance(parameter, click.Argument):
            names = [name.upper() for name in names]
        yield f"$ {place} {' '.join(names)}: {_option(parameter.to_info_dict())}"
    for name, command in getattr(group, "commands", {}).items():
        yield from _command(command, f"{place} {name}")


def _option(about):
    kind = about["type"]
    told = {"required": "required", "multiple": "any number of times", "is_flag": "a flag"}
    words = [about["param_type_name"], *(word for key, word in told.items() if about.get(key))]
    if "choices" in kind:
        words.append("one of " + ", ".join(map(str, kind["choices"])))
    elif "min" in kind:
        bounds = [("above", "at least", "min"), ("below", "at most", "max")]
        words += [
            f"{strict if kind[f'{end}_open'] else loose} {kind[end]}"
            for strict, loose, end in bounds
            if kind[end] is not None
        ]
    if isinstance(about.get("default"), str | int | float) and not isinstance(about["default"], bool):
        words.append(f"default {about['default']!r}")
    return ", ".join(words)


if __name__ == "__main__":
    LIST.write_text("".join(f"{line}\n" for line in public_names()))
    print(f"{LIST} is written.", file=sys.stderr)
