"""The largest error of each kernel, on whatever device a `CupyBackend` computes.

In eps, |a - b| / max(1, |b|), against NumPy in float64, and for the losses against a higher precision too. In
ulp, which means something only where nothing cancels, for sigmoid and tanh.
"""

import numpy as np
from accuracy import activation_error, epsilons, loss_errors
from comparisons import Comparison
from fuseprop_cupy.catalog import C_TYPES
from fuseprop_numpy import NumpyBackend

SHAPES = [(1, 1), (3, 33), (129, 5), (300, 20)]
PRODUCT = "matmul (cuBLAS)"


class Measurement(Comparison):
    """A comparison that keeps errors, by the kernels that were launched, instead of judging them."""

    def __init__(self, ours):
        super().__init__(ours)
        self.numpy = NumpyBackend("float64")
        self.errors = {}
        self._launched = []
        self._settled = False
        run = ours._device.run

        def noting(name, *arguments):
            if self._settled:
                self._launched.clear()
            self._settled = False
            self._launched.append(name)
            run(name, *arguments)

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


def kernel_errors(backend):
    """Return {kernel: {"eps": error, "ulp": error where it means something}} for all kernels of a backend."""
    measurement = Measurement(backend)
    for n, k in SHAPES:
        measurement.everything(n, k, np.random.default_rng(0))
    value = C_TYPES[backend.dtype]
    for k in (1, 10, 33):
        for scale in (1.0, 30.0):
            for name, error in loss_errors(backend, k, scale).items():
                measurement.keep(f"{name.partition(',')[0]}<{value}>", "eps", error)
    for activation, functor in (("sigmoid", "Sigmoid"), ("tanh", "Tanh")):
        name = f"bias_activation<{value}, {functor}>"
        measurement.keep(name, "ulp", activation_error(backend, activation))
    return measurement.errors
