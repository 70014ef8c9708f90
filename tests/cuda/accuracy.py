"""How far results are from the exact ones: ulp for activations, eps for softmax and losses."""

import numpy as np

from fuseprop.backend import INTEGER


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
    return float(np.nan_to_num(errors, nan=np.inf).max() / np.finfo(actual.dtype).eps)


def every_magnitude(dtype):
    """Numbers of both signs from the smallest denormal to the largest there is, in 16 columns."""
    low, high = np.log2(np.longdouble([np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max]))
    wide = np.minimum(np.exp2(np.linspace(low, high, 2000)), np.finfo(dtype).max).astype(dtype)
    usual = np.geomspace(1e-3, 800, 6000).astype(dtype)
    positive = np.concatenate([wide, usual])
    return np.concatenate([positive, -positive]).reshape(-1, 16)


def activation_error(backend, activation):
    """The largest error of sigmoid or tanh in ulp, over every magnitude."""
    z = every_magnitude(backend.dtype)
    out = backend.empty(z.shape)
    backend.bias_activation(backend.from_host(z), None, activation, out=out)
    e = np.exp(-np.abs(exact(z)))
    reference = np.where(z >= 0, 1, e) / (1 + e) if activation == "sigmoid" else np.tanh(exact(z))
    return ulps(backend.to_host(out), reference)


def poisson_errors(backend, k, scale):
    """The largest errors of the Poisson deviance, for means near counts and far from them.

    In eps of max(1, |loss|, sum_j |y - t| max(1, |z|)): the last is what the last digit of z is worth, which
    no formula can do without.
    """
    rng, n = np.random.default_rng(1), 65
    t = np.exp(rng.normal(size=(n, k), scale=3)).astype(backend.dtype)
    t[: n // 3] = np.round(t[: n // 3])
    distance = rng.normal(size=(n, k), scale=scale)
    distance[::2] *= 1e-3
    z = (np.log(np.where(t > 0, t, 1)) + distance).astype(backend.dtype)
    weights = rng.uniform(size=n).astype(backend.dtype)
    losses, gradient = backend.empty((n,)), backend.empty((n, k))
    backend.half_poisson_deviance(*map(backend.from_host, (z, t, weights)), losses=losses, gradient=gradient)
    z, t, weights = exact(z), exact(t), exact(weights)[:, None]
    y, d = np.exp(z), z - np.log(np.where(t > 0, t, 1))
    terms = np.where(t > 0, np.where(np.abs(d) < 1, t * (np.expm1(d) - d), y - t - t * d), y)
    worth = np.maximum(1, (np.abs(y - t) * np.maximum(1, np.abs(z))).sum(axis=1))
    return {
        "half_poisson_deviance": epsilons(backend.to_host(losses), terms.sum(axis=1), worth),
        "half_poisson_deviance, gradient": epsilons(
            backend.to_host(gradient), weights * (y - t), np.maximum(1, weights * np.maximum(y, t))
        ),
    }


def loss_errors(backend, k, scale):
    """The largest error of softmax and of each loss and its gradient in eps, by name."""
    rng, n = np.random.default_rng(0), 65
    z = rng.normal(size=(n, k), scale=scale).astype(backend.dtype)
    t = rng.uniform(size=(n, k)).astype(backend.dtype)
    t[: n // 2] = np.round(t[: n // 2])
    labels, weights = rng.integers(0, k, n), rng.uniform(size=n).astype(backend.dtype)
    logits, target, row_weights = map(backend.from_host, (z, t, weights))
    losses, gradient = backend.empty((n,)), backend.empty((n, k))
    z, t, weights = exact(z), exact(t), exact(weights)[:, None]
    errors = {}

    def compare(name, row_losses, row_gradients):
        errors[name] = epsilons(backend.to_host(losses), row_losses)
        errors[f"{name}, gradient"] = epsilons(backend.to_host(gradient), row_gradients)

    backend.softmax(logits, out=gradient)
    shifted = z - z.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    p = e / e.sum(axis=1, keepdims=True)
    errors["softmax"] = epsilons(backend.to_host(gradient), p)

    device_labels = backend.from_host(labels, dtype=INTEGER)
    backend.softmax_cross_entropy(logits, device_labels, row_weights, losses=losses, gradient=gradient)
    compare(
        "softmax_cross_entropy",
        np.log(e.sum(axis=1)) - shifted[np.arange(n), labels],
        weights * (p - np.eye(k)[labels]),
    )

    backend.sigmoid_cross_entropy(logits, target, row_weights, losses=losses, gradient=gradient)
    e = np.exp(-np.abs(z))
    compare(
        "sigmoid_cross_entropy",
        (np.where(z > 0, (1 - t) * z, -t * z) + np.log1p(e)).sum(axis=1),
        weights * (np.where(z > 0, 1, e) / (1 + e) - t),
    )

    errors |= poisson_errors(backend, k, min(scale, 10))  # e^z overflows float32 from 88 on

    backend.absolute_error(logits, target, row_weights, 0.5, losses=losses, gradient=gradient)
    compare("absolute_error", np.abs(z - t).sum(axis=1) / 2, weights * np.sign(z - t) / 2)

    if scale < 1e18:  # float32 does not hold the square of more
        backend.squared_error(logits, target, row_weights, 0.5, losses=losses, gradient=gradient)
        compare("squared_error", ((z - t) ** 2).sum(axis=1) / 2, weights * (z - t))
    return errors
