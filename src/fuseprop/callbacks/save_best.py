"""The best model so far in a file, over this run and earlier runs on the same path."""

from __future__ import annotations

from collections.abc import Mapping
from errno import EEXIST
from math import inf
from pathlib import Path
from typing import Any, Protocol

from ..checks.quoting import shown
from ..checks.settings import as_path, check_methods
from ..checks.states import COUNT, NUMBER, TEXT, check_state
from ..checks.warning import warn_user
from ..storage.atomic import check_place
from .history import History, Score


class Savable(Protocol):
    """What can be saved with a score, such as `fuseprop.Model`."""

    def save(self, path: Path, /, *, score: Score | None = None) -> None:
        """Write to a file, atomically."""

    def saved_score(self, path: Path, /) -> Score | None:
        """Return the score in a file; None where a score of this model could not be compared with it."""


class SaveBest:
    """Save the model after each epoch that is better than all before, over the one saved last.

    Epochs are judged by `History.score`: their validation loss, or the training loss where there is no
    validation. The file holds the score too, and a later run on the same path only replaces the model by a
    better one, with a warning where no epoch was better. `path` always holds a whole model, also if the
    process is killed. Training goes on where a model cannot be saved, and ends with a warning that says so.

    Parameters
    ----------
    model : Model
        The model whose network is trained.
    path : str or Path
    overwrite : bool
        Whether the first epoch replaces what is in the file. By default a file is only replaced where its
        model was saved by `SaveBest`, for the same task, loss, features and targets, judged by the same loss
        of the two.

    Raises TypeError for what is no path or no such model; an estimator is none, as it gets its weights when
    `fit` ends. When training starts, raises FileExistsError for a file that is not to be replaced, and
    OSError where it cannot be written.

    Examples
    --------
    >>> import fuseprop
    >>> from fuseprop.callbacks import SaveBest
    >>> model, report = fuseprop.train("xor", epochs=2, device="cpu")
    >>> saved = SaveBest(model, "best.safetensors")
    """

    of_first = True

    def __init__(self, model: Savable, path: str | Path, *, overwrite: bool = False) -> None:
        check_methods("the model", model, ("save", "saved_score"), "a fuseprop.Model")
        self._model = model
        self._path = as_path(path, "model.safetensors")
        self._overwrite = overwrite
        self._to_beat, self._saved, self._failure = inf, 0, ""

    def start(self, epochs: int, history: History) -> None:
        """Read the score in the file, and check that it may be replaced."""
        self._found: Score | None = None  # `end` is called and reads it, also where `start` raises
        self._to_beat, self._saved, self._failure = inf, 0, ""
        check_place(self._path)
        if not self._overwrite:
            self._found = self._score_there(history.monitor)
        if self._found is not None:
            self._to_beat = self._found.value

    def epoch_end(self, history: History) -> None:
        """Save, if this epoch is better than all before."""
        if not history.score < self._to_beat:
            return
        try:
            self._model.save(self._path, score=Score(history.monitor, history.score))
        except OSError as error:
            why = error.strerror or str(error)
            place = shown(self._path, None)
            self._failure = f"the model of epoch {history.epochs} could not be saved in {place}: {why}"
        else:
            self._to_beat, self._saved, self._failure = history.score, history.epochs, ""

    def end(self, history: History) -> None:
        """Warn where the file does not hold the best model of this run."""
        if self._failure:
            kept = f"It holds that of epoch {self._saved}." if self._saved else "None of this run is there."
            warn_user(f"{self._failure}. {kept}", UserWarning)
        elif self._found is not None and history.epochs and not self._saved:
            name = self._found.monitor.replace("_", " ")
            warn_user(
                f"{shown(self._path, None)} keeps the model of an earlier run, with a {name} of "
                f"{self._found.value:.6g}; no epoch of this run was better.",
                UserWarning,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the score to beat, the epoch that was saved last, and what failed."""
        return {"bar": self._to_beat, "saved": self._saved, "failure": self._failure}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        check_state("SaveBest", state, bar=NUMBER, saved=COUNT, failure=TEXT)
        self._to_beat, self._saved, self._failure = state["bar"], state["saved"], state["failure"]

    def _score_there(self, monitor: str) -> Score | None:
        """Return the score in the file; None where there is no file, or an empty one."""
        if not self._path.exists() or not self._path.stat().st_size:
            return None
        try:
            found = self._model.saved_score(self._path)
        except ValueError as error:
            raise self._refusal(f"is no model ({error})") from error
        if found is None:
            raise self._refusal("has no score to compare with, for the same task, loss, features and targets")
        if found.monitor != monitor:
            raise self._refusal(f"was judged by its {found.monitor}, and this run by its {monitor}")
        return found

    def _refusal(self, why: str) -> FileExistsError:
        advice = "pass overwrite=True to replace it, or name another file"
        return FileExistsError(EEXIST, f"what is in this file {why}; {advice}", str(self._path))
