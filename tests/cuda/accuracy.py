"""How far results are from the formulas in a higher precision: in ulp, or in eps of at least 1."""

import numpy as np

from fuseprop.backend import INTEGER, evaluate


def exact(array):
    """Return the numbers in a precision beyond float64, where the machine has one."""
    return array.astype(np.longdouble)


def ulps(actual, reference):
    """The largest error in units of the last place, over normal results."""
    normal = np.abs(reference) >= np.finfo(actual.dtype).tiny
    spacing = np.spacing(np.abs(reference[normal]).astype(actual.dtype))
    return float((np.abs(exact(actual[normal]) - reference[normal]) / spacing).max())


def epsilons(actual, reference, unit=1):
    """The largest |a - b| / max(unit, |b|) in eps; infinite where one is not finite."""
    errors = np.abs(exact(actual) - reference) / np.maximum(unit, np.abs(reference))
    return float(np.where(np.isnan(errors), np.inf, errors).max(initial=0) / np.finfo(actual.dtype).eps)


def every_magnitude(dtype):
    """Numbers of both signs from the smallest denormal to the largest there is, in 16 columns."""
    low, high = np.log2(np.longdouble([np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max]))
    wide = np.minimum(np.exp2(np.linspace(low, high, 2000)), np.finfo(dtype).max).astype(dtype)
    usual = np.geomspace(1e-3, 800, 6000).astype(dtype)
    positive = np.concatenate([wide, usual])
    return np.concatenate([positive, -positive]).reshape(-1, 16)


def activation_ulps(backend, formula):
    """The largest error of an activation's values in ulp, over every magnitude."""
    z = every_magnitude(backend.dtype)
    out = backend.empty(z.shape)
    backend.bias_activation(backend.from_host(z), None, formula, out=out)
    return ulps(backend.to_host(out), evaluate(formula.value, {"z": exact(z)}))


def activation_errors(backend, formula):
    """The largest errors of an activation's values and slopes in eps, by kernel, at magnitudes up to 1e4."""
    z = every_magnitude(backend.dtype)
    z = z[np.abs(z).max(axis=1) < 1e4]
    on_device, ones = backend.from_host(z), backend.from_host(np.ones(z.shape))
    out, delta, sums = backend.empty(z.shape), backend.empty(z.shape), backend.empty(z.shape[1:])
    backend.bias_activation(on_device, None, formula, out=out)
    point = on_device if formula.slope_of == "z" else out
    backend.activation_backward(ones, point, formula, out=delta, bias_gradient=sums)
    found = {}
    for name, array, expression, at in (
        ("bias_activation", out, formula.value, z),
        ("activation_backward", delta, formula.slope, backend.to_host(point)),
    ):
        with np.errstate(over="ignore"):
            reference = np.broadcast_to(evaluate(expression, {"z": exact(at), "y": exact(at)}), z.shape)
        # A device may take denormal points for 0, where a slope may jump.
        usual = (at == 0) | (np.abs(at) >= np.finfo(z.dtype).tiny)
        held = usual & (np.abs(reference) < np.finfo(z.dtype).max)
        found[name] = epsilons(backend.to_host(array)[held], reference[held])
    return found


def softmax_errors(backend, k, scale):
    """The largest errors of softmax, and of its cross-entropy with its gradient, in eps."""
    rng, n = np.random.default_rng(0), 65
    z = rng.normal(size=(n, k), scale=scale).astype(backend.dtype)
    labels, weights = rng.integers(0, k, n), rng.uniform(size=n).astype(backend.dtype)
    logits, row_weights = map(backend.from_host, (z, weights))
    losses, gradient, probabilities = backend.empty((n,)), backend.empty((n, k)), backend.empty((n, k))
    device_labels = backend.from_host(labels, dtype=INTEGER)
    backend.softmax(logits, out=probabilities)
    backend.softmax_cross_entropy(logits, device_labels, row_weights, losses=losses, gradient=gradient)
    shifted = exact(z) - exact(z).max(axis=1, keepdims=True)
    e = np.exp(shifted)
    p = e / e.sum(axis=1, keepdims=True)
    row_losses = np.log(e.sum(axis=1)) - shifted[np.arange(n), labels]
    row_gradients = exact(weights)[:, None] * (p - np.eye(k)[labels])
    return {
        "softmax": epsilons(backend.to_host(probabilities), p),
        "softmax_cross_entropy": epsilons(backend.to_host(losses), row_losses),
        "softmax_cross_entropy, gradient": epsilons(backend.to_host(gradient), row_gradients),
    }


def loss_errors(backend, loss, k, scale):
    """The largest errors of a loss and of its gradient in eps, where the dtype holds the results.

    For the Poisson deviance in eps of max(1, |loss|, sum_j |l'| max(1, |z|)), and for its gradient of the
    larger of mean and target: the last digit of z is worth that, which no formula can do without.
    """
    rng, n = np.random.default_rng(0), 65
    poisson = loss.link == "exponential"
    z = rng.normal(size=(n, k), scale=min(scale, 10) if poisson else scale)
    t = np.where(np.arange(n)[:, None] < n // 2, rng.integers(0, 2, (n, k)), rng.uniform(size=(n, k)))
    if loss.coding is not None:
        t = rng.choice(loss.coding, (n, k))
    if poisson:
        t = np.exp(rng.normal(size=(n, k), scale=3))
        t[: n // 3] = np.round(t[: n // 3])
        z[::2] *= 1e-3
        z += np.log(np.where(t > 0, t, 1))
    arrays = [each.astype(backend.dtype) for each in (z, t, rng.uniform(size=n))]
    losses, gradient = backend.empty((n,)), backend.empty((n, k))
    on_device = map(backend.from_host, arrays)
    backend.loss_of_rows(*on_device, loss.formula, 0.5, losses=losses, gradient=gradient)
    z, t, weights = map(exact, arrays)
    terms, slopes = (evaluate(e, {"y": z, "t": t}) for e in (loss.formula.term, loss.formula.slope))
    weights = weights[:, None] / 2
    worth = np.maximum(1, (np.abs(slopes) * np.maximum(1, np.abs(z))).sum(axis=1)) if poisson else 1
    mean = np.maximum(1, weights * np.maximum(np.exp(z), t)) if poisson else 1
    row_losses = terms.sum(axis=1) / 2
    held = row_losses < np.finfo(backend.dtype).max
    return {
        "loss": epsilons(backend.to_host(losses)[held], row_losses[held], np.broadcast_to(worth, n)[held]),
        "gradient": epsilons(backend.to_host(gradient), weights * slopes, mean),
    }
