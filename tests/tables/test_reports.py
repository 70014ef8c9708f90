"""Pages about trainings and models: every number on them is the report's or the model's own."""

import re
import subprocess
import sys
import warnings
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pages import Page

import fuseprop
from fuseprop.callbacks.history import History
from fuseprop.checks.quoting import six_digits
from fuseprop.data.errors import DataError
from fuseprop.installing import how_to_install
from fuseprop.model.fitting import Fitting
from fuseprop.model.reporting import pictures
from fuseprop.model.reporting.of_training import findings_of, remarkable, training_page
from fuseprop.model.reporting.reliance import MOST_PRODUCTS, limited, reliance_of
from fuseprop.plots import Curve, Figure, Panel, PlotsUnavailable, draw_figure
from fuseprop.plots.drawing import on_page
from fuseprop.plots.outcome import MOST_POINTS, predictions_panel, residuals_panel
from fuseprop.plots.training import training_panels
from fuseprop.showing import picture

pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

HOSTILE = "<script>alert(1)</script>"
FAST = {"epochs": 3, "members": 1, "hidden": (8,), "bins": 0, "device": "cpu"}


@pytest.fixture
def panels(monkeypatch):
    """The panels that pages show, which are not drawn."""
    shown = []

    def on_page(figure, about):
        shown.extend(figure.panels)
        return picture(b"\x89PNG%d" % len(shown), about)

    monkeypatch.setattr(pictures, "on_page", on_page)
    return shown


def panel(panels, title):
    (found,) = [each for each in panels if each.title == title]
    return found


def table_of(columns, targets, source="a table"):
    names = [f"{HOSTILE}{i}" for i in range(columns.shape[1])]
    data = {name: columns[:, i] for i, name in enumerate(names)} | targets
    return fuseprop.Table.of(data, target_names=tuple(targets))


def fitted(table, **given):
    fitting = Fitting(table, **FAST | given)
    fitting.run(norms=True)
    return fitting, fitting.report()


def page_of(fitting, report, **more):
    found = findings_of(fitting)
    return Page(training_page(fitting, report, found, given=fitting.given, again=[], **more))


def classes(k=3, rows=90, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % k
    X = rng.normal(size=(k, 2))[labels] + 0.8 * rng.normal(size=(rows, 2))
    return table_of(X, {"kind": np.array([f"{HOSTILE}{i:02}" for i in labels])})


def numbers(targets=1, rows=90):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(rows, 3))
    made = {f"y{i} <b>": 1000 * X[:, i % 3] + 100 * rng.normal(size=rows) for i in range(targets)}
    return table_of(X, made)


def six(value):
    return six_digits(float(value))


def check_scores(page, report):
    """The table of scores holds those of the report, and nothing else."""
    (head, *rows) = page.tables["Scores of each part"]
    parts = {name: report.scores(name) for name in ("train", "validation", "test")}
    seen = {row[0] for row in rows}
    for name, scores in parts.items():
        if scores is None:
            assert not [column for column in head if column.startswith(name)]
            continue
        (place,) = [i for i, column in enumerate(head) if column.startswith(f"{name}, ")]
        for row in rows:
            assert row[place] == (six(scores[row[0]]) if row[0] in scores else "")
        assert set(scores) <= seen
        for score, ends in scores.intervals.items():
            (row,) = [row for row in rows if row[0] == score]
            assert row[place + 1 : place + 3] == [six(end) for end in ends]


def check_curves(panels, history):
    """The curves are the history's own."""
    by_label = {curve.label: curve for curve in panel(panels, "loss").curves}
    assert list(by_label["training"].y) == history.train_loss
    assert list(by_label["validation"].y) == history.validation_loss
    assert list(by_label[f"best (epoch {history.best_epoch})"].y) == [min(history.validation_loss)]
    assert list(panel(panels, history.metric).curves[0].y) == history.train_metric
    assert list(panel(panels, "learning rate").curves[0].y) == history.learning_rate
    layers = panel(panels, "gradient norm").curves
    assert [list(curve.y) for curve in layers] == np.transpose(history.gradient_norms).tolist()


