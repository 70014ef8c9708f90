"""The callbacks of a fit: fuseprop's own, and those of `sklearn.callback`, since scikit-learn 1.9."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..callbacks import Callback, Together, check_callbacks
from ..callbacks.history import History

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for the class that this scikit-learn lacks."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "Monitor", "with_callbacks"]


class Monitor(Together):
    """All callbacks of one `fit`, called as one: fuseprop's as `Together` calls them, and scikit-learn's.

    Parameters
    ----------
    estimator : estimator
        Its `callbacks` parameter holds fuseprop's callbacks; `set_callbacks` has set those of scikit-learn.
    data : dict
        X, y and metadata, for scikit-learn's.
    weights : callable
        Returns the attributes that a fitted copy of the estimator needs at this moment.
    is_fit : bool
        Whether this is a `fit`, the only method for which scikit-learn's callbacks are called.
    """

    def __init__(
        self,
        estimator: Any,
        data: dict[str, Any],
        weights: Callable[[], dict[str, Any]],
        *,
        is_fit: bool,
    ) -> None:
        given: Any = () if estimator.callbacks is None else estimator.callbacks
        callbacks: Sequence[Callback] = [given] if hasattr(given, "epoch_end") else given
        check_callbacks(callbacks)
        super().__init__(callbacks)
        self._estimator, self._data, self._weights = estimator, data, weights
        self._has_sklearn_callbacks = is_fit and bool(
            {"_skl_callbacks", "_parent_callback_ctx"} & vars(estimator).keys()
        )
        self._context: Any = None
        self._epoch: Any = None
        self._epochs_left = 0

    def start(self, epochs: int, history: History) -> None:
        """Training begins and means to run for `epochs` epochs."""
        self._epochs_left = epochs - history.epochs
        if self._has_sklearn_callbacks:
            self._context = self._estimator._init_callback_context(max_subtasks=self._epochs_left)
            self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)
            if self._epochs_left:
                self._begin_epoch()
        super().start(epochs, history)

    def epoch_end(self, history: History) -> None:
        """An epoch is complete; scikit-learn's callbacks may ask for the end by returning True."""
        super().epoch_end(history)
        if self._epoch is not None:
            ended = self._epoch.call_on_fit_task_end(
                estimator=self._estimator, **self._data, reconstruction_attributes=self._weights
            )
            if ended:
                history.stop("callback")
            self._epochs_left -= 1
            self._epoch = None
            if history.stop_reason is None and self._epochs_left:
                self._begin_epoch()

    def complete(self) -> None:
        """The estimator is fitted. After an error scikit-learn's callbacks are called by `teardown` alone."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                estimator=self._estimator, **self._data, reconstruction_attributes=self._weights
            )

    def _begin_epoch(self) -> None:
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(
            estimator=self._estimator, **self._data, reconstruction_attributes=self._weights
        )
