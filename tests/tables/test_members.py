"""Several networks: each learns from all rows but its own fold, and the model computes their mean."""

import importlib.util
import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from test_folds import poisoned, shop, weights

import fuseprop
from fuseprop import DivergenceError, MomentumSGD, Network, Table
from fuseprop.callbacks import OnEpochEnd
from fuseprop.cli import main
from fuseprop.cli.training_report import plan, results
from fuseprop.data import DataError
from fuseprop.data.encoder import Encoder
from fuseprop.model.fitting import Fitting
from fuseprop.model.model import Model
from fuseprop.model.settings import Settings

QUICK = {"epochs": 3, "hidden": (5, 4), "members": 3, "validation": 0.2, "test": 0.2, "device": "cpu"}
FUNCTIONAL = Path(__file__).parents[1] / "third_party_backend" / "fuseprop_functional.py"
OUTPUTS = {
    "one value": (1, "regression"),
    "two values": (2, "regression"),
    "two classes": (None, "binary"),
    "three classes": (None, "exclusive"),
    "labels": (3, "multi-label"),
}


def rows_of(kind, n=90):
    """A table whose target is of this kind."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 4))
    score = X[:, 0] - X[:, 1] + 0.3 * rng.normal(size=n)
    count, task = OUTPUTS[kind]
    if task == "regression":
        return Table.of(X, 50 + 20 * np.stack([score, X[:, 2]][:count], axis=1))
    if task == "multi-label":
        return Table.of(X, (rng.normal(size=(n, 3)) + X[:, :3] > 0).astype(int))
    edges = [0] if task == "binary" else [-1, 1]
    return Table.of(X, np.array(["low", "mid", "top"])[np.digitize(score, edges)])


@pytest.fixture
def fits(monkeypatch):
    """The network, the rows, the targets and the keywords of each call of `Network.fit`."""
    made, fit = [], Network.fit

    def watched(self, X, target, *rest, **named):
        made.append((self, X, target, named))
        return fit(self, X, target, *rest, **named)

    monkeypatch.setattr(Network, "fit", watched)
    return made


def trained(table, **given):
    fitting = Fitting(table, **{**QUICK, **given})
    fitting.run()
    return fitting


def scores_of_each(fitting, networks):
    """What the model scores with each of the networks alone, on the rows held out from it."""
    return [
        replace(fitting.model, network=network).evaluate(fitting.table.take(held_out))
        for network, (_, held_out) in zip(networks, fitting.divisions, strict=False)
    ]


# Which rows are whose


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize(("members", "share"), [(2, 0.2), (3, 0.2), (5, 0.2), (2, 0.5), (3, 0.1), (4, 0.17)])
def test_each_network_holds_out_rows_of_its_own(classes, members, share):
    table = shop(classes=classes)
    fitting = Fitting(table, **{**QUICK, "members": members, "validation": share})
    rest = np.setdiff1d(np.arange(len(table)), fitting.test)
    assert len(fitting.divisions) == members
    for learned, held_out in fitting.divisions:
        assert sorted([*learned, *held_out]) == rest.tolist()
        assert len(held_out) == round(share * len(rest))
    for (_, one), (_, other) in combinations(fitting.divisions, 2):
        assert not np.intersect1d(one, other).size
    assert fitting.train.tolist() == rest.tolist()
    assert fitting.validation.tolist() == sorted(np.concatenate([part for _, part in fitting.divisions]))
    if classes:
        for name in np.unique(table.targets):
            counts = [(table.targets[held_out, 0] == name).sum() for _, held_out in fitting.divisions]
            wanted = share * (table.targets[rest, 0] == name).sum()
            assert np.all(np.abs(np.subtract(counts, wanted)) < 2)


def test_one_network_learns_from_what_its_validation_rows_leave():
    fitting = Fitting(shop(), **{**QUICK, "members": 1})
    ((learned, held_out),) = fitting.divisions
    assert learned.tolist() == fitting.train.tolist()
    assert held_out.tolist() == fitting.validation.tolist()
    assert not np.intersect1d(learned, held_out).size


@pytest.mark.parametrize("kind", OUTPUTS)
def test_each_network_learns_and_validates_by_its_own_rows(kind, fits):
    table = rows_of(kind)
    fitting = trained(table, task=OUTPUTS[kind][1])
    encoder, targets = fitting.model.encoder, fitting.model.encode_targets(table)
    assert len(fits) == len(fitting.histories) == 3
    for (_, X, target, named), division in zip(fits, fitting.divisions, strict=True):
        given = [(X, target), named["validation"][:2]]
        for (inputs, wanted), rows in zip(given, division, strict=True):
            np.testing.assert_array_equal(inputs, encoder.encode(table, "float32", rows))
            np.testing.assert_array_equal(wanted, targets[rows])
    for (network, *_, named), history, kept in zip(fits, fitting.histories, fitting.kept_epochs, strict=True):
        assert kept == 1 + np.argmin(history.validation_loss)
        measured = network.evaluate(*named["validation"][:2])["loss"]
        assert measured == pytest.approx(history.validation_loss[kept - 1], rel=1e-5)


def test_the_encoding_is_learned_from_all_rows_but_the_test_rows():
    table = shop(classes=False)
    fitting = Fitting(table, bins=4, clip=True, **QUICK)
    rest = np.setdiff1d(np.arange(len(table)), fitting.test)
    expected = Encoder.fit(table, rest, bins=4, clip=True).encode(table)
    np.testing.assert_array_equal(fitting.model.encoder.encode(table), expected)


@pytest.mark.parametrize("classes", [True, False])
def test_test_rows_steer_nothing(classes):
    table, rows = shop(classes=classes), np.arange(2, 120, 5)
    given = {name: value for name, value in QUICK.items() if name != "test"} | {"bins": 4, "clip": True}
    clean, dirty = (Fitting(one, test_rows=rows, **given) for one in (table, poisoned(table, rows)))
    for fitting in (clean, dirty):
        fitting.run()
    for mine, theirs in zip(weights(clean), weights(dirty), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    mine, theirs = clean.report(), dirty.report()
    assert (mine.train, mine.validation) == (theirs.train, theirs.validation)
    assert mine.test != theirs.test


# What the model computes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", OUTPUTS)
def test_outputs_are_the_mean_of_the_networks(kind, dtype, fits):
    table = rows_of(kind)
    fitting = trained(table, task=OUTPUTS[kind][1], dtype=dtype)
    networks = [network for network, *_ in fits]
    X = fitting.model.encoder.encode(table, dtype)
    outputs = [network.forward(X) for network in networks]
    assert all(not np.array_equal(one, other) for one, other in combinations(outputs, 2))
    bound = 1e-13 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(fitting.model.network.forward(X), np.mean(outputs, axis=0), rtol=0, atol=bound)
    assert [layer.outputs for layer in fitting.model.network.layers[:-1]] == [15, 12]


def test_the_mean_is_that_of_what_the_output_activation_is_given(fits):
    table = rows_of("two classes")
    fitting = trained(table, loss="mean_squared_error", dtype="float64")
    X = fitting.model.encoder.encode(table)
    logits = [np.log(p) - np.log1p(-p) for p in (network.forward(X) for network, *_ in fits)]
    expected = 1 / (1 + np.exp(-np.mean(logits, axis=0)))
    np.testing.assert_allclose(fitting.model.network.forward(X), expected, rtol=1e-10)


def test_slopes_of_linear_networks_are_the_means(fits):
    fitting = trained(rows_of("two values"), hidden=(), dtype="float64")
    each = [replace(fitting.model, network=network).linear() for network, *_ in fits]
    for mean, alone in zip(fitting.model.linear(), zip(*each, strict=True), strict=True):
        np.testing.assert_allclose(mean, np.mean(alone, axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_validation_scores_are_means_over_the_networks(kind, fits):
    table = rows_of(kind)
    fitting = trained(table, task=OUTPUTS[kind][1], dtype="float64")
    each = scores_of_each(fitting, [network for network, *_ in fits])
    sizes = [len(held_out) for _, held_out in fitting.divisions]
    report = fitting.report()
    assert {"loss", report.history.metric} <= set(report.validation)
    for name, score in report.validation.items():
        expected = np.average([scores[name] for scores in each], weights=sizes)
        assert score == pytest.approx(expected, rel=1e-12)
    assert not report.validation.intervals
    assert report.train == fitting.model.evaluate(table.take(fitting.train))
    assert report.test == fitting.model.evaluate(table.take(fitting.test))
    losses = [scores["loss"] for scores in each]
    assert fitting.validation_loss == pytest.approx(np.average(losses, weights=sizes), rel=1e-9)


def test_a_file_keeps_the_model_whole(tmp_path):
    fitting = trained(shop(), bins=4, clip=True)
    fitting.model.save(tmp_path / "m.safetensors")
    loaded = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    expected = fitting.model.predict_proba(fitting.table)
    np.testing.assert_array_equal(loaded.predict_proba(fitting.table), expected)


# Repeatable, here and elsewhere


def test_equal_seeds_give_equal_bits():
    one, same, other = (trained(shop(), seed=seed) for seed in (3, 3, 4))
    for mine, theirs in zip(weights(one), weights(same), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert one.report().test == same.report().test
    assert [h.train_loss for h in one.histories] == [h.train_loss for h in same.histories]
    assert not np.array_equal(weights(one)[0], weights(other)[0])


def test_another_backend_agrees(monkeypatch):
    spec = importlib.util.spec_from_file_location("fuseprop_functional", FUNCTIONAL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    here = trained(shop(), dtype="float64", dropout=0.2)
    monkeypatch.setattr("fuseprop.network.load_backend", lambda _, dtype: module.FunctionalBackend(dtype))
    there = trained(shop(), dtype="float64", dropout=0.2)
    assert (here.model.network.backend.name, there.model.network.backend.name) == ("numpy", "functional")
    for mine, theirs in zip(weights(here), weights(there), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-10)


# What ends early


class InterruptsStart:
    """A callback that gets Ctrl-C when so many trainings begin."""

    def __init__(self, training):
        self.left = training

    def start(self, epochs, history):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def epoch_end(self, history):
        pass

    def end(self, history):
        pass


@pytest.mark.parametrize("validation", [0.2, 0.0])
def test_ctrl_c_keeps_the_networks_so_far(validation, fits):
    seen = []

    def interrupt(history):
        seen.append(history.epochs)
        if len(seen) == 8:
            raise KeyboardInterrupt

    fitting = Fitting(shop(), **{**QUICK, "validation": validation}, dtype="float64")
    with pytest.warns(UserWarning, match="training interrupted") as warned:
        history = fitting.run(callbacks=[OnEpochEnd(interrupt)])
    assert str(warned[-1].message).endswith("the model is made of the 2 networks that were done.")
    assert (history.stop_reason, history.epochs) == ("interrupted", 2)
    assert (fitting.networks, fitting.epochs, len(fits)) == (2, 8, 3)
    X = fitting.model.encoder.encode(fitting.table)
    expected = np.mean([network.forward(X) for network, *_ in fits[:2]], axis=0)
    np.testing.assert_allclose(fitting.model.network.forward(X), expected, rtol=0, atol=1e-13)
    report = fitting.report()
    if validation:
        each = scores_of_each(fitting, [network for network, *_ in fits[:2]])
        sizes = [len(held_out) for _, held_out in fitting.divisions[:2]]
        losses = [scores["loss"] for scores in each]
        assert report.validation["loss"] == pytest.approx(np.average(losses, weights=sizes), rel=1e-12)
    assert "8 epochs in all" in results(fitting, report, None)
    assert "2 networks, of the epochs" in results(fitting, report, None)


@pytest.mark.parametrize("validation", [0.2, 0.0])
def test_a_network_that_has_learned_nothing_is_no_part_of_the_model(validation, fits):
    fitting = Fitting(shop(), **{**QUICK, "validation": validation})
    with pytest.warns(UserWarning, match="training interrupted") as warned:
        history = fitting.run(callbacks=[InterruptsStart(2)])
    assert str(warned[-1].message).endswith("the model is made of the 1 network that was done.")
    assert history.stop_reason == "interrupted"
    assert (fitting.networks, len(fits)) == (1, 2)
    for mine, theirs in zip(fitting.model.network.weights(), fits[0][0].weights(), strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])
    report = fitting.report()
    assert (report.validation is None) == (validation == 0)
    said = results(fitting, report, None)
    assert "3 epochs, " in said
    assert f"the weights are those of epoch {fitting.kept_epochs[0]}" in said


def test_ctrl_c_between_two_networks_keeps_the_first(monkeypatch):
    scores_of, calls = Model.scores_of, []

    def interrupted(self, *given, **named):
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return scores_of(self, *given, **named)

    monkeypatch.setattr(Model, "scores_of", interrupted)
    fitting = Fitting(shop(), **QUICK)
    with pytest.warns(UserWarning, match="the model is made of the 1 network that was done"):
        history = fitting.run()
    assert history.stop_reason == "interrupted"
    assert (fitting.networks, len(fitting.histories)) == (1, 1)
    assert fitting.report().validation == scores_of(
        fitting.model, *fitting._encoded(fitting.divisions[0][1]), intervals=False
    )


def test_ctrl_c_in_the_first_network_is_that_of_one_network():
    fitting = Fitting(shop(), **QUICK)
    with pytest.warns(UserWarning, match="that training started from"):
        history = fitting.run(callbacks=[InterruptsStart(1)])
    assert (history.stop_reason, fitting.networks, fitting.kept_epochs) == ("interrupted", 1, (0,))


def test_divergence_says_in_which_network(monkeypatch):
    make_optimizer, made = Settings.make_optimizer, []

    def make(self, processes):
        made.append(self)
        return MomentumSGD(1e30) if len(made) == 2 else make_optimizer(self, processes)

    monkeypatch.setattr(Settings, "make_optimizer", make)
    with pytest.raises(DivergenceError) as caught:
        fuseprop.train(shop(classes=False), **QUICK)
    assert caught.value.__notes__ == ["That was network 2 of 3."]
    monkeypatch.setattr(Settings, "make_optimizer", lambda *_: MomentumSGD(1e30))
    with pytest.raises(DivergenceError) as alone:
        fuseprop.train(shop(classes=False), **{**QUICK, "members": 1})
    assert not hasattr(alone.value, "__notes__")


# With other settings


def test_class_weights_are_those_of_each_networks_rows(fits):
    fitting = trained(shop(), class_weight="balanced")
    names, sizes = np.unique(fitting.table.targets[fitting.train], return_counts=True)
    np.testing.assert_allclose(fitting.class_weights, sizes.sum() / (3 * sizes), rtol=1e-15)
    of_row = fitting.class_weights[np.searchsorted(names, fitting.table.targets[:, 0])]
    for (*_, named), (learned, held_out) in zip(fits, fitting.divisions, strict=True):
        np.testing.assert_array_equal(named["sample_weight"], of_row[learned])
        np.testing.assert_array_equal(named["validation"][2], of_row[held_out])


def test_the_validation_loss_is_the_mean_over_all_weighted_rows(fits):
    """Parts of the same size have rows of other classes: the mean of their means is not that of the rows."""
    table = rows_of("three classes", 40)
    fitting = trained(table, class_weight={"low": 100.0}, test=0.0, dtype="float64")
    of_row = np.where(table.targets[:, 0] == "low", 100.0, 1.0)
    assert len({of_row[held_out].sum() for _, held_out in fitting.divisions}) > 1
    losses, hits = [], []
    for (network, *_), (_, held_out) in zip(fits, fitting.divisions, strict=True):
        alone = replace(fitting.model, network=network)
        predicted = alone.predict_proba(table.take(held_out))
        wanted = fitting.model.encode_targets(table)[held_out].astype(int)
        losses += (-np.log(predicted[np.arange(len(wanted)), wanted])).tolist()
        hits += (predicted.argmax(axis=1) == wanted).tolist()
    rows = np.concatenate([held_out for _, held_out in fitting.divisions])
    for value, each in ((fitting.validation_loss, losses), (fitting.validation_metric, hits)):
        assert value == pytest.approx(np.average(each, weights=of_row[rows]), rel=1e-12)


def test_dropout_is_of_the_networks_alone(fits):
    fitting = trained(shop(), dropout=0.4)
    assert [[layer.dropout for layer in network.layers] for network, *_ in fits] == [[0.4, 0.4, 0.0]] * 3
    assert [layer.dropout for layer in fitting.model.network.layers] == [0.0] * 3


def test_without_validation_rows_all_learn_from_all(fits):
    fitting = trained(shop(), validation=0.0)
    for learned, held_out in fitting.divisions:
        assert learned.tolist() == fitting.train.tolist()
        assert not held_out.size
    assert fitting.report().validation is None
    assert fitting.kept_epochs == (3, 3, 3)
    first = [network.weights()[0][0] for network, *_ in fits]
    assert all(not np.array_equal(one, other) for one, other in combinations(first, 2))


@pytest.mark.parametrize(("rows", "share"), [(9, 0.05), (30, 0.01), (5, 0.95)])
def test_too_few_rows_for_the_share_are_refused(rows, share):
    table = Table.of(np.arange(2.0 * rows).reshape(rows, 2), np.arange(float(rows)))
    given = {**QUICK, "test": 0.0, "validation": share, "members": 3}
    with pytest.raises(DataError, match=f"{rows} rows are too few to hold out a share of {share}.*of 0"):
        Fitting(table, **given)
    Fitting(table, **{**given, "validation": 0.0})


@pytest.mark.parametrize(("share", "members"), [(0.5, 5), (0.3, 4), (0.9, 3)])
def test_a_share_is_held_out_by_each_where_all_together_are_more_than_there_are(share, members):
    fitting = Fitting(shop(), **{**QUICK, "members": members, "validation": share})
    rest = np.setdiff1d(np.arange(len(fitting.table)), fitting.test)
    held_out = [part for _, part in fitting.divisions]
    assert {len(part) for part in held_out} == {round(share * len(rest))}
    times = np.bincount(np.concatenate(held_out), minlength=len(fitting.table))[rest]
    assert np.ptp(times) <= 1


def test_a_class_of_a_single_row_is_learned_by_the_others():
    table = shop()
    targets = table.targets.copy()
    targets[7] = "never"
    fitting = trained(replace(table, targets=targets), test=0.0, members=5)
    assert sum(7 in learned for learned, _ in fitting.divisions) == 4
    assert np.isfinite(fitting.report().validation["loss"])


# What is said


@pytest.fixture
def csv(tmp_path):
    table = rows_of("two classes")
    lines = [
        f"{','.join(map(repr, row))},{y}"
        for row, y in zip(table.X.tolist(), table.targets[:, 0], strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,d,y", *lines]))
    return tmp_path / "t.csv"


def command(csv, *more):
    arguments = ["train", csv, "--target", "y", "--device", "cpu", "--hidden", 4, "--epochs", 2, *more]
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_tells_of_each_network(csv):
    path = csv.with_name("t.svg")
    made = command(csv, "--members", 3, "--bins", 4, "--no-clip", "--json", "--plot", path)
    assert made.exit_code == 0, made.output
    result = json.loads(made.stdout)
    settings = result["settings"]
    assert (settings["members"], settings["bins"], settings["clip"]) == (3, 4, False)
    assert result["epochs"] == 6
    assert [member["epochs"] for member in result["members"]] == [2, 2, 2]
    assert all(member["kept_epoch"] in (1, 2) for member in result["members"])
    assert result["rows"] == {"train": 72, "validation": 42, "test": 18}
    assert path.stat().st_size
    assert "members   3 such networks" in made.stderr
    assert "numbers   and dates: at most 4 bins each\n" in made.stderr
    lines = [
        line.split("  ")[:2]
        for line in made.stderr.splitlines()
        if line.startswith("network ") and "/" in line
    ]
    assert lines == [[f"network {i}/3", f"epoch {epoch}/2"] for i in (1, 2, 3) for epoch in (1, 2)]
    assert "3 networks, of the epochs" in command(csv, "--members", 3, "--quiet").stdout


def test_what_is_off_is_not_in_the_plan(csv):
    one = command(csv, "--members", 1, "--bins", 0, "--no-clip").stderr
    assert all(word not in one for word in ("members", "numbers", "network 1/1"))
    clipped = command(csv, "--members", 1, "--bins", 0, "--clip").stderr
    assert "numbers   and dates: heavy tails clipped smoothly\n" in clipped
    both = plan(Fitting(rows_of("one value"), **QUICK, bins=3, clip=True))
    assert "numbers   and dates: at most 3 bins each, heavy tails clipped smoothly\n" in both


def test_the_command_says_which_network_diverged(csv):
    made = command(
        csv, "--members", 3, "--learning-rate", 1e38, "--momentum", 0.9, "--loss", "half_squared_error"
    )
    assert made.exit_code == 4
    assert "That was network 1 of 3." in made.stderr


def test_progress_names_the_network_on_a_bar_and_in_lines(capsys):
    fuseprop.train(shop(), progress=True, **QUICK)
    err = capsys.readouterr().err
    assert [line.split("  ")[0] for line in err.splitlines()] == [
        f"network {i}/3" for i in (1, 2, 3) for _ in range(3)
    ]
    fuseprop.train(shop(), progress=True, **{**QUICK, "members": 1})
    assert capsys.readouterr().err.startswith("epoch 1/3  ")
