"""Trainings of every kind by public names alone, and what each leaves, for `long/same_bits.py` to compare.

    python tests/trainings.py FILE.npz [--only TEXT] [--first CODE]

A training gives numbers that two checkouts must have bit for bit (`exact`: weights, training losses, what the
random generator draws next), numbers that must agree within the parity bound (`close`: what rows that are not
learned from are scored and predicted by), and texts (`text`: warnings, errors, reasons, counts).
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import re
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))

import fuseprop
import fuseprop.formulas as formulas
from benchmarks.origin import VARIABLE, check_origin
from fuseprop import Adam, EarlyStopping, MLPClassifier, MLPRegressor, MomentumSGD, Network, mlp
from fuseprop.callbacks import HistoryCSV, LearningRate, OnEpochEnd, SaveBest
from fuseprop.learn import TOPICS
from fuseprop.schedules import Constant, Cosine, Exponential, InverseScaling, Step

DTYPES = ("float32", "float64")
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu")
LOSSES = {
    "half_squared_error": "values",
    "mean_squared_error": "values",
    "mean_absolute_error": "values",
    "sigmoid_cross_entropy": "labels",
    "softmax_cross_entropy": "classes",
    "half_poisson_deviance": "counts",
}
"""Each loss, and what its targets are."""

OPTIMIZERS = {
    "momentum": lambda: MomentumSGD(0.05, 0.9),
    "plain": lambda: MomentumSGD(0.1, 0.0),
    "nesterov": lambda: MomentumSGD(0.05, 0.9, nesterov=True),
    "decay": lambda: MomentumSGD(0.05, 0.5, weight_decay=0.01),
    "clip": lambda: MomentumSGD(0.05, 0.5, clip_norm=0.05),
    "decay, clip, nesterov": lambda: MomentumSGD(0.05, 0.5, weight_decay=0.01, clip_norm=0.1, nesterov=True),
    "adam": lambda: Adam(0.01),
    "adam, decay, clip": lambda: Adam(0.01, weight_decay=0.01, clip_norm=0.1),
    "cosine": lambda: MomentumSGD(Cosine(0.1, 40), 0.6),
    "adam, step": lambda: Adam(Step(0.01, 0.5, 9), 0.8, 0.99, 1e-6),
}

FEW, STEPS = 75, 200
"""Rows of most trainings, in batches of 16 of which the last has 11, and steps of most."""


@dataclass
class Left:
    """What a training left.

    Parameters
    ----------
    dtype : "float32" | "float64"
        Of its arithmetic, which its parity bound is taken from.
    """

    dtype: str
    exact: dict = field(default_factory=dict)
    close: dict = field(default_factory=dict)
    text: dict = field(default_factory=dict)

    def history(self, history, prefix="history"):
        """Keep every field but the seconds."""
        for name in ("train_loss", "learning_rate"):
            self.exact[f"{prefix}.{name}"] = np.array(getattr(history, name))
        for name in (
            "train_metric",
            "validation_loss",
            "validation_metric",
            "gradient_norms",
            "weight_norms",
        ):
            self.close[f"{prefix}.{name}"] = np.array(getattr(history, name))
        for name in ("stop_reason", "best_epoch", "epochs", "metric", "validates", "restore_best", "monitor"):
            self.text[f"{prefix}.{name}"] = repr(getattr(history, name))
        self.text[f"{prefix}.seconds"] = f"of {len(history.seconds)} epochs"

    def weights(self, network, prefix=""):
        """Keep weights and gradients."""
        for i, (weights, bias) in enumerate(network.weights(), 1):
            self.exact[f"{prefix}W{i}"], self.exact[f"{prefix}b{i}"] = weights, bias
        for i, (weights, bias) in enumerate(network.gradients(), 1):
            self.exact[f"{prefix}dW{i}"], self.exact[f"{prefix}db{i}"] = weights, bias

    def network(self, network, optimizer=None, prefix=""):
        """Keep weights and gradients, what comes next of the random numbers, and the optimizer's state."""
        self.weights(network, prefix)
        self.text[f"{prefix}next random number"] = repr(int(network.rng.integers(2**40)))
        if optimizer is not None:
            for i, moment in enumerate(optimizer.moments):
                self.exact[f"{prefix}moment {i}"] = network.backend.to_host(moment)
            self.text[f"{prefix}optimizer"] = f"{optimizer.epochs} epochs, {optimizer.steps} steps"

    def predictions(self, network, X, target, weights=None):
        """Keep what the network says of rows."""
        self.close["predict"], self.close["classify"] = network.predict(X), network.classify(X)
        for name, score in network.evaluate(X, target, weights).items():
            self.close[f"evaluate.{name}"] = np.array(score)

    def estimator(self, model, X, y, prefix=""):
        """Keep what a fitted estimator holds and says."""
        for i, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True), 1):
            self.exact[f"{prefix}coefs {i}"], self.exact[f"{prefix}intercepts {i}"] = weights, bias
        self.exact[f"{prefix}loss_curve_"] = np.array(getattr(model, "loss_curve_", []))
        self.exact[f"{prefix}loss_"] = np.array(model.loss_)
        for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
            kept = self.exact if name == "best_loss_" else self.close
            value = getattr(model, name, None)
            self.text[f"{prefix}{name}"] = "None" if value is None else "given"
            if value is not None:
                kept[f"{prefix}{name}"] = np.array(value, np.float64)
        for name in ("n_iter_", "t_", "best_epoch_", "stop_reason_", "n_layers_", "out_activation_"):
            self.text[f"{prefix}{name}"] = repr(getattr(model, name, None))
        self.history(model.history_, f"{prefix}history_")
        for name in ("predict", "predict_proba"):
            if hasattr(model, name):
                made = getattr(model, name)(X)
                if made.dtype.kind == "f":
                    self.close[f"{prefix}{name}"] = made
                else:
                    self.text[f"{prefix}{name}"] = " ".join(map(str, made.ravel()))
        self.close[f"{prefix}score"] = np.array(model.score(X, y))


