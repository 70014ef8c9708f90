"""Training settings, and the rules that choose defaults from the task and the size of the data.

The rules of Adam were chosen by cross-validation on 38 tables (`benchmarks/tabular`: 26 real ones and 12 that
are generated), beside other activations, rates, decays, no bins and a single network; no rule depends on
which table it is, and the tables that the defaults are held to are others. Those of momentum were tuned
before, on medians over many splits of digits, iris, wine, breast_cancer, diabetes and generated sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil, inf, log2
from typing import Any

import numpy as np

from ..checks.choices import choose, suggestion
from ..checks.quoting import counted, quoted
from ..checks.settings import FLAGS, as_list, check_flag, is_finite_number, positive_integer
from ..data.bins import check_bins
from ..data.tasks import DEFAULT_LOSS, Task
from ..formulas.activation import AnyActivation, as_trainable_activation
from ..formulas.families import Family
from ..formulas.loss import AnyLoss, as_loss
from ..layers.dense import check_dropout
from ..optimizers import Adam, MomentumSGD, Optimizer
from ..optimizers.flat import check_clip_norm, check_learning_rate, check_weight_decay
from ..optimizers.momentum import check_momentum
from ..schedules import OVER_EPOCHS, Schedule, WarmUp, over_epochs
from ..training.changed import CHOICES
from .class_weights import ClassWeight, check_class_weight

SPLIT_FROM = 20
"""Tables with fewer rows are not split by default: scores of a few held-out rows say little."""

HIDDEN = (64, 64)

MOST_BINS, FEWEST_BINS = 16, 3
"""How many bins a column has by default: at most so many, and none where it would be fewer."""

MOST_OF_BINS = 1000
"""How many features all columns' bins have together at most, by default."""

MOST_NUMBERS = 10**8
"""How many numbers all rows' bins have together at most, by default: 0.4 GB in float32."""

MEMBERS = [(SPLIT_FROM, 1), (20_000, 5), (50_000, 3), (inf, 1)]
"""How many networks are trained by default, for fewer rows to learn from than so many."""

PATIENCE = 20
"""How many epochs in a row may pass without a lower validation loss, by default."""

OPTIMIZERS = {"momentum": MomentumSGD, "adam": Adam}

SCALINGS = {"strong": "each batch is divided among the processes", "weak": "each process has its own batch"}
"""What becomes of batches where several processes train together."""


class SettingsError(ValueError):
    """Settings of training that are out of range, unknown, or do not fit each other."""


