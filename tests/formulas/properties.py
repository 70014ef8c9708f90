"""What holds for every expression: `test_expressions.py` asks it of some, `long/formulas.py` of many."""

import ast

import numpy as np
from drawn import equal, points

from fuseprop.backend.derivative import derivative
from fuseprop.backend.expression import OPERATIONS, evaluate, written

H = np.longdouble(1e-6)


def compared(expression, seed=0):
    """Return how many points were smooth enough to compare at; assert that the derivatives agree there.

    In extended precision; where differences over h and 2h differ, a kink or a pole is near.
    """
    rng = np.random.default_rng(seed)
    y, t = rng.normal(0, 1.5, (2, 60)).astype(np.longdouble)
    enough = 0
    for name in ("y", "t"):

        def at(step, name=name):
            moved = {"y": y, "t": t, name: (y if name == "y" else t) + step}
            return np.broadcast_to(evaluate(expression, moved), y.shape)

        with np.errstate(all="ignore"):
            here = at(0)
            near = (at(H) - at(-H)) / (2 * H)
            far = (at(2 * H) - at(-2 * H)) / (4 * H)
            got = np.broadcast_to(evaluate(derivative(expression, name), {"y": y, "t": t}), y.shape)
            size = np.maximum(1, np.abs(near))
            smooth = np.isfinite(near) & (np.abs(near - far) < 1e-7 * size) & (np.abs(here) < 1e6)
            smooth &= ~np.isnan(got)  # as of sqrt(y - y), whose slope is 0 / 0 by the rules
            wrong = smooth & ~(np.abs(got - near) < 1e-6 * size)
        assert not wrong.any(), (
            f"d/d{name} of {expression} at y, t = {y[wrong][0]}, {t[wrong][0]}: {got[wrong][0]}, "
            f"by differences {near[wrong][0]}"
        )
        enough += smooth.sum()
    return enough


def values_of(expression, arrays, xp=np):
    with np.errstate(all="ignore"):
        made = evaluate(expression, dict(zip(("y", "t"), arrays, strict=True)), xp)
    return np.broadcast_to(made, arrays[0].shape)


def check_cpp(expressions, compiled, dtype):
    """Assert that C++ computes what the formulas say, bit by bit; return the share of points left out.

    With the functions of one library on both sides every bit is the same, whatever cancels or overflows.
    """
    arrays, unsure = points(dtype, 2), 0
    for place, expression in enumerate(expressions):
        doubtful = np.zeros(arrays[0].shape, bool)
        reference = values_of(expression, arrays, compiled.module(doubtful))
        got = compiled.values(place, arrays)
        wrong = ~equal(reference, got) & ~doubtful
        assert not wrong.any(), (
            f"{expression} at y, t = {[each[wrong][0] for each in arrays]}: {reference[wrong][0]!r}, in C++ "
            f"{got[wrong][0]!r}"
        )
        unsure += doubtful.mean()
    return unsure / len(expressions)


def check_text(expression):
    """Assert that Python reads the text of an expression as what it is; |x| stands there as abs(x)."""
    arrays = points("float64", 2)
    before = OPERATIONS["abs"]
    OPERATIONS["abs"] = before._replace(text="abs({})")
    try:
        text = written(expression)
    finally:
        OPERATIONS["abs"] = before
    got = np.broadcast_to(in_python(text, dict(zip("yt", arrays, strict=True))), arrays[0].shape)
    assert equal(got, values_of(expression, arrays)).all(), text


def in_python(text, values):
    """Return what Python makes of a text, its numbers being NumPy's: 1 / 0 is inf."""
    tree = ast.parse(text, mode="eval")
    names = {name: getattr(np, name) for name, each in OPERATIONS.items() if each.text.startswith(name)}

    class Typed(ast.NodeTransformer):
        def visit_Constant(self, node):
            return ast.Call(ast.Name("float64", ast.Load()), [node], [])

        def visit_Compare(self, node):
            return ast.Call(ast.Name("truth", ast.Load()), [self.generic_visit(node)], [])

    code = compile(ast.fix_missing_locations(Typed().visit(tree)), "formula", "eval")
    ours = {"float64": np.float64, "truth": lambda holds: np.where(holds, 1.0, 0.0), "abs": abs}
    chosen = {"where": lambda condition, a, b: np.where(condition == 1, a, b)}
    known = {**names, **values, **ours, **chosen, "tiny": np.finfo(np.float64).tiny}
    with np.errstate(all="ignore"):
        return np.float64(1) * eval(code, {"__builtins__": {}}, known)