@dataclass(frozen=True)
class Case:
    """A training: `run(left)` fills what it leaves."""

    name: str
    dtype: str
    run: object

    def left(self):
        """Run it, and return what it left, the warnings and an error with it."""
        left = Left(self.dtype)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                self.run(left)
            except (Exception, KeyboardInterrupt) as error:
                notes = getattr(error, "__notes__", [])
                left.text["error"] = "\n".join([f"{type(error).__name__}: {error}", *notes])
        left.text["warnings"] = "\n".join(
            f"{warning.category.__name__} {_place(warning.filename)}: {warning.message}" for warning in told
        )
        return left


def _place(file):
    """Return what a warning points at."""
    if file == __file__:
        return "at the caller"
    packages = (name for name in ("sklearn", "fuseprop") if f"{os.sep}{name}{os.sep}" in file)
    return f"in {next(packages, 'another package')}"


def inputs(rows, dtype, *, seed=0, features=5):
    """Return rows (n, d)."""
    return np.random.default_rng(seed).normal(size=(rows, features)).astype(dtype)


def targets(X, kind, outputs=3):
    """Return targets of a kind that have to do with the rows."""
    z = X.astype(np.float64) @ np.random.default_rng(1).normal(size=(X.shape[1], outputs))
    return {
        "values": 0.1 + 0.8 / (1 + np.exp(-z)),
        "labels": (z > 0.2).astype(np.int64),
        "classes": z.argmax(axis=1),
        "counts": np.floor(np.exp(np.clip(z, -2, 2))),
    }[kind]


def network(loss, activation, dtype, *, outputs=3, hidden=(8, 6), output="identity", metric=None, **more):
    layers = mlp([5, *hidden, outputs], activation, output_activation=output, **more)
    return Network(layers, loss, metric=metric, device="cpu", dtype=dtype, seed=7)


def fits():
    """Yield `Network.fit`: activations, losses, optimizers, and every argument."""
    for dtype, loss, activation, (name, optimizer) in itertools.product(
        DTYPES, LOSSES, ACTIVATIONS, OPTIMIZERS.items()
    ):
        yield _fit(f"{loss}, {activation}, {name}", dtype, loss, activation, optimizer, validation=0.2)
    for dtype, loss, output in itertools.product(DTYPES, [*LOSSES][:3], ACTIVATIONS[1:]):
        more = {"outputs": 1, "network": {"output": output, "hidden": (7,)}}
        yield _fit(f"{loss}, {output} out", dtype, loss, "tanh", OPTIMIZERS["momentum"], **more)
    yield from _fits_of_later_formulas()
    X, many = inputs(40, "float64", seed=3), inputs(2600, "float64", seed=4)
    weights = np.random.default_rng(2).uniform(0, 2, FEW)
    weights[::9] = 0
    arguments = {
        "sample weights": {"sample_weight": weights, "validation": 0.3},
        "integer weights": {"sample_weight": np.arange(FEW) % 3},
        "rows to validate with": {"validation": lambda kind, outputs: (X, targets(X, kind, outputs))},
        "weighted rows to validate with": {
            "sample_weight": weights,
            "validation": lambda kind, outputs: (X, targets(X, kind, outputs), np.arange(40)),
        },
        "2,600 rows to validate with": {
            "validation": lambda kind, outputs: (many, targets(many, kind, outputs)),
            "epochs": 10,
        },
        "no shuffle": {"shuffle": False},
        "no shuffle, weights": {"shuffle": False, "sample_weight": weights, "norms": True},
        "norms": {"norms": True, "validation": 0.2},
        "batch of 1": {"batch_size": 1, "epochs": 3},
        "batch of 25": {"batch_size": 25, "epochs": 66},
        "batch of 37, 1 row left": {"batch_size": 37, "epochs": 66},
        "all rows": {"batch_size": 75, "epochs": STEPS},
        "more than all rows": {"batch_size": 1000, "epochs": STEPS},
        "dropout": {"network": {"dropout": 0.3}, "validation": 0.2},
        "dropout by layer, weights": {"network": {"dropout": [0.5, 0.1]}, "sample_weight": weights},
        "no hidden layer": {"network": {"hidden": ()}},
        "four hidden layers": {"network": {"hidden": (8, 7, 6, 5)}, "norms": True},
        "wide": {"network": {"hidden": (130, 70)}, "epochs": 8},
        "one output": {"outputs": 1, "validation": 0.2},
        "loss alone": {"network": {"metric": "loss"}, "validation": 0.2},
        "he": {"network": {"initializer": "he"}},
        "uniform": {"network": {"initializer": "uniform"}},
        "large batches": {"rows": 1400, "batch_size": 600, "epochs": 20, "validation": 0.2},
        "one row": {"rows": 1, "epochs": 20},
    }
    turn = itertools.cycle(["sigmoid", "tanh", "relu"])
    for (name, how), dtype, loss in itertools.product(arguments.items(), DTYPES, LOSSES):
        if loss == "softmax_cross_entropy" and how.get("outputs") == 1:
            continue
        for optimizer in ("nesterov", "adam"):
            yield _fit(f"{name}, {loss}, {optimizer}", dtype, loss, next(turn), OPTIMIZERS[optimizer], **how)


