"""The history of a training: loss, metric, learning rate and time of each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checks.quoting import counted
from ..checks.states import ANY, COUNT, FLAG, NUMBER, SEQUENCE, TEXT, Kind, check_state, described
from ..installing import how_to_install_package

CURVES = (
    "train_loss",
    "train_metric",
    "validation_loss",
    "validation_metric",
    "seconds",
    "learning_rate",
    "gradient_norms",
    "weight_norms",
)
"""The attributes of a `History` that are lists with an entry an epoch."""

VALIDATION = ("validation_loss", "validation_metric")
"""Those that are empty without a validation set."""

NORMS = ("gradient_norms", "weight_norms")
"""Those whose entries are lists with a number a layer; empty where norms are not asked for."""

KINDS = {
    **dict.fromkeys(CURVES, ANY),
    "metric": TEXT,
    "stop_reason": Kind("a text or None", lambda value: isinstance(value, str | None)),
    "best_epoch": COUNT,
    "restore_best": FLAG,
    "validates": FLAG,
}
"""What the attributes are in a state."""

LATER = {
    "cut_short": FLAG,
    "batch_size": Kind(
        "a whole number of at least 1, or None", lambda size: size is None or (COUNT.fits(size) and size > 0)
    ),
    "halvings": SEQUENCE,
    "resumed": FLAG,
}
"""Those that the first states lack."""


@dataclass(frozen=True)
class Score:
    """The loss that a model is judged by; lower is better.

    Attributes
    ----------
    monitor : "validation_loss" | "train_loss"
    value : float
    """

    monitor: str
    value: float


@dataclass
class History:
    """One entry an epoch in each list; the validation lists stay empty where there is no validation set.

    Attributes
    ----------
    metric : "accuracy" | "r2" | "d2" | "loss"
        Which metric `train_metric` and `validation_metric` hold.
    train_loss, train_metric : list of float
        Over the training rows, each taken just before its batch was learned from; weight decay not included.
    validation_loss, validation_metric : list of float
        Over the validation rows, at the end of the epoch.
    seconds : list of float
        Wall time of the epoch, validation included.
    learning_rate : list of float
        The learning rate of the epoch.
    gradient_norms, weight_norms : list of list of float
        A number a layer, weights and bias together, after the epoch's last batch; `Network.fit` leaves them
        empty without `norms`. Gradients are those that the update used: of that batch, after clipping.
    stop_reason : None or str
        Why training ended; None while it goes on. "finished", "diverged", "interrupted", "early stopping", or
        what a callback gave to `stop`.
    best_epoch : int
        The epoch, counted from 1, with the lowest validation loss, or training loss where there is no
        validation; 0 before the first.
    restore_best : bool
        Whether training ends with the weights of `best_epoch`; a callback may set it.
    validates : bool
        Whether there is a validation set.
    cut_short : bool
        Whether training has ended between two steps, by Ctrl-C or because a callback asked for it: weights
        that are not restored are then those of an epoch that is not complete.
    batch_size : int or None
        Of the minibatches; smaller than was asked for where `on_oom` has halved it. None for "lbfgs".
    halvings : list of dict
        Each time that `on_divergence` has halved the learning rate: ``{"epoch": 3, "learning_rate": 0.05}``
        says which epoch diverged, counted from 1 and taken again, and the rate that it was taken with then.
    resumed : bool
        Whether training has gone on from a checkpoint, be it one within the first epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> history = network.fit(np.eye(2), np.ones(2), epochs=3)
    >>> len(history.train_loss), history.learning_rate
    (3, [0.3, 0.3, 0.3])
    """

    metric: str
    train_loss: list[float] = field(default_factory=list)
    train_metric: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_metric: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    gradient_norms: list[list[float]] = field(default_factory=list)
    weight_norms: list[list[float]] = field(default_factory=list)
    stop_reason: str | None = None
    best_epoch: int = 0
    restore_best: bool = False
    validates: bool = False
    cut_short: bool = False
    batch_size: int | None = None
    halvings: list[dict[str, Any]] = field(default_factory=list)
    resumed: bool = field(default=False, init=False, repr=False, compare=False)

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return len(self.train_loss)

    @property
    def seconds_per_epoch(self) -> float | None:
        """Mean wall time of an epoch, None before the first."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else None

    @property
    def score(self) -> float:
        """The loss that the last epoch is judged by: of validation, or else of training."""
        return (self.validation_loss or self.train_loss)[-1]

    @property
    def monitor(self) -> str:
        """Which loss epochs are judged by: "validation_loss", or "train_loss" without a validation set."""
        return "validation_loss" if self.validates or self.validation_loss else "train_loss"

    def state_dict(self) -> dict[str, Any]:
        """Return all but `resumed` as plain data; lists of numbers as arrays, (epochs,) or (epochs, L)."""
        state = {name: value for name, value in vars(self).items() if name != "resumed"}
        for name in CURVES:
            state[name] = np.array(state[name], np.float64)
        state["halvings"] = [dict(halving) for halving in self.halvings]
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; raises ValueError, and changes nothing, for anything else."""
        kinds = KINDS | {name: kind for name, kind in LATER.items() if name in state}
        check_state("History", state, **kinds)
        halvings = state.get("halvings", [])
        for halving in halvings:
            check_state("History", halving, epoch=COUNT, learning_rate=NUMBER)
        curves = {name: np.asarray(state[name]) for name in CURVES}
        epochs = curves["train_loss"].size
        for name, curve in curves.items():
            filled = curve.size > 0 if name in NORMS else name not in VALIDATION or state["validates"]
            dimensions = 2 if name in NORMS and filled else 1
            if curve.dtype != np.float64 or curve.ndim != dimensions or len(curve) != epochs * filled:
                raise ValueError(
                    f"this is no state of History: {name} is {described(curve)}, and there are "
                    f"{counted(epochs, 'epoch')}."
                )
        for name in kinds:
            setattr(self, name, curves[name].tolist() if name in curves else state[name])
        self.halvings = [dict(halving) for halving in halvings]
        self.resumed = True

    def stop(self, reason: str) -> None:
        """Ask for training to end after this epoch; the first reason given stands."""
        self.stop_reason = self.stop_reason or reason

    def entry(self, epoch: int | None = None) -> dict[str, float]:
        """Return the numbers of an epoch, counted from 1, by name; of the last one by default.

        Lists that are empty are left out. Raises IndexError for an epoch that is not there.
        """
        if epoch is None:
            epoch = self.epochs
        elif not 1 <= epoch <= self.epochs:
            raise IndexError(f"epoch must be from 1 to {self.epochs}, got {epoch}.")
        entry: dict[str, float] = {"epoch": epoch}
        for name, values in (
            ("train_loss", self.train_loss),
            (f"train_{self.metric}", self.train_metric),
            ("validation_loss", self.validation_loss),
            (f"validation_{self.metric}", self.validation_metric),
            ("learning_rate", self.learning_rate),
            ("seconds", self.seconds),
        ):
            if values:
                entry[name] = values[epoch - 1]
        for name, norms in (("gradient", self.gradient_norms), ("weight", self.weight_norms)):
            if norms:
                entry |= {f"{name}_norm_{i}": norm for i, norm in enumerate(norms[epoch - 1], 1)}
        return entry

    def describe_last(self) -> str:
        """Return the last epoch in words, such as ``loss 0.31  accuracy 0.92  validation loss 0.35 ...``."""
        words = self._in_words(self.train_loss[-1], self.train_metric[-1])
        if self.validation_loss:
            words += f"  validation {self._in_words(self.validation_loss[-1], self.validation_metric[-1])}"
        return words

    def plot(self, title: str = "training") -> Any:
        """Return a `matplotlib.figure.Figure` of loss, metric, learning rate and, with norms, gradients.

        A notebook shows it; ``history.plot().savefig("training.png")`` writes it. The loss is in the
        network's units, those of standardized targets for the regressions of `fuseprop.train`.

        Raises PlotsUnavailable without matplotlib, the extra "plots".
        """
        from ..plots import draw_figure, training_figure  # only when a picture is drawn

        return draw_figure(training_figure(self, title))

    def to_frame(self) -> Any:
        """Return a `pandas.DataFrame` with a row an epoch: the index is "epoch", from 1.

        Its columns are the numbers of `entry`, by these names; with norms, a column a layer. Before the first
        epoch it has neither rows nor columns. Raises ImportError without pandas.
        """
        try:
            import pandas  # half a second to import, and no dependency
        except ImportError as error:
            how = how_to_install_package("pandas")
            raise ImportError(f"a data frame needs pandas, which is not installed. Type: {how}.") from error
        entries = [self.entry(epoch) for epoch in range(1, self.epochs + 1)]
        return pandas.DataFrame(entries or {"epoch": []}).set_index("epoch")

    def _repr_html_(self) -> str:
        """Return the best and the last epoch, why training ended, and the losses as a notebook shows them."""
        from ..showing import paragraph, section, sparkline, table  # only where a notebook asks

        if not self.epochs:
            return section("Training", paragraph("no epoch yet"))
        last = self.entry()
        columns = [name for name in last if "_norm_" not in name]
        shown = {"best": self.entry(self.best_epoch)} if 1 <= self.best_epoch < self.epochs else {}
        shown["best, last" if self.best_epoch == self.epochs else "last"] = last
        rows = [(name, *map(entry.get, columns)) for name, entry in shown.items()]
        ended = f"ended: {self.stop_reason}" if self.stop_reason else "not ended yet"
        if self.halvings:
            ended += f"; learning rate halved {counted(len(self.halvings), 'time')}"
        losses = {"training": self.train_loss, "validation": self.validation_loss}
        return section(
            "Training",
            table(("", *columns), rows),
            paragraph(ended),
            sparkline(losses, "epoch", "loss"),
        )

    def _in_words(self, loss: float, metric: float) -> str:
        words = {"loss": f"{loss:.4g}"}
        words.setdefault(self.metric, f"{metric:.4f}")  # the metric may be the loss, which is named once
        return "  ".join(f"{name} {number}" for name, number in words.items())
