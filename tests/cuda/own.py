"""Formulas that are not built in, as users write them: they climb the whole ladder too.

Their structs are generated when they are first used. FILE stands for them where a tool asks for a file of
kernels/, such as `mutants.py --file own.cuh`.
"""

from fuseprop_cupy.device import kernel_list
from fuseprop_cupy.formulas import functor

from fuseprop.backend import UpdateFormula, variable
from fuseprop.formulas import Activation, Loss, exp, huber, leaky_relu, log1p, maximum, sqrt, tanh, where

ACTIVATIONS = {
    "mish of a user": Activation("mish of a user", lambda z: z * tanh(maximum(z, 0) + log1p(exp(-abs(z))))),
    "leaky_relu(0.2)": leaky_relu(0.2),
}

LOSSES = {
    "asymmetric": Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y)),
    "huber(1.35)": huber(1.35),
}


def _updates():
    """RMSprop, Tieleman & Hinton 2012, and gradient descent as it is, which keeps nothing."""
    w, g, s, a, b, epsilon = map(variable, ("w", "g", "s", "a", "b", "epsilon"))
    square = b * s + (1 - b) * (g * g)
    return {
        "rmsprop of a user": UpdateFormula(
            w - a * g / (sqrt(square) + epsilon), (("s", square),), ("a", "b", "epsilon")
        ),
        "descent": UpdateFormula(w - a * g, (), ("a",)),
    }


UPDATES = _updates()

FORMULAS = (
    *(made.formula for made in (*ACTIVATIONS.values(), *LOSSES.values())),
    *UPDATES.values(),
)

FUNCTORS = tuple(map(functor, FORMULAS))

FILE = "own.cuh"


def text(functors=FUNCTORS):
    """Return the structs, as the backend hands them to the compiler."""
    return "".join(each.text for each in functors)


def kernels(dtype):
    """Return all kernels of a backend by name, with the built-in formulas and these."""
    return kernel_list.kernels(dtype) | kernel_list.kernels(dtype, FUNCTORS)


def source():
    """Return the text of all of them."""
    return kernel_list.source(FUNCTORS)