def check_importance(page, fitting):
    """The importance is what the model's own `explain` says of the test rows."""
    found = fitting.model.explain(fitting.table.take(fitting.test), seed=fitting.settings.seed)
    rows = page.tables["Importance of columns"][1:]
    assert [row[0] for row in rows] == [column.name for column in found.columns]
    assert [row[1:4] for row in rows] == [
        [six(column.loss.mean), six(column.loss.low), six(column.loss.high)] for column in found.columns
    ]


# Trainings of each task


def test_classes_have_their_confusion(panels):
    fitting, report = fitted(classes())
    page = page_of(fitting, report)
    check_scores(page, report)
    check_curves(panels, report.history)
    check_importance(page, fitting)
    confusion = report.test.confusion
    (head, *rows) = page.tables["Rows by true and predicted class"]
    assert head[1:] == [f"as {name}" for name in confusion.classes]
    assert [[int(count) for count in row[1:]] for row in rows] == confusion.counts.tolist()
    np.testing.assert_array_equal(panel(panels, "confusion").ground.counts, confusion.counts)
    test = fitting.table.take(fitting.test)
    decided = np.array(fitting.model.predict(test).values)
    for name, *counts, recall, precision, f1 in page.tables["Each class"][1:]:
        true, taken = test.targets[:, 0] == name, decided == name
        right = (true & taken).sum()
        assert [int(count) for count in counts] == [true.sum(), taken.sum(), right]
        assert recall == six(right / true.sum())
        assert precision == (six(right / taken.sum()) if taken.any() else "")
        assert f1 == six(2 * right / (true.sum() + taken.sum()))
    for true, taken, count, share in page.tables["Most confused"][1:]:
        places = [confusion.classes.index(name) for name in (true, taken)]
        assert int(count) == confusion.counts[tuple(places)] > 0
        assert places[0] != places[1]
        assert share == six(int(count) / confusion.counts[places[0]].sum())


def test_many_classes_are_told_by_the_most_confused(panels):
    fitting, report = fitted(classes(60, 1200), epochs=1)
    page = page_of(fitting, report)
    confusion = report.test.confusion
    assert "Rows by true and predicted class" not in page.tables
    assert "confusion" not in {each.title for each in panels}
    counts = [int(row[2]) for row in page.tables["Most confused"][1:]]
    wrong = confusion.counts - np.diag(np.diag(confusion.counts))
    assert counts == sorted(wrong.ravel().tolist(), reverse=True)[:20]
    assert f"And {(wrong > 0).sum() - 20} more pairs of classes." in page.text
    assert len(page.tables["Each class"]) == 61


def test_numbers_have_their_errors(panels):
    fitting, report = fitted(numbers(2))
    page = page_of(fitting, report)
    check_scores(page, report)
    check_curves(panels, report.history)
    check_importance(page, fitting)
    test = fitting.table.take(fitting.test)
    errors = fitting.model.predict(test).values - test.targets
    rows = page.tables["Errors, predicted less actual, in the target's units"][1:]
    assert [row[0] for row in rows] == ["y0 <b>", "y1 <b>"]
    assert "the mean over the 2 targets" in page.sections["Scores"]
    assert "the mean over 2 targets" in page.head
    for j, (name, mean, r2, rmse, mae, *quantiles) in enumerate(rows):
        error = errors[:, j]
        wanted = [error.mean(), np.sqrt((error**2).mean()), np.abs(error).mean()]
        assert float(r2) == pytest.approx(1 - (error**2).mean() / test.targets[:, j].var(), rel=1e-5)
        assert [float(each) for each in (mean, rmse, mae)] == pytest.approx(wanted, rel=1e-5)
        assert quantiles == [six(q) for q in np.quantile(error, [0.05, 0.25, 0.5, 0.75, 0.95])]
        points = panel(panels, f"{name}: predicted and actual").curves[1]
        np.testing.assert_allclose(np.subtract(points.y, points.x).sum(), error.sum(), rtol=1e-9)
        outline = panel(panels, f"{name}: errors").curves[0]
        assert sum(outline.y[1:-1:2]) == len(test)
        assert (outline.x[0], outline.x[-1]) == pytest.approx((error.min(), error.max()), rel=1e-12)


