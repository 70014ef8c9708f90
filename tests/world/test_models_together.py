"""Models of tables that several processes train: those of one process, but for rounding."""

import numpy as np
import pytest
from pages import Page
from threads import in_threads, outcomes

import fuseprop
from fuseprop.checks.quoting import six_digits
from fuseprop.data import DataError, load_table
from fuseprop.model.fitting import Fitting
from fuseprop.model.reporting import pictures
from fuseprop.showing import picture

EPOCHS = 4


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A table with columns of every kind, missing values, and rows without a target."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("tables") / "shop.csv"
    lines = ["id,age,country,price,when,vip,note,bought,spent"]
    for i in range(400):
        age, price = rng.integers(18, 80), np.exp(rng.normal(3, 1))
        country = rng.choice(["DE", "FR", "IT", "US", "XX"], p=[0.4, 0.3, 0.2, 0.08, 0.02])
        day = np.datetime64("2020-01-01") + rng.integers(0, 1000)
        bought = "" if rng.random() < 0.02 else "yes" if (age > 40) ^ (country == "DE") else "no"
        shown = "" if rng.random() < 0.05 else age
        vip, spent = rng.choice(["yes", "no"]), age * 0.1 + price * 0.3
        text = f"a note of several words about customer {i} and what they bought"
        lines.append(f"{i + 1000},{shown},{country},{price:.2f},{day},{vip},{text},{bought},{spent:.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def trained(size, data, target, **given):
    """Return the model and the report of so many processes, which must be the same in all."""

    def train(world):
        return fuseprop.train(data, target, world=world, device="cpu", epochs=EPOCHS, **given)

    results = in_threads(size, train)
    for model, report in results[1:]:
        assert parameters(model).tobytes() == parameters(results[0][0]).tobytes()
        assert report.test == results[0][1].test
    return results[0]


def reasons(report):
    return [history.stop_reason for history in report.histories]


def parameters(model):
    return np.concatenate([array.ravel() for pair in model.network.weights() for array in pair])


CASES = {
    "classes": ("bought", {"drop": ("spent",)}),
    "weighted": ("bought", {"drop": ("spent",), "class_weight": "balanced", "members": 1, "patience": 2}),
    "numbers": ("spent", {"drop": ("bought",), "members": 2, "dtype": "float64"}),
    "momentum": ("spent", {"drop": ("bought",), "optimizer": "momentum", "loss": "mean_absolute_error"}),
    "without validation": ("bought", {"drop": ("spent",), "validation": 0.0, "members": 1}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_any_number_of_processes_makes_the_same_model(shop, case):
    target, given = case
    model, report = trained(1, shop, target, **given)
    eps = float(np.finfo(given.get("dtype", "float32")).eps)
    other, found = trained(3, shop, target, **given)
    assert other.feature_names == model.feature_names
    assert other.task == model.task
    assert other.encoder.columns == model.encoder.columns
    assert np.abs(parameters(other) - parameters(model)).max() < 1000 * eps
    for part in ("train", "validation", "test"):
        mine, its = report.scores(part), found.scores(part)
        assert (mine is None) == (its is None)
        if mine is not None:
            assert dict(its) == pytest.approx(dict(mine), abs=1e-4)
    assert [each.stop_reason for each in found.histories] == [each.stop_reason for each in report.histories]


def test_process_0_writes_the_page_of_all(shop, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(pictures, "on_page", lambda figure, about: picture(b"\x89PNG", about))
    place = tmp_path / "run.html"
    given = {"drop": ("spent",), "members": 1, "report": place}
    page = Page((trained(1, shop, "bought", **given), place.read_text())[1])
    _, report = trained(3, shop, "bought", **given)
    together = Page(place.read_text())
    (head, *rows) = together.tables["Scores of each part"]
    assert head == page.tables["Scores of each part"][0]
    scores = {name: six_digits(score) for name, score in report.test.items()}
    assert {row[0]: row[3] for row in rows} == scores
    counts = together.tables["Rows by true and predicted class"][1:]
    assert [[int(count) for count in row[1:]] for row in counts] == report.test.confusion.counts.tolist()
    assert [row[:3] for row in together.tables["8 columns, as read"][1:]] == [
        row[:3] for row in page.tables["9 columns, as read"][1:] if row[1] != "target"
    ]
    assert together.facts["processes"] == "3"
    assert "that are test rows of process 0" in together.sections["Importance of columns"]


def test_a_built_in_data_set_is_divided():
    model, report = trained(1, "iris", None, members=1)
    other, found = trained(4, "iris", None, members=1)
    assert np.abs(parameters(other) - parameters(model)).max() < 1e-4
    assert dict(found.test) == pytest.approx(dict(report.test), abs=1e-4)


def test_counts_are_those_of_all(shop):
    def counts(world):
        table = load_table(shop, "bought", world=world, drop=("spent",))
        fitting = Fitting(table, device="cpu")
        own = {"test": fitting.test, "learned": fitting.train}
        return fitting.counts, {name: len(rows) for name, rows in own.items()}, table.without_target

    [(whole, _, without)] = in_threads(1, counts)
    found = in_threads(3, counts)
    for totals, _, its in found:
        assert totals == whole
        assert its == without > 0
    assert whole["all"] == 400 - without
    for name in ("test", "learned"):
        assert sum(own[name] for _, own, _ in found) == whole[name]


def test_splits_are_stratified_and_apart(shop):
    def parts(world):
        fitting = Fitting(load_table(shop, "bought", world=world, drop=("spent",)), device="cpu", members=3)
        encoded = fitting.model.task.encode(fitting.table)
        pairs = [(set(rows.tolist()), set(held_out.tolist())) for rows, held_out in fitting.divisions]
        return pairs, set(fitting.test.tolist()), encoded, len(fitting.table)

    found = in_threads(2, parts)
    for pairs, test, _, count in found:
        held_out = [each for _, each in pairs]
        assert not any(held_out[i] & held_out[j] for i in range(3) for j in range(i))
        for rows, each in pairs:
            assert not rows & each
            assert rows | each | test == set(range(count))
    shares = [
        np.concatenate([encoded[sorted(pairs[k][1])] for pairs, _, encoded, _ in found]).mean()
        for k in range(3)
    ]
    whole = np.concatenate([encoded for *_, encoded, _ in found]).mean()
    assert np.ptp([*shares, whole]) < 0.02


@pytest.mark.filterwarnings("ignore:training ")  # is interrupted, and goes on in other bits
def test_a_training_goes_on_in_another_number_of_processes(shop, tmp_path):
    place, given = tmp_path / "kept.safetensors", {"drop": ("spent",), "members": 2}

    def begun(world):
        class Ends:
            start = end = lambda self, *args: None
            epochs = 0

            def epoch_end(self, history):
                self.epochs += 1

            def asks_to_stop(self):
                return "interrupted" if self.epochs == EPOCHS + 2 else None

        fitting = Fitting(load_table(shop, "bought", world=world, drop=("spent",)), **settings)
        fitting.run(callbacks=[Ends()], checkpoint=place)
        assert fitting.interrupted

    settings = {"device": "cpu", "epochs": EPOCHS, "members": 2}
    in_threads(3, begun)
    whole, _ = trained(3, shop, "bought", **given)

    def train(world):
        model, _ = fuseprop.train(shop, "bought", world=world, resume=place, **settings, drop=("spent",))
        return model

    for model in in_threads(2, train):
        assert np.abs(parameters(model) - parameters(whole)).max() < 1e-4


def test_weak_scaling_grows_the_batch_and_warms_the_rate_up(shop):
    given = {"drop": ("spent",), "members": 1, "scaling": "weak", "batch_size": 16, "learning_rate": 0.01}
    _, alone = trained(1, shop, "bought", **given, schedule="constant")
    _, both = trained(2, shop, "bought", **given, schedule="constant")
    assert (alone.history.batch_size, both.history.batch_size) == (16, 32)
    assert alone.history.learning_rate == pytest.approx([0.01] * EPOCHS)
    assert both.history.learning_rate == pytest.approx([0.01 * (1 + e / 5) for e in range(EPOCHS)])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"drop": ("spent",), "task": "regression"}, "yes"),
        ({"drop": ("nothing",)}, "nothing"),
        ({"drop": ("spent",), "test_rows": [1, 2]}, "test rows are drawn where several processes train"),
        ({"drop": ("spent",), "on_oom": "halve"}, "is for one process"),
    ],
)
def test_what_is_refused_is_refused_by_all_alike(shop, given, words):
    found = outcomes(2, lambda world: fuseprop.train(shop, "bought", world=world, device="cpu", **given))
    assert all(isinstance(error, DataError | ValueError) for error in found)
    assert len({str(error) for error in found}) == 1
    assert words in str(found[0])
