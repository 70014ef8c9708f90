"""A `fit` that writes checkpoints or goes on from one: its generator, and what must be as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..backend import AnyBackend
from ..checkpoints import CheckpointError
from ..training.continuing import Continuation, From, Kept
from ..training.epoch import Epoch
from .kept_parameters import compared
from .parameters import STOCHASTIC

EARLIER = "goes on from an earlier fit"
"""The name of the setting that says so."""


def continued(estimator: Any, checkpoint: Kept = None, resume: From = None) -> Continuation:
    """Return what a call that trains goes on from, and where it keeps checkpoints.

    Raises ValueError for the solver "lbfgs", and as `Continuation`.
    """
    for name, given in (("checkpoint", checkpoint), ("resume", resume)):
        if given not in (None, False) and estimator.solver not in STOCHASTIC:
            raise ValueError(
                f"{name} needs solver 'sgd' or 'adam', got {estimator.solver!r}, which goes on from "
                f"nothing that could be kept. Leave {name} out, or take another solver."
            )
    continuation = Continuation(checkpoint, resume, check_random_state(estimator.random_state))
    if continuation.settings is not None and estimator.random_state is None:
        continuation.rng = np.random.RandomState(0)  # whose state will be the checkpoint's, not NumPy's own
    return continuation


def begins_anew(estimator: Any, continuation: Continuation, *, incremental: bool) -> bool:
    """Whether training begins with new weights, or did where it goes on from a checkpoint.

    Raises CheckpointError for a checkpoint of training that did not, where the estimator lacks what it needs.
    """
    can_go_on = hasattr(estimator, "coefs_") and (estimator.warm_start or incremental)
    if continuation.settings is None:
        return not can_go_on
    anew = continuation.settings.get(EARLIER) is not True
    if not (anew or can_go_on):
        raise CheckpointError(
            "this checkpoint is of a fit that went on from an earlier one, of which it does not hold all. "
            "Load or fit the estimator as it was then, set warm_start=True, and resume with it."
        )
    return anew


def settings_of(estimator: Any, backend: AnyBackend, epoch: Epoch, *, first: bool) -> dict[str, Any]:
    """Return what must be as it was where training goes on, as plain data by name."""
    settings = {
        **compared(estimator),
        **epoch.stack.described(),
        "metric": epoch.metric.name,
        "dtype": str(backend.dtype),
        "batch_size": epoch.batch_size,
        EARLIER: not first,
    }
    labels = getattr(estimator, "_labels", None)
    if labels is not None:
        settings |= {"classes": [repr(name) for name in np.asarray(labels.classes).tolist()]}
    return settings