def test_labels_have_a_line_each(panels):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(120, 4))
    labels = {name: (X[:, i] > i).astype(int) for i, name in enumerate(("red", "<b>", "rare", "none"))}
    fitting, report = fitted(table_of(X, labels), task="multi-label")
    page = page_of(fitting, report)
    check_scores(page, report)
    check_curves(panels, report.history)
    test = fitting.table.take(fitting.test)
    decided = np.asarray(fitting.model.predict(test).values)
    for j, (name, has, taken, right, *ratios) in enumerate(page.tables["Each label"][1:]):
        assert name == list(labels)[j]
        true = test.targets[:, j].astype(int)
        both = (true & decided[:, j]).sum()
        counts = panel(panels, f"{name}: confusion").ground.counts
        assert counts.tolist() == [
            [(~true & ~decided[:, j] & 1).sum(), (~true & decided[:, j]).sum()],
            [(true & ~decided[:, j] & 1).sum(), both],
        ]
        assert [int(has), int(taken), int(right)] == [true.sum(), decided[:, j].sum(), both]
        assert ratios[0] == (six(both / true.sum()) if true.any() else "")
    assert "the accuracy of the most frequent combination of labels alone" in page.text


# What stands around it


def test_everything_of_the_training_is_named(panels):
    table = replace(numbers(), without_target=7, notes=("A note <i>.",))
    fitting, report = fitted(table, learning_rate=0.01, seed=5)
    page = page_of(fitting, report)
    said = page.sections["What stands out"]
    for words in ("3 epochs", "7 rows without a target left out.", "A note <i>.", "in the last epoch"):
        assert words in said
    rows = {name: (value, by) for name, value, by in page.tables["All settings"][1:]}
    assert set(rows) == set(vars(fitting.settings))
    assert rows["learning_rate"] == ("0.01", "you")
    assert rows["batch_size"] == (str(fitting.settings.batch_size), "the rules")
    assert page.facts["fuseprop"] == fuseprop.__version__
    assert page.facts["device"].startswith("cpu")
    columns = page.tables["4 columns, as read"][1:]
    assert [row[:3] for row in columns] == [
        ["y0 <b>", "target", "7"],
        *([f"{HOSTILE}{i}", "number", "0"] for i in range(3)),
    ]
    low, high = fitting.table.X[:, 0].min(), fitting.table.X[:, 0].max()
    assert columns[1][3].startswith(f"{low:.6g} to {high:.6g}, quartiles ")


def test_members_are_faint_lines_under_their_mean(panels):
    fitting, report = fitted(numbers(), members=3, epochs=6, patience=1, validation=0.3)
    page = page_of(fitting, report)
    check_scores(page, report)
    curves = panel(panels, "loss of 3 networks, and their mean").curves
    for label, name in (("training", "train_loss"), ("validation", "validation_loss")):
        faint = [list(curve.y) for curve in curves if curve.label == label and curve.faint]
        assert faint == [getattr(each, name) for each in report.histories]
        (mean,) = [curve for curve in curves if curve.label == label and not curve.faint]
        epochs = min(each.epochs for each in report.histories)
        np.testing.assert_allclose(mean.y, np.mean([each[:epochs] for each in faint], axis=0), rtol=1e-12)
    rows = page.tables["Each network"][1:]
    assert [int(row[1]) for row in rows] == [each.epochs for each in report.histories]


@pytest.mark.parametrize(
    ("given", "rows", "said"),
    [
        ({"test": 0}, "validation rows", "chose the epoch whose weights were kept"),
        ({"test": 0, "validation": 0}, "rows learned from", "knows them better than new rows"),
        ({"test": 0, "members": 2}, "rows learned from", "knows them better than new rows"),
    ],
)
def test_without_test_rows_others_are_judged_by_and_it_is_said(panels, given, rows, said):
    fitting, report = fitted(classes(), **given)
    page = page_of(fitting, report)
    check_scores(page, report)
    assert said in page.sections[f"Answers: {rows}"]
    assert "nothing here says how the model does on new rows" in page.sections["What stands out"]
    assert f"that are {rows}" in page.sections["Importance of columns"]


