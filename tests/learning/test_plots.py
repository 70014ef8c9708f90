"""Pictures: drawn where asked for, refused with the extra's name where matplotlib is missing."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop import load_backend
from fuseprop.cli import main
from fuseprop.installing import how_to_install
from fuseprop.learn import TOPICS
from fuseprop.model.fitting import Fitting
from fuseprop.model.regions import boundary
from fuseprop.plots import (
    Curve,
    Figure,
    Panel,
    PlotsUnavailable,
    Regions,
    draw_figure,
    save_figure,
    training_figure,
)
from fuseprop.plots.drawing.library import SETTINGS
from fuseprop.plots.drawing.regions import shaded

PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib")


@pytest.fixture
def no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_training_is_drawn(matplotlib, tmp_path):
    path = tmp_path / "iris.png"
    result = run("train", "iris", "--device", "cpu", "--epochs", 3, "--quiet", "--plot", path)
    assert result.exit_code == 0
    assert f"picture written to {path}" in result.stdout
    assert path.read_bytes().startswith(PNG)
    assert [file.name for file in tmp_path.iterdir()] == ["iris.png"]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("topic", ["rates", "classes"])
def test_topics_are_drawn(matplotlib, tmp_path, topic, suffix):
    figure = TOPICS[topic](load_backend("cpu", "float64"), 0).figure
    paths = [tmp_path / f"{i}{suffix}" for i in range(2)]
    for path in paths:
        save_figure(figure, path)
    assert paths[0].read_bytes() == paths[1].read_bytes(), "equal numbers, equal files"
    text = paths[0].read_bytes()
    assert text.startswith({".png": PNG, ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])


def test_a_picture_holds_its_words(matplotlib, tmp_path, monkeypatch):
    """Drawn as text in SVG: titles, axes with units, and the legend."""
    monkeypatch.setitem(SETTINGS, "svg.fonttype", "none")
    save_figure(TOPICS["vanishing"](load_backend("cpu", "float64"), 0).figure, tmp_path / "v.svg")
    text = (tmp_path / "v.svg").read_text()
    for word in (
        "Vanishing and exploding gradients",
        "hidden layers",
        "||dL/d(W, b)||",
        "sigmoid",
        "tanh",
        "relu",
    ):
        assert f">{word}<" in text


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_users_settings_leave_a_picture_as_it_is(matplotlib, tmp_path, suffix):
    figure = Figure("f", [Panel("p", "x", "y", [Curve("a", [1, 2], [1, 2]), Curve("b", [1, 2], [2, 1])])])
    save_figure(figure, tmp_path / f"own{suffix}")
    theirs = {"figure.facecolor": "black", "text.color": "white", "path.sketch": (1, 100, 2)}
    theirs |= {"savefig.transparent": True, "savefig.bbox": "tight", "font.size": 20.0, "text.usetex": True}
    with matplotlib.rc_context(theirs):
        save_figure(figure, tmp_path / f"theirs{suffix}")
        assert matplotlib.rcParams["figure.facecolor"] == "black"
    assert (tmp_path / f"own{suffix}").read_bytes() == (tmp_path / f"theirs{suffix}").read_bytes()


def test_a_matplotlib_that_does_not_start_says_why(matplotlib):
    script = "from fuseprop.plots import check_plot; check_plot('x.png')"
    environment = {**os.environ, "MPLBACKEND": "nonsense"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("fuseprop.plots.drawing.library.PlotsUnavailable: matplotlib does not start: ")
    assert "nonsense" in last
    assert last.endswith("MPLBACKEND or in a file matplotlibrc.")


def test_lines_differ_without_colour(matplotlib, tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    plot = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda self, *a, **k: drawn.append(k) or plot(self, *a, **k))
    curves = [Curve(str(i), [1, 2], [i, i + 1]) for i in range(4)]
    save_figure(Figure("f", [Panel("p", "x", "y", curves)]), tmp_path / "f.png")
    assert len({(look["linestyle"], look["marker"]) for look in drawn}) == 4
    assert len({look["linestyle"] for look in drawn}) == 4


def test_what_is_drawn_of_a_training():
    steps = {"members": 1, "learning_rate": 0.1, "schedule": "constant"}
    fitting = Fitting(fuseprop.load_table("iris"), epochs=4, device="cpu", **steps)
    history = fitting.run(norms=True)
    figure = training_figure(history, "iris", boundary(fitting.model, fitting.table))
    panels = {panel.title: panel for panel in figure.panels}
    assert list(panels) == ["loss", "accuracy", "learning rate", "gradient norm"]
    loss = {curve.label: curve for curve in panels["loss"].curves}
    assert loss["training"].y == history.train_loss
    assert loss["validation"].y == history.validation_loss
    assert list(panels["learning rate"].curves[0].y) == [0.1] * 4
    assert [list(curve.y) for curve in panels["gradient norm"].curves] == np.transpose(
        history.gradient_norms
    ).tolist()
    assert all(panel.x_label == "epoch" for panel in panels.values())


def test_a_history_is_drawn(matplotlib):
    fitting = Fitting(fuseprop.load_table("iris"), epochs=4, members=1, device="cpu")
    drawn = fitting.run(norms=True).plot("iris, drawn")
    assert drawn.get_suptitle() == "iris, drawn"
    panels = {axes.get_title(): axes for axes in drawn.axes}
    assert list(panels) == ["loss", "accuracy", "learning rate", "gradient norm"]
    training, validation, best = panels["loss"].get_lines()
    assert list(training.get_ydata()) == fitting.history.train_loss
    assert list(validation.get_ydata()) == fitting.history.validation_loss
    assert list(best.get_xdata()) == [fitting.history.best_epoch]
    assert drawn._repr_png_().startswith(PNG)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("solver", "titles"),
    [("adam", ["loss", "accuracy", "learning rate", "gradient norm"]), ("lbfgs", ["loss"])],
)
def test_the_history_of_an_estimator_is_drawn(matplotlib, solver, titles):
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = fuseprop.MLPClassifier((3,), solver=solver, max_iter=4, random_state=0).fit(X, X[:, 0] > 0)
    assert [axes.get_title() for axes in model.history_.plot().axes] == titles


def test_epochs_with_a_halved_rate_are_marked():
    """The last of three has diverged twice, the first once, and one that was not taken again once."""
    history = fuseprop.History("loss", train_loss=[3.0, 2.0, 1.0], train_metric=[0.0] * 3)
    history.learning_rate = [0.5, 0.5, 0.125]
    halved = [(1, 0.5), (3, 0.25), (3, 0.125), (4, 0.0625)]
    history.halvings = [{"epoch": epoch, "learning_rate": rate} for epoch, rate in halved]
    panel = next(panel for panel in training_figure(history, "").panels if panel.title == "learning rate")
    _, marks = panel.curves
    assert (marks.label, marks.x, marks.y, marks.points) == ("halved", [1.0, 3.0], [0.5, 0.125], True)


def test_a_history_without_matplotlib_names_the_extra(no_matplotlib):
    with pytest.raises(PlotsUnavailable, match=re.escape(how_to_install("plots"))):
        fuseprop.History("accuracy").plot()


def test_two_features_get_their_boundary():
    fitting = Fitting(fuseprop.load_table("xor"), optimizer="momentum", device="cpu", epochs=300)
    history = fitting.run()
    figure = training_figure(history, "xor", boundary(fitting.model, fitting.table))
    regions = figure.panels[-1].ground
    assert (figure.panels[-1].x_label, figure.panels[-1].y_label) == ("a", "b")
    assert {name: points.tolist() for name, points in regions.points.items()} == {
        "0": [[0, 0], [1, 1]],
        "1": [[0, 1], [1, 0]],
    }
    for corner, answer in (((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 0)):
        j, i = (
            int(np.abs(axis - c).argmin()) for axis, c in zip((regions.x1, regions.x2), corner, strict=True)
        )
        assert regions.margins[i, j].argmax() == answer


POINTS = {"a": np.array([[0.0, 5.0]]), "b": np.array([[2.0, 5.0]])}


def test_regions_surround_their_points():
    regions = Regions.of_scores(lambda rows: rows[:, 0] - 1, POINTS)
    assert regions.x1[0] < 0
    assert regions.x1[-1] > 2
    assert regions.x2[0] < 5 < regions.x2[-1]
    says_b = np.tile(regions.x1 > 1, (len(regions.x2), 1))
    np.testing.assert_array_equal(regions.margins[..., 1] > 0, says_b)
    np.testing.assert_array_equal(regions.shades, np.stack([~says_b, says_b], axis=-1))


def test_the_boundary_is_a_line_where_the_score_is_its_threshold(matplotlib):
    """A steep sigmoid goes from 0 to 1 between two points of the grid."""

    def steep(rows):
        return 1 / (1 + np.exp(-400 * (rows[:, 0] - 0.3 * rows[:, 1] + 0.5)))

    regions = Regions.of_probabilities(steep, POINTS)
    [lines] = draw_figure(Figure("f", [Panel("p", "x", "y", ground=regions)])).axes[0].collections
    for x1, x2 in lines.get_paths()[0].vertices:
        assert x1 == pytest.approx(0.3 * x2 - 0.5, abs=1e-9)


def test_exclusive_classes_share_the_plane_and_labels_overlap():
    def p(rows):
        e = np.exp(np.stack([rows[:, 0], rows[:, 1], 0 * rows[:, 0]], axis=1))
        return e / e.sum(axis=1, keepdims=True)

    points = {name: np.array([[x, 1.0 - x]]) for name, x in zip("abc", (-2.0, 0.0, 2.0), strict=True)}
    exclusive = Regions.of_probabilities(p, points)
    assert ((exclusive.margins > 0).sum(axis=-1) == 1).mean() > 0.98  # but for ties
    assert ((exclusive.shades > 0).sum(axis=-1) <= 1).all()
    labels = Regions.of_probabilities(lambda rows: np.sqrt(p(rows)), points, exclusive=False)
    assert {1, 2} <= set(np.unique((labels.margins > 0).sum(axis=-1)))


def test_shades_of_two_classes_differ_without_colour():
    """The surest places of the first two classes, in grey."""
    regions = Regions.of_scores(lambda rows: rows[:, 0] - 1, POINTS)
    grey = shaded(regions) @ [0.299, 0.587, 0.114]
    assert abs(grey[0, 0] - grey[0, -1]) > 0.1


@pytest.mark.parametrize("arguments", [["learn", "line"], ["train", "iris", "--epochs", 1]])
def test_without_matplotlib_the_extra_is_named_before_any_work(no_matplotlib, tmp_path, arguments):
    result = run(*arguments, "--device", "cpu", "--plot", tmp_path / "x.png")
    assert result.exit_code == 2
    assert f"Type: {how_to_install('plots')}." in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())
    with pytest.raises(PlotsUnavailable, match=re.escape(how_to_install("plots"))):
        save_figure(Figure("f", [Panel("p", "x", "y", [Curve("c", [1], [1])])]), tmp_path / "x.png")


def test_without_matplotlib_everything_else_works(no_matplotlib):
    assert run("learn", "example", "--device", "cpu").exit_code == 0


def test_other_suffixes_are_refused(matplotlib, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf, got .*x\.jpg"):
        save_figure(Figure("f", []), tmp_path / "x.jpg")


@pytest.mark.parametrize("arguments", [["learn", "line"], ["train", "iris", "--epochs", 1]])
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(matplotlib, tmp_path, arguments):
    (tmp_path / "d.png").mkdir()
    (tmp_path / "x.png").symlink_to("/dev/null")
    for name, word in (("d.png", "is a directory"), ("x.png", "no regular file"), ("y/z.png", "not exist")):
        result = run(*arguments, "--device", "cpu", "--plot", tmp_path / name)
        assert (result.exit_code, result.stdout) == (2, "")
        assert word in " ".join(result.stderr.split())
