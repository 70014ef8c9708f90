"""The networks of a model that are trained, as data that checkpoints hold beside the one under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from ..backend import HostArray
from ..callbacks.history import History
from ..checkpoints import CheckpointError, Found
from ..checks.quoting import counted, quoted, shown
from ..checks.states import (
    ANY,
    NUMBER,
    SEQUENCE,
    STATE,
    TEXT,
    Kind,
    check_array,
    check_state,
    described,
)
from ..formulas.activation import as_activation
from ..formulas.kept import keep_activation, keep_loss
from ..formulas.loss import as_loss
from ..layers.joining import Weights
from ..metrics import Confusion, Scores
from ..network import Network
from ..training.sameness import check_same, digests_of
from ..training.state import refusing
from ..training.unison import rows_to_evaluate
from ..world import ALONE, Processes
from .model import Model
from .settings import Settings

PART = "model"
"""Where it stands in a checkpoint, beside what training goes on from."""

PAIR = Kind("weights and bias", lambda layer: isinstance(layer, list | tuple) and len(layer) == 2)

DEFAULTS = {field.name: field.default for field in fields(Settings) if field.default is not MISSING}
"""What counts for settings that a checkpoint of an earlier version does not name."""

FREE = ("device", "epochs", "on_divergence", "on_oom")
"""The settings that may be others where training goes on; there may be more epochs."""


@dataclass(frozen=True)
class Member:
    """A network whose training has ended.

    Attributes
    ----------
    weights : list of pairs
        The weights (d, m) and the bias (m,) of each layer.
    history : History
    scores : Scores, or None
        On the rows that were held out from it, where there are some.
    """

    weights: Weights
    history: History
    scores: Scores | None


def state_of(settings: Settings, table: Mapping[str, Any], members: Sequence[Member]) -> dict[str, Any]:
    """Return as plain data a model's settings, its table, and those of its networks whose training has ended.

    `table` is what `table_of` returned.
    """
    return {
        "settings": plain_settings(settings),
        "table": table,
        "members": [
            {
                "weights": [list(layer) for layer in member.weights],
                "history": member.history.state_dict(),
                "scores": None if member.scores is None else _plain_scores(member.scores),
            }
            for member in members
        ],
    }


def table_of(
    model: Model, test: tuple[HostArray, HostArray] | None, world: Processes = ALONE
) -> dict[str, Any]:
    """Return as plain data what a model's table is beside the rows that networks learn from.

    The names of its columns and classes, and the digests of the test rows; `test` has their inputs (n, width)
    and targets, of several processes each its own.
    """
    network, task = model.network, model.task
    rows = None if test is None else rows_to_evaluate(network.stack, *test, world=world)
    return {
        "names": {
            "columns": list(model.feature_names),
            "task": task.name,
            "targets": list(task.targets),
            "classes": list(task.classes),
        },
        "data": {} if rows is None else digests_of(network.backend, rows, "test rows", world),
        "shared": world is not ALONE,
    }


def _check_table(found: Found, table: Mapping[str, Any]) -> None:
    """Raise CheckpointError, which names what differs, for the checkpoint of a model of another table.

    Networks compare the rows that they learn from.
    """
    was_shared = bool(found.state["around"][PART]["table"].get("shared"))
    if was_shared != table["shared"]:
        how = "by mpiexec, with any number of processes: mpiexec -n 1" if was_shared else "without mpiexec"
        raise CheckpointError(
            f"{shown(found.path, None)} is the checkpoint of a training that was started "
            f"{'by' if was_shared else 'without'} mpiexec, which draws splits and orders in another way. Go "
            f"on from it {how}."
        )
    before, after = (
        {"settings": each["names"], "data": each["data"]}
        for each in (found.state["around"][PART]["table"], table)
    )
    check_same(shown(found.path, None), before, after)


def members_in(found: Found, settings: Settings, table: Mapping[str, Any], network: Network) -> list[Member]:
    """Return the networks in a checkpoint whose training has ended; `network` is one like them.

    `table` is what `table_of` returned.

    Raises CheckpointError for one of other settings, which are named, and for one that is of no model.
    """
    place, around = shown(found.path, None), found.state.get("around")
    state = around.get(PART) if isinstance(around, Mapping) else None
    if state is None:
        raise CheckpointError(
            f"{place} is the checkpoint of a network alone, not of a model with its columns. Go on from it "
            f"by `Network.fit`."
        )
    with refusing(found):
        check_state("a model", state, settings=STATE, table=STATE, members=SEQUENCE)
        check_state("a table", state["table"], names=STATE, data=STATE)
        check_state("the names of a table", state["table"]["names"], classes=SEQUENCE)
    recorded, present = {**DEFAULTS, **state["settings"]}, plain_settings(settings)
    named = {name: value for name, value in present.items() if name not in FREE}
    before = {name: value for name, value in recorded.items() if name not in FREE}
    check_same(place, {"settings": before, "data": {}}, {"settings": named, "data": {}})
    _check_epochs(place, recorded.get("epochs"), settings, len(state["members"]))
    _check_table(found, table)
    with refusing(found):
        if len(state["members"]) > settings.members:
            raise ValueError(f"it has {counted(len(state['members']), 'network')} that are done.")
        classes = tuple(state["table"]["names"]["classes"])
        return [_member(each, network, classes) for each in state["members"]]


def plain_settings(settings: Settings) -> dict[str, Any]:
    """Return settings as plain data by name."""
    plain = {field.name: _plain(getattr(settings, field.name)) for field in fields(settings)}
    plain["activation"] = [keep_activation(as_activation(each)) for each in settings.activation]
    plain["loss"] = keep_loss(as_loss(settings.loss))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return value.item()
    # A schedule of a user's own: the rates of all epochs are compared where training goes on.
    return "a schedule" if callable(value) else value


def _check_epochs(place: str, recorded: Any, settings: Settings, done: int) -> None:
    if settings.epochs == recorded:
        return
    if settings.schedule != "constant":
        raise CheckpointError(
            f"{place}: epochs is {settings.epochs}, and was {described(recorded)}, by which the schedule "
            f"{quoted(settings.schedule)} sets the learning rate of every epoch. Give as many, or train anew."
        )
    if done:
        raise CheckpointError(
            f"{place}: epochs is {settings.epochs}, and was {described(recorded)} for the "
            f"{counted(done, 'network')} that {'is' if done == 1 else 'are'} done. Give "
            f"as many, or train anew."
        )


def _plain_scores(scores: Scores) -> dict[str, Any]:
    confusion = None if scores.confusion is None else scores.confusion.counts
    return {"values": dict(scores), "undefined": scores.undefined, "confusion": confusion}


def _scores(state: Any, classes: tuple[Any, ...]) -> Scores:
    check_state("scores", state, values=STATE, undefined=STATE, confusion=ANY)
    check_state("scores", state["values"], **dict.fromkeys(state["values"], NUMBER))
    check_state("scores", state["undefined"], **dict.fromkeys(state["undefined"], TEXT))
    if state["confusion"] is None:
        return Scores(state["values"], undefined=state["undefined"])
    counts = np.asarray(state["confusion"])
    if counts.shape != (len(classes), len(classes)) or counts.dtype.kind not in "iu":
        raise ValueError(f"it has a confusion matrix of the shape {counts.shape}.")
    return Scores(state["values"], undefined=state["undefined"], confusion=Confusion(classes, counts))


def _member(state: Any, network: Network, classes: tuple[Any, ...]) -> Member:
    check_state("a network", state, weights=SEQUENCE, history=STATE, scores=ANY)
    history = History("loss")
    history.load_state_dict(state["history"])
    shapes, dtype = network.stack.parameters.shapes, network.backend.dtype
    if history.epochs == 0 or len(state["weights"]) != len(shapes):
        raise ValueError(
            f"it has a network of {counted(history.epochs, 'epoch')} and "
            f"{counted(len(state['weights']), 'layer')}."
        )
    weights = []
    for layer, (d, m) in zip(state["weights"], shapes, strict=True):
        check_state("a network", {"layer": layer}, layer=PAIR)
        pair = (
            check_array("a network", "weights", layer[0], (d, m), dtype),
            check_array("a network", "bias", layer[1], (m,), dtype),
        )
        if not all(np.isfinite(array).all() for array in pair):
            raise ValueError("it has a network whose weights are not finite.")
        weights.append(pair)
    return Member(weights, history, None if state["scores"] is None else _scores(state["scores"], classes))