def test_scores_no_better_than_none_stand_out():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(100, 2))
    for targets, what in (
        ({"y": rng.normal(size=100)}, "The RMSE of the test rows is not clearly below"),
        ({"y": rng.integers(0, 2, 100)}, "The accuracy of the test rows is not clearly above"),
    ):
        assert any(what in said for said in remarkable(*fitted(table_of(X, targets))))
    for good in (fuseprop.load_table("iris"), numbers(1, 400)):
        fitting, report = fitted(good, epochs=60, learning_rate=0.02)
        assert not any("not clearly" in said for said in remarkable(fitting, report))


def test_one_feature_one_epoch_few_rows(panels):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(21, 1))
    fitting, report = fitted(table_of(x, {"y": x[:, 0]}), epochs=1)
    page = page_of(fitting, report)
    check_scores(page, report)
    assert "are few" in page.sections["Importance of columns"]


def test_nan_in_curves_and_no_epoch_are_said(panels):
    fitting, report = fitted(classes())
    fitting.histories[0].train_metric[1] = float("nan")
    page_of(fitting, report)
    told = pictures.told(panel(panels, "accuracy"))
    assert "training: " in told
    assert "nan" not in told
    nothing = History("accuracy")
    fitting._members[0] = replace(fitting._members[0], history=nothing)
    assert (
        "there are no curves" in page_of(fitting, replace(report, histories=(nothing,))).sections["Training"]
    )


def test_what_is_not_finite_is_said(panels):
    fitting, _ = fitted(numbers())
    network = fitting.model.network
    network.set_weights([(np.full_like(w, 1e30), b) for w, b in network.weights()])
    page = page_of(fitting, fitting.report())
    assert "is not finite" in page.sections["Answers: test rows"]
    assert "Not measured: the loss of these rows is not finite" in page.sections["Importance of columns"]
    assert "rmse of test: none" in page.sections["Scores"]


def test_wide_tables_stay_small(panels):
    rng = np.random.default_rng(5)
    names = {f"{HOSTILE}{i}": rng.normal(size=40) for i in range(1200)}
    table = fuseprop.Table.of(names | {"y": rng.normal(size=40)}, target_names=("y",))
    fitting, report = fitted(table, epochs=1)
    page = page_of(fitting, report)
    assert len(page.tables["1,201 columns, as read"]) == 301
    assert "1,201 columns, as read" in page.folded
    assert len(page.tables["Importance of columns"]) == 201


# The importance that takes seconds


def test_the_cost_of_importance_is_limited():
    for rows, parameters, columns in ((100, 1000, 10), (10**6, 5000, 20), (10**5, 10**6, 500), (5000, 10, 2)):
        taken, repeats = limited(rows, parameters, columns)
        assert 1 <= repeats <= 5
        assert min(rows, 300) <= taken <= rows
        assert taken * repeats * parameters * columns <= MOST_PRODUCTS or (taken, repeats) == (
            min(rows, 300),
            1,
        )
    assert limited(100, 1000, 10) == (100, 5)


def test_some_of_many_rows_are_drawn_and_it_is_said(monkeypatch):
    fitting, _ = fitted(numbers(1, 900))
    model, table = fitting.model, fitting.table
    monkeypatch.setattr(sys.modules[reliance_of.__module__], "MOST_PRODUCTS", 1)
    found = reliance_of(
        model.network, model.encoder, table, model.encode_targets(table), rows="given", seed=3
    )
    assert found.importance.rows == 300
    assert found.about.startswith("Measured on 300 rows, drawn of the 900 that are given")
    assert found.about.endswith("each column permuted 1 time.")


def test_a_single_row_has_no_importance():
    fitting, _ = fitted(numbers())
    table = fitting.table.take(np.array([0]))
    model = fitting.model
    found = reliance_of(model.network, model.encoder, table, model.encode_targets(table), rows="given")
    assert found.importance is None
    assert found.about.startswith("Not measured: ")


# Pictures