@dataclass(frozen=True)
class Settings:
    """How a network is built and trained.

    Attributes
    ----------
    hidden : tuple of int
        The hidden layers' sizes; empty for a linear model.
    activation : tuple of str or Activation
        One per hidden layer: a name, such as "relu" or "leaky_relu(0.2)", or one of a user's own.
    loss : str or Loss
        A name, such as "log_cosh" or "huber(1.35)", or one of a user's own. Where it takes all numbers as
        they are, a regression's targets are standardized: a parameter such as huber's delta counts in their
        standard deviations.
    learning_rate, weight_decay : float
        See `MomentumSGD` and `Adam`. The rate is that of the first epoch.
    momentum : float or None
        See `MomentumSGD`; None for "adam", which has none.
    epochs : int
        The most that are run: `patience` may end training before.
    batch_size : int
    test : float
        The share of rows split off first, for the final score alone; 0 for none.
    validation : float
        The share of the remaining rows that is evaluated after each epoch and never trained on; 0 for none.
        Of several members each holds out other rows, that share of them.
    seed : int
        The seed of the splits, the starting weights and the order of the rows.
    dtype, device : str
        See `load_backend`; None as the device stands for that in FUSEPROP_DEVICE, or else "auto".
    optimizer : "momentum" | "adam"
    schedule : str
        How the learning rate falls over `epochs`, whether or not patience ends training before: then it has
        fallen only part of the way. See `over_epochs`.
    clip_norm : float or None
        The largest norm of a step's gradient: see `MomentumSGD`. None for no limit.
    dropout : float
        The share of each hidden layer's outputs that a training step leaves out, in [0, 1).
    patience : int
        Training ends after so many epochs in a row without a lower validation loss; 0 for never. It needs
        validation rows. With them the model keeps the weights of the epoch with the lowest validation loss,
        whatever the patience.
    class_weight : None | "balanced" | mapping
        How much the rows of each class count in training: see `weights_by_class`. Losses and metrics of the
        epochs are weighted alike, those of validation rows too: they choose the weights that are kept, and so
        must measure what training minimises. The scores of a `Report` are not weighted.
    members : int
        So many networks of these sizes are trained, one after the other, from starting weights and orders of
        rows of their own, and joined to one that computes their mean: see `fuseprop.layers.joining.joined`.
    bins : int
        How many features beside its own a number or a date has at most, which tell in which part of its
        range it lies: see `Encoder`. 0 for none.
    clip : bool
        Whether numbers and dates with heavy tails are clipped smoothly: see `Encoder`.
    on_divergence, on_oom : "stop" | "halve"
        Whether training goes on with half the learning rate where the loss stops being finite, and with half
        the batch where the device has no room: see `Network.fit`. Of several members, those after it begin
        with the smaller batch.
    scaling : "strong" | "weak"
        Of several processes that train together: whether they divide each batch among them, or each has a
        batch of its own: `batch_size` counts the rows of a process then, and the learning rate rises to as
        many times its size as there are processes: see `WarmUp`.

    Raises SettingsError for numbers out of range, unknown names, and settings that do not fit each other.
    """

    hidden: tuple[int, ...]
    activation: tuple[AnyActivation, ...]
    loss: str | AnyLoss | Family[AnyLoss]
    learning_rate: float
    momentum: float | None
    weight_decay: float
    epochs: int
    batch_size: int
    test: float
    validation: float
    seed: int = 0
    dtype: str = "float32"
    device: str | None = None
    optimizer: str = "momentum"
    schedule: str = "constant"
    clip_norm: float | None = None
    dropout: float = 0.0
    patience: int = 0
    class_weight: ClassWeight | None = None
    members: int = 1
    bins: int = 0
    clip: bool = False
    on_divergence: str = "stop"
    on_oom: str = "stop"
    scaling: str = "strong"

    def __post_init__(self) -> None:
        try:
            self._check()
        except (TypeError, ValueError) as error:
            raise SettingsError(str(error)) from None

    def _check(self) -> None:
        for size in self.hidden:
            positive_integer("a hidden layer's size", size)
        for name in self.activation:
            as_trainable_activation(name)
        if len(self.activation) != len(self.hidden):
            raise ValueError(
                f"activation has {counted(len(self.activation), 'entry', 'entries')} for "
                f"{counted(len(self.hidden), 'hidden layer')}; give one name for all, or one a layer."
            )
        as_loss(self.loss)
        positive_integer("epochs", self.epochs)
        positive_integer("batch_size", self.batch_size)
        positive_integer("members", self.members)
        check_bins(self.bins)
        check_flag("clip", self.clip)
        choose("on_divergence", self.on_divergence, CHOICES)
        choose("on_oom", self.on_oom, CHOICES)
        choose("scaling", self.scaling, SCALINGS)
        _check_share("test", self.test)
        _check_share("validation", self.validation)
        check_learning_rate(self.learning_rate)
        check_weight_decay(self.weight_decay)
        choose("optimizer", self.optimizer, OPTIMIZERS)
        if self.optimizer == "momentum":
            check_momentum(self.momentum)
        elif self.momentum is not None:
            raise ValueError(
                f"momentum is a setting of the optimizer momentum, and the optimizer is {self.optimizer}. "
                f'Leave momentum out, or use optimizer "momentum".'
            )
        choose("schedule", self.schedule, OVER_EPOCHS)
        if self.schedule != "constant" and callable(self.learning_rate):
            raise ValueError(
                f"schedule {quoted(self.schedule)} begins with a number, and learning_rate is a schedule "
                f"itself: {self.learning_rate!r:.60}. Leave one of them out."
            )
        check_clip_norm(self.clip_norm)
        check_dropout(self.dropout)
        if self.dropout and not self.hidden:
            raise ValueError(
                f"dropout={self.dropout:g} leaves out outputs of hidden layers, and there is none. "
                f"Leave it out, or give sizes of hidden layers."
            )
        _check_whole("patience", self.patience)
        if self.patience and not self.validation:
            raise ValueError(
                f"patience={self.patience} counts epochs without a lower validation loss, and no rows are "
                f"held out for validation. Leave it out, or hold rows out, such as by validation=0.2."
            )
        check_class_weight(self.class_weight)
        _check_whole("seed", self.seed)

    def batches(self, processes: int) -> int:
        """Return how many rows the batches of so many processes have together."""
        return self.batch_size * (processes if self.scaling == "weak" else 1)

    def make_optimizer(self, processes: int = 1) -> Optimizer:
        """Return a new optimizer, with the learning rate of each epoch for so many processes."""
        rate: float | Schedule = self.learning_rate
        if self.schedule != "constant":
            rate = over_epochs(self.schedule, self.learning_rate, self.epochs)
        if self.scaling == "weak" and processes > 1:
            rate = WarmUp(rate, processes)
        if self.optimizer == "adam":
            return Adam(rate, weight_decay=self.weight_decay, clip_norm=self.clip_norm)
        assert self.momentum is not None
        return MomentumSGD(rate, self.momentum, self.weight_decay, clip_norm=self.clip_norm)


