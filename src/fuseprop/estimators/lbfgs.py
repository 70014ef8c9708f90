"""The solver "lbfgs": SciPy's L-BFGS-B over the flat parameters, with gradients by backpropagation."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning

from ..backend import AnyBackend, HostArray
from ..callbacks.history import History
from ..checks.warning import warn_user
from ..layers.stack import Stack
from ..training.gradient import Gradient
from ..training.rows import Rows
from .monitoring import Monitor
from .reported import Reported


class Objective:
    """f(w) = sum_i v_i loss_i / sum_i v_i + alpha / (2 sum_i v_i) ||W||^2 over all rows, and its gradient.

    w are the flat parameters (P,), as they lie on the device; padding has the gradient 0, and so stays 0.
    Rows are taken in chunks, whose gradients add up on the host in float64.
    """

    def __init__(self, backend: AnyBackend, stack: Stack, rows: Rows, alpha: float) -> None:
        n = len(rows)
        self._backend, self._stack = backend, stack
        weights = np.ones(n) if rows.weights is None else rows.weights.astype(np.float64)
        total = weights.sum()
        if not total:
            raise ValueError("the sample weights add up to 0, and nothing can be divided by that.")
        self._shares, self._decay = weights / total, alpha / total
        self._targets = rows.targets
        self._gradient = Gradient(backend, stack, rows, self._shares)
        self._reported = Reported.of(stack)

    def __call__(self, values: HostArray) -> tuple[float, HostArray]:
        """Return f and its gradient (P,)."""
        parameters = self._stack.parameters
        self._backend.from_host(values, out=parameters.values)
        with np.errstate(all="ignore"):
            gradient, losses, outputs = self._gradient()
        reported = self._reported.losses(losses.astype(np.float64), outputs, self._targets.values)
        penalty = 0.0
        for start, stop in parameters.weight_ranges:
            gradient[start:stop] += self._decay * values[start:stop]
            penalty += float(np.dot(values[start:stop], values[start:stop]))
        return float(np.dot(reported, self._shares)) + 0.5 * self._decay * penalty, gradient


def fit_lbfgs(
    estimator: Any, backend: AnyBackend, stack: Stack, rows: Rows, history: History, monitor: Monitor
) -> None:
    """Minimise over all rows at once; set `n_iter_` and `loss_`. Warns where L-BFGS has not converged."""
    parameters = stack.parameters
    objective = Objective(backend, stack, rows, estimator.alpha)

    def after_iteration(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        history.train_loss.append(float(intermediate_result.fun))
        history.train_metric.append(np.nan)  # L-BFGS evaluates no metric
        monitor.epoch_end(history)
        if history.stop_reason is not None:
            raise StopIteration

    verbosity = {"iprint": 1 if estimator.verbose else -1} if _scipy_prints() else {}
    try:
        monitor.start(estimator.max_iter, history)
        result = scipy.optimize.minimize(
            objective,
            backend.to_host(parameters.values).astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=after_iteration,
            options={
                "maxfun": estimator.max_fun,
                "maxiter": estimator.max_iter,
                "gtol": estimator.tol,
                **verbosity,
            },
        )
        estimator.n_iter_ = min(result.nit, estimator.max_iter)
        estimator.loss_ = float(result.fun)
        backend.from_host(result.x, out=parameters.values)
        if result.status != 0 and history.stop_reason is None:
            _warn(estimator, result)
        history.best_epoch = estimator.n_iter_
        history.stop("converged" if result.status == 0 else "finished")
    except BaseException as error:
        monitor.end(history, error)
        raise
    monitor.end(history)


def _warn(estimator: Any, result: Any) -> None:
    advice = (
        f"\nIncrease the number of iterations to improve the convergence (max_iter={estimator.max_iter})."
        if estimator.n_iter_ == estimator.max_iter
        else ""
    )
    warn_user(
        f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) (status={result.status}):\n"
        f"{result.message}\n{advice}\nScaling the data may help too.",
        ConvergenceWarning,
    )


def _scipy_prints() -> bool:
    """Whether this SciPy still takes `iprint`."""
    return tuple(int(part) for part in scipy.__version__.split(".")[:2]) < (1, 15)
