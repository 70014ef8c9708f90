"""What training left to look at: a number an epoch for each of loss, metric and time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Score:
    """What a model is judged by, lower being better.

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
        What the metrics are.
    train_loss, train_metric : list of float
        Over the training rows, each taken just before its batch was learned from; weight decay not included.
    validation_loss, validation_metric : list of float
        Over the validation rows, at the end of the epoch.
    seconds : list of float
        Wall time of the epoch, validation included.
    learning_rate : list of float
        The learning rate of the epoch.
    gradient_norms, weight_norms : list of list of float
        Where they were asked for: a number a layer, weights and bias together, after the epoch's last batch.
        Gradients are those that the update used: of that batch, and clipped if they were.
    stop_reason : None or str
        Why training ended; None while it goes on. "finished", "diverged", "interrupted", "early stopping", or
        what a callback gave to `stop`.
    best_epoch : int
        The epoch, counted from 1, with the lowest validation loss, or training loss where there is no
        validation; 0 before the first.
    restore_best : bool
        Whether the network shall end with the weights of `best_epoch`; a callback may ask for it.
    validates : bool
        Whether there is a validation set.
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
        """What the last epoch is judged by: its validation loss, or else its training loss."""
        return (self.validation_loss or self.train_loss)[-1]

    @property
    def monitor(self) -> str:
        """What epochs are judged by: "validation_loss", or "train_loss" where there is no validation."""
        return "validation_loss" if self.validates or self.validation_loss else "train_loss"

    def stop(self, reason: str) -> None:
        """Ask for training to end after this epoch; the first reason given stands."""
        self.stop_reason = self.stop_reason or reason

    def entry(self) -> dict[str, float]:
        """Return the numbers of the last epoch by name, what there is of them."""
        entry: dict[str, float] = {"epoch": self.epochs}
        for name, values in (
            ("train_loss", self.train_loss),
            (f"train_{self.metric}", self.train_metric),
            ("validation_loss", self.validation_loss),
            (f"validation_{self.metric}", self.validation_metric),
            ("learning_rate", self.learning_rate),
            ("seconds", self.seconds),
        ):
            if values:
                entry[name] = values[-1]
        for name, norms in (("gradient", self.gradient_norms), ("weight", self.weight_norms)):
            if norms:
                entry |= {f"{name}_norm_{i}": norm for i, norm in enumerate(norms[-1], 1)}
        return entry

    def describe_last(self) -> str:
        """Return the last epoch in words, such as ``loss 0.31  accuracy 0.92  validation loss 0.35 ...``."""
        words = self._told(self.train_loss[-1], self.train_metric[-1])
        if self.validation_loss:
            words += f"  validation {self._told(self.validation_loss[-1], self.validation_metric[-1])}"
        return words

    def _told(self, loss: float, metric: float) -> str:
        words = {"loss": f"{loss:.4g}"}
        words.setdefault(self.metric, f"{metric:.4f}")  # each name once: the metric may be the loss
        return "  ".join(f"{name} {number}" for name, number in words.items())