def _fits_of_later_formulas():
    """Yield fits with the formulas that this checkout has beyond the lists above, and one of a user's own."""
    families = getattr(formulas, "ACTIVATIONS", {}).items()
    trained = [name for name, family in families if getattr(family(), "has_slope", True)]
    activations = [name for name in trained if name not in ACTIVATIONS]
    losses = [name for name in getattr(formulas, "LOSSES", ()) if name not in LOSSES]
    pairs = [*((name, "half_squared_error") for name in activations), *(("tanh", name) for name in losses)]
    if activations:
        own = formulas.Activation("own", lambda z: z / formulas.sqrt(1 + z * z))
        pairs.append((own, formulas.Loss("own", lambda y, t: formulas.where(y > t, 3 * (y - t), t - y))))
    for dtype, (activation, loss), optimizer in itertools.product(DTYPES, pairs, ("nesterov", "adam")):
        name = f"later formulas, {loss}, {activation}, {optimizer}"
        yield _fit(name, dtype, loss, activation, OPTIMIZERS[optimizer], validation=0.2)


def _fit(name, dtype, loss, activation, optimizer, *, outputs=3, rows=FEW, network=None, **how):
    def run(left):
        X, kind = inputs(rows, dtype), LOSSES.get(loss, "values")
        made = _network(loss, activation, dtype, outputs=outputs, **(network or {}))
        given = {"epochs": STEPS // 5, "batch_size": 16, **how}
        if callable(given.get("validation")):
            given["validation"] = given["validation"](kind, outputs)
        takes = optimizer()
        try:
            left.history(made.fit(X, targets(X, kind, outputs), takes, **given))
        finally:
            left.network(made, takes)
        many = inputs(1500, dtype, seed=9)
        left.predictions(made, many, targets(many, kind, outputs))

    return Case(f"fit: {name}", dtype, run)


_network = network


class Watcher:
    """A callback that keeps weights and gradients after some batches, and what it is told of."""

    def __init__(self, network, left, every=7):
        self._network, self._left, self._every = network, left, every
        self._heard = []

    def start(self, epochs, history):
        self._heard.append(f"start {epochs}")

    def batch_end(self, history, batch):
        self._heard.append(f"{history.epochs}.{batch}")
        if len(self._heard) % self._every == 0:
            self._left.network(self._network, prefix=f"at {self._heard[-1]} ")

    def epoch_end(self, history):
        self._heard.append(f"epoch {history.epochs} best {history.best_epoch}")

    def end(self, history):
        self._heard.append(f"end {history.stop_reason} {history.epochs}")
        self._left.text["watcher heard"] = " ".join(self._heard)


class Ends:
    """A callback that raises at an epoch's end, or after a batch."""

    def __init__(self, error, epoch, batch=None):
        self._error, self._at = error, (epoch, batch)
        if batch is not None:
            self.batch_end = self._batch_end

    def start(self, epochs, history): ...

    def end(self, history): ...

    def _batch_end(self, history, batch):
        if (history.epochs, batch) == self._at:
            raise self._error

    def epoch_end(self, history):
        if (history.epochs, None) == self._at:
            raise self._error


def callbacks():
    """Yield fits with callbacks, some of which end them."""
    made = {
        "early stopping": lambda n, o, left: [EarlyStopping(patience=2)],
        "early stopping, patient": lambda n, o, left: [EarlyStopping(patience=100)],
        "early stopping by a margin": lambda n, o, left: [EarlyStopping(3, min_delta=0.01)],
        "learning rate": lambda n, o, left: [LearningRate(o, Exponential(0.1, 0.9))],
        "learning rate by samples": lambda n, o, left: [LearningRate(o, InverseScaling(0.1, 0.4, 60))],
        "watched": lambda n, o, left: [Watcher(n, left)],
        "watched, learning rate": lambda n, o, left: [Watcher(n, left), LearningRate(o, Constant(0.02))],
        "stopped by name": lambda n, o, left: [
            OnEpochEnd(lambda history: history.stop("enough") if history.epochs == 4 else None)
        ],
        "numbers changed": lambda n, o, left: [
            OnEpochEnd(lambda history: setattr(o, "learning_rate", 0.2 / history.epochs))
        ],
        "interrupted after an epoch": lambda n, o, left: [Ends(KeyboardInterrupt(), 6)],
        "interrupted after a batch": lambda n, o, left: [Ends(KeyboardInterrupt(), 6, 2)],
        "interrupted in the first epoch": lambda n, o, left: [Ends(KeyboardInterrupt(), 0, 3)],
        "interrupted, best kept": lambda n, o, left: [EarlyStopping(50), Ends(KeyboardInterrupt(), 9, 2)],
        "interrupted at the start": lambda n, o, left: [Ends(KeyboardInterrupt(), 0, 1), EarlyStopping(3)],
        "an error after an epoch": lambda n, o, left: [Ends(RuntimeError("mine"), 3), Watcher(n, left)],
        "two errors": lambda n, o, left: [Ends(ValueError("a"), 3), Ends(RuntimeError("b"), 3)],
        "an error after a batch": lambda n, o, left: [EarlyStopping(9), Ends(OSError("full"), 3, 2)],
        "a file of the history": lambda n, o, left: [HistoryCSV(_new("history.csv"))],
    }
    turn = itertools.cycle(itertools.product(["sigmoid", "tanh", "relu"], OPTIMIZERS))
    for (name, these), dtype, (loss, kind), held in itertools.product(
        made.items(), DTYPES, LOSSES.items(), (0.3, None)
    ):
        activation, optimizer = next(turn)
        optimizer = "momentum" if "rate" in name or "changed" in name else optimizer

        def run(left, these=these, loss=loss, kind=kind, held=held, dtype=dtype, a=activation, o=optimizer):
            X, net, takes = inputs(FEW, dtype), network(loss, a, dtype), OPTIMIZERS[o]()
            called = these(net, takes, left)
            try:
                left.history(
                    net.fit(
                        X,
                        targets(X, kind),
                        takes,
                        epochs=30,
                        batch_size=16,
                        validation=held,
                        callbacks=called,
                    )
                )
            finally:
                left.network(net, takes)
            if Path("history.csv").exists():
                left.text["history.csv"], left.close["history.csv"] = _without_seconds("history.csv")

        about = "validated" if held else "not validated"
        yield Case(f"callbacks: {name}, {loss}, {activation}, {optimizer}, {about}", dtype, run)
    yield from (Case("callbacks: the best model in a file", dtype, _save_best) for dtype in DTYPES)


def _new(path):
    Path(path).unlink(missing_ok=True)
    return path


def _without_seconds(path):
    """Return header and line numbers, and the numbers, of a history's file, which is removed."""
    header, *lines = [line.split(",") for line in Path(_new_name(path)).read_text().splitlines()]
    seconds = header.index("seconds")
    numbers = [[float(cell) for i, cell in enumerate(line) if i != seconds] for line in lines]
    return f"{','.join(header)}; {len(lines)} lines", np.array(numbers)


def _new_name(path):
    return Path(path).rename(f"{path}.read")


def _save_best(left):
    model, _ = fuseprop.train("iris", epochs=2, device="cpu", dtype=left.dtype)
    table = fuseprop.load_table("iris")
    X, target = model.encode_inputs(table), model.encode_targets(table)
    for run in range(2):
        kept = SaveBest(model, "best.safetensors", overwrite=run == 0)
        left.history(
            model.network.fit(X, target, epochs=9, validation=0.3, callbacks=[kept]), f"history {run}"
        )
        best = fuseprop.load("best.safetensors", device="cpu")
        left.weights(best.network, f"saved {run} ")
        left.close[f"score saved {run}"] = np.array(model.saved_score("best.safetensors").value)


def diverging():
    """Yield fits whose loss, weights or validation loss stop being finite."""
    for dtype, (loss, kind), name, rate in itertools.product(
        DTYPES, LOSSES.items(), ("momentum", "clip", "adam"), (1e3, 1e12, 1e30)
    ):

        def run(left, loss=loss, kind=kind, rate=rate, name=name, dtype=dtype):
            X, net, takes = inputs(FEW, dtype), network(loss, "relu", dtype), OPTIMIZERS[name]()
            takes.learning_rate = rate
            try:
                left.history(net.fit(X, targets(X, kind), takes, epochs=25, batch_size=16, norms=True))
            except fuseprop.DivergenceError as error:
                left.text["where"] = f"epoch {error.epoch}, batch {error.batch}, layer {error.layer}"
                left.history(error.history)
                raise
            finally:
                left.network(net, takes)

        yield Case(f"diverging: {loss}, {name}, {rate:g}", dtype, run)
    for dtype, best in itertools.product(DTYPES, (False, True)):

        def run(left, best=best, dtype=dtype):
            X, net, takes = (
                inputs(FEW, dtype),
                network("half_squared_error", "relu", dtype),
                MomentumSGD(0.05),
            )
            rows = 1e18 * inputs(9, dtype) if dtype == "float32" else 1e160 * inputs(9, dtype)

            def spoil(history):
                if history.epochs == 4:
                    net.set_weights([(1e3 * w, b) for w, b in net.weights()])

            called = [OnEpochEnd(spoil), *([EarlyStopping(9)] if best else [])]
            held = rows, targets(inputs(9, dtype), "values")
            try:
                net.fit(X, targets(X, "values"), takes, epochs=9, validation=held, callbacks=called)
            except fuseprop.DivergenceError as error:
                left.history(error.history)
                raise
            finally:
                left.network(net, takes)

        yield Case(f"diverging: the validation loss, early stopping {best}", dtype, run)


def steps():
    """Yield sequences of `Network.train_step`, single passes, and fits that go on from another."""
    for dtype, (loss, kind), name, dropout in itertools.product(
        DTYPES, LOSSES.items(), OPTIMIZERS, (0.0, 0.4)
    ):

        def run(left, loss=loss, kind=kind, name=name, dropout=dropout, dtype=dtype):
            X, net, takes = (
                inputs(FEW, dtype),
                network(loss, "tanh", dtype, dropout=dropout),
                OPTIMIZERS[name](),
            )
            t, weights, losses = targets(X, kind), np.random.default_rng(5).uniform(0.5, 2, FEW), []
            for step in range(STEPS if name in ("momentum", "adam") else 40):
                rows = slice(step * 7 % 60, step * 7 % 60 + 1 + step % 15)
                w = weights[rows] if step % 3 == 0 else None
                losses.append(net.train_step(X[rows], t[rows], takes, w))
            left.exact["losses"] = np.array(losses)
            left.network(net, takes)
            left.close["forward"] = net.forward(X)
            left.close["backward"] = np.array(net.backward(t, weights))
            trace = net.trace(X[:3], t[:3])
            for part in ("z", "a", "delta", "dW", "db"):
                for i, array in enumerate(getattr(trace, part), 1):
                    left.close[f"trace {part}{i}"] = np.asarray(array)
            left.text["trace"] = trace.explain()[:200]

        yield Case(f"steps: {loss}, {name}, dropout {dropout}", dtype, run)
    for dtype, (loss, kind), (name, optimizer) in itertools.product(
        DTYPES, LOSSES.items(), OPTIMIZERS.items()
    ):

        def run(left, loss=loss, kind=kind, optimizer=optimizer, dtype=dtype):
            X, net, takes = inputs(FEW, dtype), network(loss, "sigmoid", dtype, dropout=0.1), optimizer()
            t = targets(X, kind)
            for i, (batch, n) in enumerate([(16, 75), (9, 40), (75, 75), (16, 75)]):
                history = net.fit(X[:n], t[:n], takes, epochs=5, batch_size=batch, validation=0.2)
                left.history(history, f"history {i}")
                net.train_step(X[:5], t[:5], takes)
            left.network(net, takes)
            left.close["gradcheck"] = np.array(0.0)
            if dtype == "float64":
                left.close["gradcheck"] = np.array(fuseprop.gradcheck(net, X[:4], t[:4]) < 1e-6, float)

        yield Case(f"steps: fits in a row, {loss}, {name}", dtype, run)
    for dtype in DTYPES:

        def run(left, dtype=dtype):
            X = inputs(FEW, dtype)
            for name, t in {"a line": X[:, 0] > X[:, 1], "noise": np.arange(FEW) % 2}.items():
                made = fuseprop.Perceptron(0.5, 20, device="cpu", dtype=dtype, seed=3)
                left.text[f"{name}, fit"] = repr(made.fit(X, t.astype(int)))
                left.exact[name] = np.concatenate([np.ravel(part) for part in made.weights()])
                left.text[name] = f"{made.converged} {made.mistakes} {made.predict(X).ravel().tolist()}"

        yield Case("steps: perceptron", dtype, run)


CLASSES = {
    "2 classes": lambda X: targets(X, "labels", 1).ravel(),
    "3 classes": lambda X: np.array(["red", "green", "blue"])[targets(X, "classes")],
    "labels": lambda X: targets(X, "labels"),
}
VALUES = {
    "one value": lambda X: targets(X, "values", 1).ravel(),
    "two values": lambda X: targets(X, "values", 2),
}
WEIGHTS = np.random.default_rng(6).uniform(0.2, 2, 90)


def estimators():
    """Yield fits of both estimators."""
    rates = ("constant", "invscaling", "adaptive")
    turn = itertools.cycle(["relu", "logistic", "tanh", "identity"])
    for kind, answers in ((MLPClassifier, CLASSES), (MLPRegressor, VALUES)):
        for dtype, (about, y), weighted in itertools.product(DTYPES, answers.items(), (False, True)):
            grid = [
                *(
                    {"solver": "sgd", "learning_rate": rate, "early_stopping": stops, "alpha": alpha}
                    for rate, stops, alpha in itertools.product(rates, (False, True), (0.0, 0.01))
                ),
                *(
                    {"solver": "adam", "early_stopping": stops, "alpha": alpha}
                    for stops, alpha in itertools.product((False, True), (0.0, 0.01))
                ),
                *({"solver": "lbfgs", "alpha": alpha, "max_iter": 25} for alpha in (0.0, 0.01)),
            ]
            for how in grid:
                how = {"activation": next(turn), **how}
                yield _estimator(f"{about}, weights {weighted}", dtype, kind, y, how, weighted=weighted)
        for loss, solver, dtype in itertools.product(
            ("poisson", "absolute_error", "mean_squared_error"), ("sgd", "adam", "lbfgs"), DTYPES
        ):
            if kind is MLPRegressor:
                y = (lambda X: targets(X, "counts", 1).ravel()) if loss == "poisson" else VALUES["two values"]
                yield _estimator("losses", dtype, kind, y, {"loss": loss, "solver": solver, "max_iter": 20})
        first = next(iter(answers.values()))
        for dtype, solver, (name, how) in itertools.product(DTYPES, ("sgd", "adam"), OPTIONS.items()):
            if kind is MLPRegressor and "class_weight" in how:
                continue
            yield _estimator(f"option {name}", dtype, kind, first, {"solver": solver, **how})
        for dtype, solver, way in itertools.product(DTYPES, ("sgd", "adam"), WAYS):
            yield Case(
                f"{kind.__name__}: {way.__name__.strip('_')}, {solver}",
                dtype,
                lambda left, kind=kind, way=way, y=first, solver=solver: way(left, kind, y, solver),
            )


OPTIONS = {
    "momentum 0": {"momentum": 0.0, "nesterovs_momentum": False},
    "plain momentum": {"nesterovs_momentum": False},
    "no shuffle": {"shuffle": False},
    "batch auto": {"batch_size": "auto"},
    "batch of 1": {"batch_size": 1, "max_iter": 3},
    "batch too large": {"batch_size": 1000},
    "two layers of two activations": {"hidden_layer_sizes": (9, 4), "activation": ("relu", "tanh")},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "dropout": {"dropout": 0.3},
    "clip": {"clip_norm": 0.05},
    "class weights": {"class_weight": "balanced"},
    "a schedule": {"learning_rate": Cosine(0.05, 40)},
    "converging": {"tol": 0.05, "n_iter_no_change": 3, "max_iter": 500},
    "converging, adaptive": {
        "tol": 0.05,
        "n_iter_no_change": 2,
        "max_iter": 500,
        "learning_rate": "adaptive",
        "learning_rate_init": 1e-4,
    },
    "told": {"verbose": True, "max_iter": 6},
    "told, stopping": {"verbose": True, "early_stopping": True, "n_iter_no_change": 2, "max_iter": 60},
    "diverging": {"learning_rate_init": 1e20, "clip_norm": None},
    "diverging, stopping": {"learning_rate_init": 1e25, "early_stopping": True},
    "diverging late": {"learning_rate_init": 30.0, "activation": "identity"},
    "early stopping callback": {"callbacks": lambda left: EarlyStopping(3)},
    "early stopping callback by rows": {"callbacks": lambda left: EarlyStopping(3), "early_stopping": True},
    "stopped by a callback": {
        "callbacks": lambda left: OnEpochEnd(lambda h: h.stop("callback") if h.epochs == 4 else None)
    },
    "interrupted after an epoch": {"callbacks": lambda left: Ends(KeyboardInterrupt(), 4)},
    "interrupted after a batch": {"callbacks": lambda left: Ends(KeyboardInterrupt(), 4, 2)},
    "interrupted in the first epoch": {"callbacks": lambda left: Ends(KeyboardInterrupt(), 0, 2)},
    "interrupted, stopping": {
        "callbacks": lambda left: Ends(KeyboardInterrupt(), 7, 1),
        "early_stopping": True,
    },
    "an error after an epoch": {"callbacks": lambda left: Ends(RuntimeError("mine"), 4)},
    "an error in the first epoch": {"callbacks": lambda left: Ends(RuntimeError("mine"), 0, 2)},
}


def _estimator(about, dtype, kind, y, how, *, weighted=False):
    def run(left):
        X = inputs(90, dtype)
        given = {
            "batch_size": 20,
            "max_iter": 40,
            "learning_rate_init": 0.02,
            "hidden_layer_sizes": (8,),
            **how,
        }
        if "callbacks" in given:
            given["callbacks"] = given["callbacks"](left)
        model = kind(random_state=4, device="cpu", **given)
        told = io.StringIO()
        try:
            with contextlib.redirect_stdout(told):
                model.fit(X, y(X), WEIGHTS if weighted else None)
        finally:
            left.text["told"] = told.getvalue()
            left.text["attributes"] = " ".join(sorted(n for n in vars(model) if not n.startswith("_")))
            if hasattr(model, "loss_"):
                many = inputs(1500, dtype, seed=9)
                left.estimator(model, many, y(many))

    words = ", ".join(f"{k}={v}" for k, v in how.items() if isinstance(v, str | int | float | bool | tuple))
    return Case(f"{kind.__name__}: {about}, {words}", dtype, run)


def _small(kind, solver, **more):
    """Return an estimator with seven hidden units."""
    made = {"hidden_layer_sizes": (7,), "random_state": 1, "batch_size": 20, "device": "cpu", **more}
    return kind(solver=solver, **made)


def _sparse(left, kind, y, solver):
    from scipy.sparse import csr_matrix

    X = inputs(90, left.dtype)
    X[np.abs(X) < 0.5] = 0
    for stops in (False, True):
        model = _small(kind, solver, max_iter=15, early_stopping=stops).fit(csr_matrix(X), y(X))
        left.estimator(model, csr_matrix(X), y(X), f"stops {stops}: ")


def _in_parts(left, kind, y, solver):
    X = inputs(90, left.dtype)
    model = kind(
        hidden_layer_sizes=(7,), solver=solver, random_state=1, batch_size=20, device="cpu", alpha=0.01
    )
    more = {"classes": np.unique(y(X))} if kind is MLPClassifier else {}
    for i in range(30):
        rows = slice(i % 3 * 30, i % 3 * 30 + 30 - i % 4)
        model.partial_fit(X[rows], y(X)[rows], **(more if i == 0 else {}))
    left.estimator(model, X, y(X))


def _warm(left, kind, y, solver):
    X = inputs(90, left.dtype)
    model = _small(kind, solver)
    model.set_params(warm_start=True, max_iter=7, dropout=0.2, learning_rate="invscaling")
    for i in range(4):
        model.set_params(early_stopping=i == 3)
        left.estimator(model.fit(X, y(X)), X, y(X), f"fit {i}: ")
    model.set_params(early_stopping=False)
    left.estimator(model.partial_fit(X, y(X)), X, y(X), "then in parts: ")


def _rows_of_ones_own(left, kind, y, solver):
    X, held = inputs(90, left.dtype), inputs(2600, left.dtype, seed=3)
    for stops in (False, True):
        model = _small(kind, solver)
        model.set_params(max_iter=12, early_stopping=stops)
        model.fit(X, y(X), X_val=held, y_val=y(held))
        left.estimator(model, held, y(held), f"stops {stops}: ")


def _many_held_out(left, kind, y, solver):
    X = inputs(4000, left.dtype)
    model = _small(kind, solver, early_stopping=True, validation_fraction=0.4, max_iter=8, batch_size="auto")
    left.estimator(model.fit(X, y(X)), X, y(X))


def _watched(left, kind, y, solver):
    X, heard = inputs(90, left.dtype), []

    class Hears:
        def start(self, epochs, history):
            heard.append(f"start {epochs}")

        def batch_end(self, history, batch):
            heard.append(f"{history.epochs}.{batch}")

        def epoch_end(self, history):
            heard.append(f"epoch {history.epochs} best {history.best_epoch}")

        def end(self, history):
            heard.append(f"end {history.stop_reason}")

    model = _small(kind, solver)
    model.set_params(max_iter=9, callbacks=[Hears(), EarlyStopping(2)]).fit(X, y(X))
    left.text["heard"] = " ".join(heard)
    left.estimator(model, X, y(X))


def _saved(left, kind, y, solver):
    X = inputs(90, left.dtype)
    model = _small(kind, solver, max_iter=9).fit(X, y(X))
    model.save("estimator.safetensors")
    left.estimator(model, X, y(X))
    left.close["loaded"] = np.asarray(kind.load("estimator.safetensors", device="cpu").score(X, y(X)))


def _refused(left, kind, y, solver):
    X = inputs(90, left.dtype)
    good = _small(kind, solver, max_iter=5).fit(X, y(X))
    for name, bad in itertools.product(("predict", "fit"), (X[:, :2], np.full_like(X, np.nan), X[:0])):
        if name == "predict" or bad.shape[1] == 5:  # a fit may have other features
            try:
                getattr(good, name)(*([bad, y(X)[: len(bad)]] if name == "fit" else [bad]))
            except ValueError as error:
                left.text[f"{name} {bad.shape}"] = str(error)
    left.estimator(good, X, y(X))


WAYS = (_sparse, _in_parts, _warm, _rows_of_ones_own, _many_held_out, _watched, _saved, _refused)


def lbfgs_of_many_rows():
    """Yield fits whose training loss is a sum over chunks: how rows are cut decides its last digits."""
    for kind, y in ((MLPClassifier, CLASSES["3 classes"]), (MLPRegressor, VALUES["two values"])):
        for dtype in DTYPES:

            def run(left, kind=kind, y=y, dtype=dtype):
                X = inputs(2600, dtype)
                model = kind(
                    hidden_layer_sizes=(6,), solver="lbfgs", random_state=1, device="cpu", max_iter=3
                )
                left.estimator(model.fit(X, y(X)), X, y(X))
                left.close |= left.exact
                left.exact = {}

            yield Case(f"{kind.__name__}: lbfgs, 2,600 rows", dtype, run)


def models():
    """Yield `fuseprop.train` on the built-in data sets, the command, and the topics of the course."""
    names = ("digits", "iris", "wine", "breast_cancer", "diabetes", "xor", "line")
    for name, dtype in itertools.product(names, DTYPES):

        def run(left, name=name, dtype=dtype):
            model, report = fuseprop.train(name, device="cpu", dtype=dtype, epochs=25, seed=2)
            left.network(model.network)
            left.history(report.history)
            for part in ("train", "validation", "test"):
                for key, value in (report.scores(part) or {}).items():
                    left.close[f"{part} {key}"] = np.array(value)
            table = fuseprop.load_table(name)
            made = model.predict(table)
            values = np.asarray(made.values)
            if values.dtype.kind == "f":
                left.close["predictions"] = values
            else:
                left.text["predictions"] = " ".join(map(str, values.ravel()))
            if made.probabilities is not None:
                left.close["probabilities"] = made.probabilities
            for key, value in model.evaluate(table).items():
                left.close[f"evaluate {key}"] = np.array(value)

        yield Case(f"models: {name}", dtype, run)
    for name in ("iris", "diabetes", "xor"):
        yield Case(f"command: train {name}", "float32", lambda left, name=name: _command(left, name))
    for name in TOPICS:
        yield Case(f"topics: {name}", "float64", lambda left, name=name: _topic(left, name))


def _command(left, name):
    from fuseprop.cli import main

    arguments = [
        "train",
        name,
        "--epochs",
        "6",
        "--device",
        "cpu",
        "--json",
        "--quiet",
        "--out",
        f"{name}.safetensors",
    ]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        main(arguments, standalone_mode=False)
    left.text["words"], left.close["numbers"] = _numbers_of(told.getvalue())
    left.weights(fuseprop.load(f"{name}.safetensors", device="cpu").network)


def _topic(left, name):
    result = TOPICS[name](fuseprop.load_backend("cpu", "float64"), 0)
    left.text["words"], left.close["numbers"] = _numbers_of(
        "\n".join(map(str, [result.title, result.columns, *result.rows, result.text, result.see]))
    )
    curves = [np.concatenate([c.x, c.y]) for panel in result.figure.panels for c in panel.curves]
    left.close["figure"] = np.concatenate([np.zeros(0), *curves])


NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")


def _numbers_of(text):
    """Return a text without its numbers, and the numbers; those of seconds, which differ, in neither."""
    text = re.sub(r'"(seconds\w*)": [^,}]*', r'"\1"', text)
    return NUMBER.sub("#", text), np.array([float(number) for number in NUMBER.findall(text)])


GROUPS = (fits, callbacks, diverging, steps, estimators, lbfgs_of_many_rows, models)


def cases(only=""):
    """Return all cases whose title has such a text in it; no two have one title."""
    found = {}
    for group in GROUPS:
        for case in group():
            title = f"{case.name} [{case.dtype}]"
            assert title not in found, title
            if only in title:
                found[title] = case
    return found


def run(only="", progress=lambda done, of: None):
    """Return what each case left, by its title; files that it writes are in a folder that goes."""
    chosen, made, here = cases(only), {}, Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for i, (title, case) in enumerate(chosen.items(), 1):
                made[title] = case.left()
                progress(i, len(chosen))
        finally:
            os.chdir(here)
    return made


def write(path, made):
    """Write what cases left to an NPZ file: all numbers in a row, and where each array begins."""
    index, parts, at = [], [], 0
    for title, left in made.items():
        about = {"title": title, "dtype": left.dtype, "text": left.text, "exact": {}, "close": {}}
        for kind in ("exact", "close"):
            for name, array in getattr(left, kind).items():
                array = np.asarray(array)
                about[kind][name] = [array.dtype.str, array.shape, at]
                parts.append(array.tobytes())
                at += array.nbytes
        index.append(about)
    np.savez(path, index=_bytes(json.dumps(index).encode()), numbers=_bytes(b"".join(parts)))


def _bytes(text):
    return np.frombuffer(text, np.uint8)


def read(path):
    """Return what `write` wrote."""
    with np.load(path) as file:
        index, numbers = json.loads(file["index"].tobytes()), file["numbers"].tobytes()

    def array(dtype, shape, at):
        return np.frombuffer(numbers, dtype, int(np.prod(shape)), at).reshape(shape)

    return {
        about["title"]: Left(
            about["dtype"],
            *({name: array(*where) for name, where in about[kind].items()} for kind in ("exact", "close")),
            about["text"],
        )
        for about in index
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="", help="of the cases with this text in their titles")
    parser.add_argument("--first", default="", help="Python code that is executed before them")
    parser.add_argument("--name", default="", help="what the lines of progress begin with")
    given = parser.parse_args()
    exec(given.first, {})

    def progress(done, of):
        if done % 250 == 0 or done == of:
            print(f"{given.name} {done:,} of {of:,} trainings", flush=True)

    file, made = given.file.resolve(), run(given.only, progress)
    if VARIABLE in os.environ:
        check_origin()
    write(file, made)


if __name__ == "__main__":
    sys.exit(main())