def test_of_many_rows_some_are_drawn_as_points():
    rng = np.random.default_rng(6)
    actual, predicted = rng.normal(size=(2, 5000))
    line, points = predictions_panel(actual, predicted, "y", "test rows").curves
    assert len(points.x) == MOST_POINTS
    assert points.label == f"test rows, {MOST_POINTS} rows of 5,000"
    both = np.concatenate([actual, predicted])
    assert list(line.x) == list(line.y) == [both.min(), both.max()]
    assert min(points.y) == predicted.min()
    assert max(points.y) == predicted.max()


def test_a_histogram_counts_all_rows():
    for errors in (np.zeros(4), np.arange(1000.0), np.array([1.0])):
        (outline,) = residuals_panel(errors, "y").curves
        assert sum(outline.y[1:-1:2]) == len(errors)


def test_words_of_a_picture_are_its_numbers():
    drawn = Panel("p", "epoch", "loss", [Curve("a", [1.0, 2.0, 3.0], [3.0, 1.0, 2.0])])
    assert pictures.told(drawn) == (
        "p, loss by epoch: a: 3 at first, 2 at last, lowest 1 at 2, highest 3 at 1"
    )


def test_faint_lines_have_the_dashes_of_theirs_and_no_legend():
    lines = [
        Curve(name, [1, 2], [i, 1], faint=faint) for faint in (True, False) for i, name in enumerate("ab")
    ]
    (axes,) = draw_figure(Figure("", [Panel("p", "x", "y", lines)])).axes
    styles = [line.get_linestyle() for line in axes.lines]
    assert styles[:2] == styles[2:]
    assert styles[0] != styles[1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_mean_curves_end_where_the_first_network_did():
    one, other = History("loss", [3.0, 2.0, 1.0]), History("loss", [1.0, 2.0])
    (loss,) = training_panels([one, other])
    assert list(loss.curves[-1].y) == [2.0, 2.0]


# Python's own


def test_train_writes_what_it_returns(tmp_path):
    place = tmp_path / "run.html"
    model, report = fuseprop.train("wine", report=place, **FAST)
    page = Page(place.read_text())
    check_scores(page, report)
    assert page.title == "wine: class, one of 3 classes"
    assert len(page.pictures) == 7
    call = re.search(r"fuseprop\.train\(.*\n\)", place.read_text().replace("&#x27;", "'"), re.DOTALL)[0]
    call = call.replace("&quot;", '"')
    again, _ = eval(call, {"fuseprop": fuseprop})
    for one, other in zip(model.network.weights(), again.network.weights(), strict=True):
        np.testing.assert_array_equal(one[0], other[0])


@pytest.mark.parametrize(
    ("error", "why"), [(RuntimeError("no pen"), "no pen"), (KeyboardInterrupt(), "KeyboardInterrupt")]
)
def test_a_report_that_cannot_be_written_costs_no_model(tmp_path, monkeypatch, error, why):
    def fails(*given):
        raise error

    monkeypatch.setattr(pictures, "on_page", fails)
    with pytest.warns(UserWarning, match=f"^the report was not written: {why}$"):
        _, report = fuseprop.train("xor", report=tmp_path / "x.html", **FAST)
    assert report.history.epochs == 3
    assert list(tmp_path.iterdir()) == []


def test_a_place_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(Fitting, "run", lambda *given, **more: pytest.fail("trained"))
    for place, error in (("x.txt", ValueError), ("no/x.html", OSError), (3, TypeError)):
        with pytest.raises(error):
            fuseprop.train("xor", report=place if place == 3 else tmp_path / place, **FAST)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PlotsUnavailable, match=re.escape(how_to_install("plots"))):
        fuseprop.train("xor", report=tmp_path / "x.html", **FAST)


