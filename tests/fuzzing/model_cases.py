"""Model files: header, weights or bytes of kept ones changed; with a digest that fits, or does not."""

import hashlib
import json
import random
import struct
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
from damages import changed, damaged, dumped, text, value

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor, ModelFileError, Table, UnlikeTrainingWarning
from fuseprop.data import DataError
from fuseprop.model.files import read_with_training
from fuseprop.storage.state_file import split_state
from fuseprop.storage.tensorfile import pack

KEPT = sorted((Path(__file__).parents[1] / "tables" / "model_files").glob("*/*.safetensors"))
SUFFIX = ".safetensors"
REFUSAL = ModelFileError


def seeds() -> list[bytes]:
    """Whole files, as they were written once and as they are written now."""
    old = [path.read_bytes() for path in KEPT]
    new = []
    for path, whole in zip(KEPT, old, strict=True):
        layers, _, training = read_with_training(path)
        named = {}
        for i, (weights, bias) in enumerate(layers):
            named |= {f"layers.{i}.weight": weights, f"layers.{i}.bias": bias}
        if training is not None:
            named |= split_state({"training": training})[0]
        new.append(b"".join(pack(named, _split(whole)[0]["__metadata__"])))
    return old + new


def make(rng: random.Random, whole: bytes) -> bytes:
    """A damaged file."""
    kind = rng.randrange(10)
    if kind < 3:
        return damaged(rng, whole)
    header, data = _split(whole)
    header.pop("digest", None)
    data = data[: max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")]
    if kind < 7:
        about = json.loads(header["__metadata__"]["fuseprop"])
        if rng.random() < 0.4:
            damage_a_formula(rng, about)
        if rng.random() < 0.4:
            damage_an_encoding(rng, about)
        for _ in range(rng.randint(0, 3)):
            changed(rng, about)
        header["__metadata__"]["fuseprop"] = dumped(rng, about)
        if "fuseprop.training" in header["__metadata__"] and rng.random() < 0.7:
            state = json.loads(header["__metadata__"]["fuseprop.training"])
            for _ in range(rng.randint(1, 3)):
                changed(rng, state)
            header["__metadata__"]["fuseprop.training"] = dumped(rng, state)
    elif kind < 9:
        for _ in range(rng.randint(1, 3)):
            changed(rng, header)
        if rng.random() < 0.2:
            dtype = rng.choice(("F8_E4M3", "F4", "BF16", "F16", "I64", "C64", "BOOL", "U8", text(rng)))
            header[text(rng)] = {"dtype": dtype, "shape": [1], "data_offsets": [len(data), len(data) + 1]}
            data += b"\0"
    else:
        dtype = rng.choice(("<f4", "<f8"))
        for _ in range(rng.randint(1, 3)):
            number = np.array(rng.choice((np.nan, np.inf, -np.inf, 3e38, 1e-45, 0.0, 1e30)), dtype).tobytes()
            at = rng.randrange(max(1, len(data) // len(number))) * len(number)
            data = data[:at] + number + data[at + len(number) :]
    file = _joined(rng, header, data)
    return damaged(rng, file, 1) if rng.random() < 0.15 else file


def damage_a_formula(rng: random.Random, about: dict) -> None:
    """Change an activation or the loss: an entry of its formula, what the entries point to, or the rest."""
    activations = about.get("activations")
    at = rng.randrange(len(activations)) if activations else 0
    of_loss = not activations or rng.random() < 0.4
    kept = about.get("loss") if of_loss else activations[at]
    if not isinstance(kept, dict):
        kept = {"name": "own", "slope": ["y", 1.0, ["multiply", 0, 1]]}
        kept["term" if of_loss else "value"] = ["y" if of_loss else "z", 1.0, ["multiply", 0, 1]]
    list_of = rng.choice([name for name in ("value", "term", "slope") if name in kept] or ["slope"])
    entries = kept.setdefault(list_of, [])
    place = rng.randrange(len(entries) + 1) if isinstance(entries, list) else 0
    entry = rng.choice(
        (
            rng.choice(("x", "y", "z", "t", "tiny", "", "add")),
            [rng.choice(("add", "where", "tanh", "tiny", "pow", "exec", "number", "__reduce__", ""))]
            + [rng.choice((0, 1, place, place + 1, -1, 2**70, 0.0, True, "z"))] * rng.randrange(4),
            rng.choice((0, -0.0, 1e308, 3e38, 10**400, float("nan"), float("inf"), True, None, 1e-320)),
            [[[]]],
            {"op": "add"},
            "<deep>",
        )
    )
    if isinstance(entries, list):
        kind = rng.randrange(6)
        if kind == 0:
            entries.insert(place, entry)
        elif kind == 1 and entries:
            entries[min(place, len(entries) - 1)] = entry
        elif kind == 2 and entries:
            del entries[min(place, len(entries) - 1)]
        elif kind == 3:  # each doubles the one before: 2^199 terms when written out
            entries += [["add", i - 1, i - 1] for i in range(len(entries), rng.choice((150, 200, 201)))]
        elif kind == 4:
            kept[list_of] = entries * rng.choice((0, 2, 1000, 100_000))
        else:
            kept[list_of] = entry
    if rng.random() < 0.3:
        other = rng.choice(
            ("low", "high", "coding", "link", "metric", "constant", "mean", "name", "text", "x")
        )
        kept[other] = value(rng)
    if of_loss:
        about["loss"] = kept
    else:
        activations[at] = kept


def damage_an_encoding(rng: random.Random, about: dict) -> None:
    """Change how a column is encoded, or which columns are; what is missing; or how wide it would be."""
    names = about.get("feature_names")
    name = rng.choice(names) if isinstance(names, list) and names else "x1"
    kept = about.setdefault("encodings", [])
    kind = rng.choice(("number", "boolean", "category", "date"))
    levels = {"boolean": ["no", "yes"], "category": ["a", "b", "c", "other", "missing"]}.get(kind, [])
    dates = ["month", "weekday", "hour"] if kind == "date" else []
    new = {
        "name": name,
        "kind": kind,
        "notation": {"number": "1.234,5", "date": "%d/%m/%y %H:%M"}.get(kind, "")
        if rng.random() < 0.5
        else "",
        "levels": levels,
        "own": rng.randrange(len(levels) + 1) if kind == "category" else 0,
        "cycles": dates[: rng.randrange(4)],
        "used": rng.random() < 0.8,
        "missing": rng.random() < 0.5,
    }
    if kind in ("number", "date") and rng.random() < 0.5:
        count = rng.choice((2, 3, 4, 8, 1000))
        new |= {"edges": [0.5 * i for i in range(count + 1)], "means": [rng.random() for _ in range(count)]}
    if kind in ("number", "date") and rng.random() < 0.5:
        new["tails"] = [rng.gauss(0.0, 1.0), rng.random() + 1e-9]
    wrong = {
        "name": text(rng),
        "kind": rng.choice(("number", "boolean", "category", "date", "text")),
        "notation": rng.choice(("", "$1,234.5", "%Y-%m-%d", "%Q", "%", "1", "\ud800")),
        "levels": rng.choice(([], ["a", "b"], ["a", "a"], [""], ["\ud800", "b"], [1, 2])),
        "own": rng.choice((0, 1, 2, 6, -1, 2**70, True)),
        "cycles": rng.choice(([], ["month"], ["hour", "month"], ["hour", "hour"], ["year"], [[]])),
        "used": rng.choice((True, False, 1, None)),
        "missing": rng.choice((True, False, 0, "")),
        "tails": rng.choice(([], [0.0], [0.0, 0.0], [0.0, 1e-320], [1e308, 1e-300], [0, 10**400], ["", 1.0])),
        "edges": rng.choice(
            (
                [],
                [0.0, 1.0],
                [0.0, 1.0, 1.0],
                [0.0, 5e-324, 1e-323],
                [-1e308, 0.0, 1e308],
                [0, 1, 10**400],
                [*range(1002)],
                [*range(1001)],
                [0.0, [1.0], 2.0],
            )
        ),
        "means": rng.choice(([], [0.5], [0.5, 0.5], [0.5, -0.0], [-1e-9, 0.5], [0.5, 1e308], [0.5] * 1000)),
    }
    entry = rng.choice(kept) if isinstance(kept, list) and kept and rng.random() < 0.7 else new
    if not isinstance(entry, dict):
        return
    bins = [key for key in ("edges", "means") if key in entry]
    way = rng.randrange(9)
    if way == 0:
        entry |= {key: wrong[key] for key in rng.sample(sorted(wrong), rng.randint(1, 2))}
    elif way == 1:
        entry["levels"] = [f"{i}" for i in range(rng.choice((1, 51, 1000, 20_000)))]
        entry |= {"kind": "category", "own": rng.choice((0, 1, len(entry["levels"])))}
        if (
            isinstance(names, list) and name in names and rng.random() < 0.5
        ):  # a name as long as they are many
            entry["name"] = names[names.index(name)] = "x" * len(entry["levels"])
    elif way == 2:
        about["missing"] = rng.choice(("encode", "refuse", "", "drop", None))
    elif way == 3 and isinstance(kept, list):
        rng.shuffle(kept)
    elif way == 4:
        entry.pop(rng.choice(sorted(new)), None)
    elif way == 5:
        entry[rng.choice((*new, "more"))] = value(rng)
    elif way == 6:
        entry |= {key: wrong[key] for key in rng.sample(("tails", "edges", "means"), rng.randint(1, 3))}
    elif way == 7 and bins and isinstance(entry[bins[0]], list) and entry[bins[0]]:
        # One number in a list of them.
        listed = entry[rng.choice([key for key in bins if isinstance(entry[key], list) and entry[key]])]
        listed[rng.randrange(len(listed))] = rng.choice(
            (0, -1.0, 0.5, 1e308, -1e308, 5e-324, 1e300, True, None)
        )
    if isinstance(kept, list) and (entry is new or rng.random() < 0.2):
        kept.insert(rng.randrange(len(kept) + 1), entry)


def rows_for(model: fuseprop.Model) -> tuple[Table, list[dict]]:
    """Two rows of a model's columns: a table, of which a value is missing, and dicts."""
    columns = model.encoder.columns
    X = np.linspace(-2.0, 2.0, 2 * len(columns)).reshape(2, -1)
    rows: list[dict] = [{}, {}]
    for j, column in enumerate(columns):
        value = {"number": X[0, j], "date": datetime(2024, 2, 29, 12)}.get(column.kind)
        if column.levels:
            X[:, j] = 0, len(column.levels) - 1
            value = column.levels[-1]
        elif column.kind == "category":
            X[:, j] = np.nan
        for row in rows:
            row[column.name] = value
    if not model.encoder.is_plain and model.encoder.missing == "encode":
        X[1, 0] = np.nan
    return Table(X, None, columns, (), "rows"), rows


def check(path: Path, data: bytes, *, is_whole: bool) -> None:
    """Read a file in both ways; what is read answers, or says that it cannot. Raises ModelFileError."""
    model = fuseprop.load(path, device="cpu")
    assert all(np.isfinite(array).all() for layer in model.network.weights() for array in layer)
    assert len(set(model.feature_names)) == len(model.feature_names)
    assert all(layer.function.text and repr(layer.function) for layer in model.network.layers)
    assert model.network.inputs == model.encoder.width
    table, rows = rows_for(model)
    for given in (table, rows, rows[0]):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnlikeTrainingWarning)
                made = model.predict(given)
        except DataError:
            assert not is_whole
            continue
        assert len(made.values) == (1 if given is rows[0] else 2)
        for answers in (made.values, made.probabilities):
            assert answers is None or answers.dtype.kind not in "fc" or np.isfinite(answers).all()
    if model.encoder.width < 1000:
        assert len(set(model.encoder.feature_names)) == model.encoder.width
    kind = MLPRegressor if model.task.name == "regression" else MLPClassifier
    try:
        estimator = kind.load(path)
    except ModelFileError:
        return  # what has no estimator's loss, last layer or columns
    assert model.encoder.is_plain
    assert estimator.n_features_in_ == len(model.feature_names)
    assert all(np.isfinite(array).all() for array in (*estimator.coefs_, *estimator.intercepts_))
    train_on(estimator)


def train_on(estimator: MLPClassifier | MLPRegressor) -> None:
    """Let an estimator go on for an epoch, or say that it cannot."""
    X = np.eye(2, estimator.n_features_in_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = estimator.predict(X)
        try:
            estimator.set_params(verbose=False).partial_fit(X, y)
        except (AttributeError, TypeError, ValueError):
            return  # it has the solver "lbfgs", a learning rate of 0, or weights that overflow


def _split(whole: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(whole[:8], "little")
    return json.loads(whole[8 : 8 + length]), whole[8 + length :]


def _joined(rng: random.Random, header: dict, data: bytes) -> bytes:
    digest = rng.random() < 0.5
    if digest:
        header["digest"] = {"dtype": "U8", "shape": [32], "data_offsets": [len(data), len(data) + 32]}
    written = dumped(rng, header).encode("utf-8", "surrogatepass")
    written += b" " * (-len(written) % 8)
    length = len(written) if rng.random() < 0.97 else rng.choice((0, 1, len(written) + 1, 2**40, 2**64 - 1))
    file = struct.pack("<Q", length) + written + data
    fits = hashlib.sha256(file).digest()
    return file + (fits if rng.random() < 0.9 else rng.randbytes(32)) if digest else file