def settings_for(task: Task, rows: int, columns: int, /, **given: Any) -> Settings:
    """Return settings for a table of `rows` and `columns`: those that are `given`, the others by rule.

    A value of None counts as not given; `activation` may be one for all hidden layers. Where momentum is
    given, or no hidden layer is wanted, the optimizer is momentum, and Adam otherwise.

    Raises SettingsError as `Settings`, TypeError for names that are no settings.
    """
    known = [setting.name for setting in fields(Settings)]
    for name in given.keys() - set(known):
        raise TypeError(
            f"{name!r} is no setting of training. There are: task, {', '.join(known)}."
            f"{suggestion(name, known)}"
        )
    given = {name: value for name, value in given.items() if value is not None}
    share = 0.2 if rows >= SPLIT_FROM else 0.0
    test, validation = given.get("test", share), given.get("validation", share)
    try:
        _check_share("test", test)
        _check_share("validation", validation)
        hidden: tuple[Any, ...] = tuple(
            as_list("hidden", given.get("hidden", HIDDEN), "(64,), a size a layer")
        )
        learned = max(1, round(rows * (1 - test) * (1 - validation)))
        chosen: dict[str, Any] = {
            "loss": DEFAULT_LOSS[task.name],
            "patience": PATIENCE if validation else 0,
        }
        by_momentum = not hidden or given.get("momentum") is not None
        if given.get("optimizer", "momentum" if by_momentum else "adam") == "momentum":
            chosen |= _by_momentum(task, learned, columns, given, linear=not hidden)
        else:
            chosen |= _by_adam(task, learned, columns, given)
        activation = _activation_of_each_layer(given.get("activation", chosen.pop("activation")), len(hidden))
    except (TypeError, ValueError) as error:
        raise SettingsError(str(error)) from None
    fixed = {"hidden": hidden, "activation": activation, "test": test, "validation": validation}
    return Settings(**chosen | given | fixed)


def _by_adam(task: Task, rows: int, columns: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of Adam, for so many rows that a network learns from.

    A batch is about a 40th of the rows, and all epochs are about 6,000 steps, most of which patience spares:
    what weighs against fitting too closely is the epoch that is kept, and the mean of several networks. Bins
    hold at least 20 rows, and are fewer the more columns there are, and the more memory they would take.
    Numbers are learned better with silu, classes with tanh and a little more decay.
    """
    regression = task.name == "regression"
    batch_size = positive_integer("batch_size", given.get("batch_size", _power_of_2(rows / 40, 32, 256)))
    bins = min(MOST_BINS, rows // 20, MOST_OF_BINS // columns, MOST_NUMBERS // (rows * columns))
    return {
        "optimizer": "adam",
        "activation": "silu" if regression else "tanh",
        "learning_rate": 0.003,
        "momentum": None,
        "weight_decay": 0.0001 if regression else 0.0003,
        "schedule": "constant" if callable(given.get("learning_rate")) else "cosine",
        "batch_size": batch_size,
        "epochs": _epochs(6000, ceil(rows / batch_size), 30, 400),
        "members": next(members for most, members in MEMBERS if rows < most),
        "bins": bins if bins >= FEWEST_BINS else 0,
        "clip": True,
    }


def _by_momentum(
    task: Task, rows: int, columns: int, given: Mapping[str, Any], *, linear: bool
) -> dict[str, Any]:
    """Return the settings of momentum SGD, as a course teaches it.

    A regression's weights decay the more, the fewer rows there are a column; a linear model's do not: it is
    least squares where no validation rows choose its epoch.
    """
    regression = task.name == "regression"
    decay = min(1.0, 0.7 * columns / rows) if regression else 0.001
    batch_size = positive_integer("batch_size", given.get("batch_size", 32))
    return {
        "optimizer": "momentum",
        "activation": "tanh",
        "learning_rate": 0.03 if regression else 0.1,
        "momentum": 0.6 if regression else 0.9,
        "weight_decay": 0.0 if linear else float(f"{decay:.2g}"),
        "batch_size": batch_size,
        "epochs": _epochs(2000, ceil(rows / batch_size), 20, 500),
    }


def _epochs(steps: int, each: int, fewest: int, most: int) -> int:
    """Return how many epochs of `each` steps take this many, within limits."""
    return min(most, max(fewest, ceil(steps / each)))


def _power_of_2(number: float, lowest: int, highest: int) -> int:
    """Return the power of 2 that is nearest by its exponent, within limits."""
    return int(min(highest, max(lowest, 2 ** round(log2(number)))))


def _check_whole(name: str, number: object) -> None:
    if isinstance(number, FLAGS) or not isinstance(number, int | np.integer) or number < 0:
        raise ValueError(f"{name} must be a whole number of at least 0, got {number!r:.60}.")


def _check_share(name: str, share: object) -> None:
    if not (is_finite_number(share) and 0 <= share < 1):  # type: ignore[operator]
        raise ValueError(f"{name} must be a share of the rows, at least 0 and below 1, got {share!r:.60}.")


def _activation_of_each_layer(
    activation: AnyActivation | Sequence[AnyActivation], layers: int
) -> tuple[AnyActivation, ...]:
    if isinstance(activation, str) or not isinstance(activation, Iterable):
        given: tuple[AnyActivation, ...] = (activation,)
    else:
        given = tuple(as_list("activation", activation, '("tanh", "relu"), or one for all hidden layers'))
    for each in given:
        as_trainable_activation(each)  # where there is no hidden layer too
    return given * layers if len(given) == 1 else given
