"""Write small model files of every kind, with what they predict: what later versions must still read.

    python tests/tables/write_model_files.py tests/tables/model_files/NAME

The folders are records of what versions wrote: they are added to, never written again.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import fuseprop
from fuseprop import Activation, Loss, MLPClassifier, MLPRegressor, Network, Table
from fuseprop.data.encoder import Encoder
from fuseprop.formulas import exp, log1p, maximum, sigmoid, where
from fuseprop.layers.dense import mlp
from fuseprop.optimizers import MomentumSGD
from fuseprop.schedules import Cosine

QUICK = {"epochs": 3, "test": 0.0, "validation": 0.0, "device": "cpu", "seed": 5}


SWISH = Activation("swish", lambda z: z * sigmoid(z), text="z sigmoid(z)")
BENT = Activation("bent (mine)", lambda z: where(z > 0, z, 0.1 * z), low=-1)
ASYMMETRIC = Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y))
COUNTS = Loss("log counts", lambda z, t: (z - log1p(t)) ** 2, low=0, metric="d2", constant=0.5)
LOGISTIC = Loss(
    "logistic", lambda z, t: log1p(exp(-abs(z))) + maximum(-t * z, 0), link="sigmoid", coding=(-1, 1)
)


def models(X):
    """Trained models and estimators by name."""
    n = len(X)
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (n, 3)).astype(float)
    one_hot = np.eye(3)[np.arange(n) % 3]
    count = np.arange(n) % 4
    for name, target, options in (
        ("regression", 100 + 50 * X[:, 0], {"hidden": (4,)}),
        ("regression_of_two_float64", X[:, :2] * 7, {"hidden": (3, 2), "dtype": "float64"}),
        ("regression_linear", X @ [1.0, 2.0, 3.0], {"hidden": ()}),
        ("regression_poisson", count, {"task": "regression", "loss": "half_poisson_deviance"}),
        ("binary", np.array(["no", "yes"])[count % 2], {"hidden": (4,), "activation": "relu"}),
        ("binary_squared", np.array(["no", "yes"])[count % 2], {"loss": "mean_squared_error"}),
        ("exclusive_numbers", np.array([10, 9, 100, -3])[count], {"hidden": (4,), "task": "exclusive"}),
        ("exclusive_texts", np.array(["ä", "b,c", '"q"', "d e"])[count], {"hidden": (4,)}),
        ("exclusive_columns", one_hot, {"task": "exclusive", "hidden": (2,)}),
        ("multi_label", labels, {"task": "multi-label", "activation": "sigmoid", "hidden": (3,)}),
        (
            "named",
            X[:, 0],
            {"activation": ["gelu", "leaky_relu(0.2)"], "hidden": (3, 2), "loss": "huber(1.35)"},
        ),
        ("own", X[:, 0], {"activation": SWISH, "loss": ASYMMETRIC, "dtype": "float64"}),
        ("own_in_an_interval", count, {"task": "regression", "activation": BENT, "loss": COUNTS}),
        ("binary_hinge", np.array(["no", "yes"])[count % 2], {"activation": "silu", "loss": "hinge"}),
        (
            "exclusive_own",
            count,
            {"task": "exclusive", "activation": [SWISH, BENT], "loss": LOGISTIC, "hidden": (3, 3)},
        ),
        ("multi_label_hinge", labels, {"task": "multi-label", "loss": "hinge", "activation": BENT}),
    ):
        names = ["length", "width, in cm", "höhe"]
        table = Table.of(X, target, feature_names=names)
        yield name, fuseprop.train(table, **QUICK, **({"hidden": (3,)} | options))[0]
    common = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0, "device": "cpu"}
    rows = X.astype(np.float32)
    yield "classifier_binary", MLPClassifier(**common).fit(X, np.array(["no", "yes"])[count % 2])
    yield "classifier_of_three", MLPClassifier(**common, activation="tanh").fit(rows, count % 3)
    yield "classifier_multi_label", MLPClassifier(**common).fit(X, labels.astype(int))
    yield "regressor", MLPRegressor(**common, activation="logistic").fit(rows, X[:, 0])
    yield "regressor_of_two", MLPRegressor(**common).fit(X, X[:, :2])
    yield "regressor_poisson", MLPRegressor(**common, loss="poisson").fit(X, count)
    yield (
        "regressor_quantile",
        MLPRegressor(**common, loss="quantile(0.9)", activation="elu(0.5)").fit(X, count),
    )
    yield "regressor_own", MLPRegressor(**common, loss=ASYMMETRIC, activation=SWISH).fit(X, X[:, 0])
    yield "classifier_own", MLPClassifier(**common, activation=(BENT,)).fit(rows, count % 3)


def estimators_that_go_on(X):
    """Estimators whose training goes on after `load`, with their y, by name."""
    common = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0, "device": "cpu"}
    rows, count = X.astype(np.float32), np.arange(len(X))
    sgd = {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "n_iter_no_change": 1,
        "learning_rate_init": 0.01,
        "tol": 100.0,
    }
    early = {"early_stopping": True, "warm_start": True, "validation_fraction": 0.4, "batch_size": 2}
    for name, model, y in (
        ("goes_on_adam", MLPClassifier(**common, class_weight={0: 2.0, 1: 0.5}), count % 2),
        ("goes_on_sgd", MLPRegressor(**common | sgd, dropout=0.3), X[:, :2]),
        ("goes_on_schedule", MLPRegressor(**common, learning_rate=Cosine(0.1, 9), dtype="float32"), X[:, 0]),
        ("goes_on_early", MLPRegressor(**common | early), X[:, 0]),
        ("goes_on_drawing", MLPClassifier(**common | {"random_state": np.random.RandomState(3)}), count % 3),
        ("goes_on_lbfgs", MLPRegressor(**common, solver="lbfgs", alpha=0.3, warm_start=True), X[:, 1]),
    ):
        yield name, model.fit(rows if name == "goes_on_sgd" else X, y), y


def go_on(estimator, X, y):
    """Train an estimator for one more call."""
    return (estimator.fit if estimator.warm_start else estimator.partial_fit)(X, y)


def rows_of_columns():
    """Rows as dicts, with columns of all kinds and notations."""
    cities = ("Köln", "Ulm", "Köln", "Bonn", None, "other")
    return [
        {
            "age": None if i % 13 == 4 else 20.0 + 3 * i % 17,
            "city": "Rare" if i == 20 else cities[i % 6],
            "member": (True, False, False, None)[i % 4],
            "price, in €": f"1.{100 + 7 * i},5",
            "joined": f"{1 + i % 28:02}.{1 + i % 12:02}.{2000 + i}",
            "seen at": f"2024-0{1 + i % 3}-{1 + i % 28:02} {i % 24:02}:30",
        }
        for i in range(40)
    ]


def models_of_columns():
    """Trained models of columns that are encoded, by name."""
    rows = rows_of_columns()
    values = [i % 7 + 0.5 * (i % 2) for i in range(len(rows))]
    names = [("no", "yes", "perhaps")[i % 3] for i in range(len(rows))]
    for name, target, options in (
        ("columns_regression", values, {"hidden": (4,)}),
        ("columns_regression_float64", values, {"hidden": (), "dtype": "float64"}),
        ("columns_exclusive", names, {"hidden": (3,), "activation": "gelu"}),
    ):
        given = [{**row, "target": value} for row, value in zip(rows, target, strict=True)]
        yield name, fuseprop.train(given, "target", **QUICK, **options)[0]
    plain = [{"a": float(i % 9), "b": float(i % 5), "y": value} for i, value in enumerate(values)]
    yield "columns_refused", fuseprop.train(plain, "y", missing="refuse", hidden=(2,), **QUICK)[0]


def rows_of_bent_columns():
    """Rows as dicts, with a number of a heavy tail, one with holes, and a date."""
    return [
        {
            "income": 1e6 if i == 20 else 3.0 + i % 7,
            "age": None if i % 13 == 4 else 20.0 + 3 * i % 17,
            "joined": f"{2000 + i}-{1 + i % 12:02}-{1 + i % 28:02}",
            "city": ("Köln", "Ulm")[i % 2],
        }
        for i in range(60)
    ]


def models_of_bent_columns():
    """Models whose numbers are clipped smoothly, have bins, or both, by name."""
    rows = rows_of_bent_columns()
    given = [{**row, "y": i % 7 + 0.5 * (i % 2)} for i, row in enumerate(rows)]
    made = fuseprop.train(given, "y", **QUICK)[0]
    table = made.table(given, target_names=("y",))
    for name, encoding in (
        ("bent_clipped", {"clip": True}),
        ("bent_bins", {"bins": 4}),
        ("bent_both", {"clip": True, "bins": 8}),
    ):
        encoder = Encoder.fit(table, **encoding)
        network = Network(mlp([encoder.width, 3, 1]), "half_squared_error", metric="r2", device="cpu", seed=5)
        model = replace(made, encoder=encoder, network=network)
        network.fit(model.encode_inputs(table), model.encode_targets(table), MomentumSGD(0.1), epochs=3)
        yield name, model


def answers(model, X):
    """What a model says of rows: its values, and probabilities where it has any."""
    if hasattr(model, "coefs_"):
        values = model.predict(X.astype(model.coefs_[0].dtype))
        probabilities = getattr(model, "predict_proba", lambda _: None)(X.astype(model.coefs_[0].dtype))
    else:
        made = model.predict(X)
        values, probabilities = made.values, made.probabilities
    return {
        "values": np.asarray(values).tolist(),
        "probabilities": None if probabilities is None else np.asarray(probabilities).tolist(),
    }


def main(folder):
    import warnings

    folder.mkdir(parents=True)
    X = np.round(np.random.default_rng(0).normal(2.0, 3.0, (40, 3)), 3)
    asked = X[:5]
    expected = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs do not converge
        for name, model in models(X):
            model.save(folder / f"{name}.safetensors")
            expected[name] = {"estimator": type(model).__name__, **answers(model, asked)}
        for name, model, y in estimators_that_go_on(asked):
            model.save(folder / f"{name}.safetensors")
            expected[name] = {"estimator": type(model).__name__, **answers(model, asked), "y": y.tolist()}
            expected[name]["later"] = answers(go_on(model, asked.astype(model.coefs_[0].dtype), y), asked)
        for name, model in models_of_columns():
            rows = rows_of_columns()[16:22]
            if "refused" in name:
                rows = [{"a": 3.0, "b": 1.0}, {"a": 8.0, "b": 0.0}]
            model.save(folder / f"{name}.safetensors")
            expected[name] = {"estimator": "Model", "rows": rows, **answers(model, rows)}
        for name, model in models_of_bent_columns():
            rows = rows_of_bent_columns()[16:22]
            model.save(folder / f"{name}.safetensors")
            expected[name] = {"estimator": "Model", "rows": rows, **answers(model, rows)}
    content = {"version": fuseprop.__version__, "X": asked.tolist(), "models": expected}
    (folder / "expected.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
