"""The largest error of each kernel, on whatever device a `CupyBackend` computes.

    python tests/cuda/kernel_errors.py FILE

appends to FILE, for each dtype, whether steps are captured on this machine's GPU and then, after every shape,
the errors so far, as JSON lines: {"dtype": d, "captured": yes or no, "said": why} and {"dtype": d, "errors":
{...}, "done": yes or no}.

In eps, |a - b| / max(1, |b|), against NumPy in float64, and for formulas and softmax against a higher
precision too. In ulp, which means something only where nothing cancels, for sigmoid and tanh.
"""

import sys
from contextlib import closing
from itertools import product
from pathlib import Path

import numpy as np
from accuracy import activation_errors, activation_ulps, epsilons, loss_errors, softmax_errors
from comparisons import ACTIVATIONS, ELEMENTWISE, Comparison
from fuseprop_cupy.device.kernel_list import C_TYPES
from fuseprop_cupy.formulas import functor
from fuseprop_numpy import NumpyBackend
from launched import PRODUCT
from left_behind import Lines

SHAPES = [(1, 1), (3, 33), (129, 5), (300, 20)]


class Measurement(Comparison):
    """A comparison that keeps errors, by the kernels that were launched, instead of judging them."""

    def __init__(self, ours):
        super().__init__(ours)
        self.numpy = NumpyBackend("float64")
        self.errors = {}
        self._launched = []
        self._settled = False
        run = ours._device.run

        def noting(kernel, *arguments):
            if self._settled:
                self._launched.clear()
            self._settled = False
            self._launched.append(kernel.expression)
            run(kernel, *arguments)

        ours._device.run = noting

    def __call__(self, *arguments):
        self._launched.clear()
        return super().__call__(*arguments)

    def agree(self, actual, expected, *, exactly=False):
        self._settled = True
        for name in self._launched or [PRODUCT]:
            self.keep(name, "eps", epsilons(actual.astype(self.ours.dtype), expected))

    def keep(self, name, unit, error):
        """Keep the largest error of a kernel."""
        kept = self.errors.setdefault(name, {})
        kept[unit] = max(kept.get(unit, 0.0), error)


def kernel_errors(backend, keep=lambda errors, done: None):
    """Return {kernel: {"eps": error, "ulp": error where it means something}} for all kernels of a backend.

    `keep` is told what is known after each shape, and at the end that this is all.
    """
    measurement = Measurement(backend)
    for n, k in SHAPES:
        measurement.everything(n, k, np.random.default_rng(0))
        keep(measurement.errors, False)
    value = C_TYPES[backend.dtype]
    for k, scale in product((1, 10, 33), (1.0, 30.0)):
        for name, error in softmax_errors(backend, k, scale).items():
            measurement.keep(f"{name.partition(',')[0]}<{value}>", "eps", error)
        for loss in ELEMENTWISE.values():
            name = f"loss_of_rows<{value}, {functor(loss.formula).name}>"
            measurement.keep(name, "eps", max(loss_errors(backend, loss, k, scale).values()))
    for activation, formula in ACTIVATIONS.items():
        arguments = f"<{value}, {functor(formula).name}>"
        for name, error in activation_errors(backend, formula).items():
            measurement.keep(name + arguments, "eps", error)
        if activation in ("sigmoid", "tanh"):
            measurement.keep(f"bias_activation{arguments}", "ulp", activation_ulps(backend, formula))
    keep(measurement.errors, True)
    return measurement.errors


def captured(backend):
    """Return whether steps are captured here, and what is to be said of that."""
    from fuseprop_cupy.diagnosis import captured_steps

    try:
        return {"captured": True, "said": captured_steps(backend)}
    except Exception as error:
        return {"captured": False, "said": f"{type(error).__name__}: {error}"}


def main(path, backends):
    """Append what is measured to a file, as soon as it is."""
    with closing(Lines(path)) as lines:
        for backend in backends:
            dtype = backend.dtype.name
            lines.write(dtype=dtype, **captured(backend))

            def keep(errors, done, dtype=dtype):
                lines.write(dtype=dtype, errors=errors, done=done)

            kernel_errors(backend, keep)


if __name__ == "__main__":
    from fuseprop_cupy import CupyBackend

    main(Path(sys.argv[1]), (CupyBackend(dtype) for dtype in ("float32", "float64")))