def test_a_loaded_model_says_what_its_file_does_not_know(tmp_path, panels):
    fitting, report = fitted(numbers(1, 120))
    fitting.model.save(tmp_path / "m.safetensors")
    model = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    place = tmp_path / "m.html"
    model.report(place)
    page = Page(place.read_text())
    assert "a model file keeps no history" in page.sections["Training"]
    assert "no rows with targets were given" in page.sections["Answers"]
    assert "Scores" not in page.sections
    names = [row[0] for row in page.tables["3 columns, as read"][1:]]
    assert names == list(model.feature_names)
    hidden, last = model.network.layers
    assert page.facts["network"] == f"3 -> 8 {hidden.function} -> 1 {last.function}"
    assert page.facts["parameters"] == str(3 * 8 + 8 + 8 + 1)
    rows = fitting.table.take(fitting.test)
    model.report(place, rows, training=report)
    page = Page(place.read_text())
    scores = model.evaluate(rows)
    head, *lines = page.tables["Scores of each part"]
    column = next(i for i, name in enumerate(head) if name.endswith(", 24 rows"))
    for line in lines:
        assert line[column] == (six(scores[line[0]]) if line[0] in scores else "")
    found = model.explain(rows)
    assert [row[1] for row in page.tables["Importance of columns"][1:]] == [
        six(column.loss.mean) for column in found.columns
    ]
    check_curves(panels, report.history)


def test_rows_of_a_report_are_checked_as_those_of_evaluate(tmp_path):
    fitting, _ = fitted(numbers())
    with pytest.raises(DataError):
        fitting.model.report(tmp_path / "m.html", {"other": [1.0, 2.0]})
    assert list(tmp_path.iterdir()) == []


def test_no_report_loads_no_matplotlib():
    code = (
        "import fuseprop, sys; fuseprop.train('xor', epochs=1, device='cpu'); "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pages_warn_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fuseprop.train("diabetes", report=tmp_path / "d.html", **FAST)
    assert Page((tmp_path / "d.html").read_text()).pictures


def test_a_picture_of_much_is_of_pixels_and_as_wide_as_one_of_lines():
    rng = np.random.default_rng(7)
    sizes = {}
    for count in (5, MOST_POINTS):
        points = Curve("rows", rng.normal(size=count), rng.normal(size=count), points=True)
        made = on_page(Figure("", [Panel("p", "x", "y", [points])]), "about")
        width = float(re.search(r'width="(\d+)"', made)[1])
        kind, content = re.search(r'src="data:image/([^;]*);base64,([^"]*)"', made).groups()
        sizes[kind] = width
        assert len(content) < 80_000
        if kind == "png":
            with Image.open(BytesIO(b64decode(content))) as pixels:
                assert pixels.size[0] > 2 * width
    assert sizes["png"] == pytest.approx(sizes["svg+xml"], rel=0.05)


def test_the_weights_kept_are_said_where_nothing_chose_them(panels):
    fitting, report = fitted(classes(), validation=0, epochs=12, learning_rate=0.3)
    history = report.history
    assert history.best_epoch < history.epochs
    page = page_of(fitting, report)
    labels = [curve.label for curve in panel(panels, "loss").curves]
    assert f"best (epoch {history.best_epoch}, not kept)" in labels
    assert (
        "The model has the weights of the last epoch, not those of the lowest loss"
        in page.sections["Training"]
    )
    fitting, report = fitted(classes(), epochs=12, learning_rate=0.3)
    assert "not those of the lowest loss" not in page_of(fitting, report).sections["Training"]


def test_what_matters_stands_out_first(panels):
    rng = np.random.default_rng(6)
    labels = np.array([*rng.choice(["a", "b"], 99), "alone <b>"])
    fitting, report = fitted(
        table_of(rng.normal(size=(100, 30)), {"y": labels}),
        hidden=(64,),
        epochs=80,
        learning_rate=0.02,
        patience=0,
        validation=0,
    )
    assert report.train["accuracy"] > 0.9
    page = page_of(fitting, report)
    said = page.sections["What stands out"]
    first, single, gap = (
        said.index(words)
        for words in (
            "is not clearly above",
            "a single row, which is either learned from or tested: alone <b>",
            "(overfitting)",
        )
    )
    assert max(first, single, gap) < said.index("80 epochs")
    assert page.title.endswith(": y, one of 3 classes")
    assert f"of {len(fitting.test)} test rows" in page.head
    good = page_of(*fitted(fuseprop.load_table("iris"), epochs=60, learning_rate=0.02))
    for words in ("a single row", "overfitting"):
        assert words not in good.sections["What stands out"]
