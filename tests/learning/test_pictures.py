"""What the pictures of topics and of trainings claim, asked of the numbers that they are drawn from."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest

from fuseprop import Perceptron, load_backend
from fuseprop.data import Table
from fuseprop.learn import TOPICS
from fuseprop.learn.classes import ASKED
from fuseprop.learn.data import CORNERS, XOR
from fuseprop.model.fitting import Fitting
from fuseprop.model.regions import boundary
from fuseprop.perceptron import NotSeparable
from fuseprop.plots import Curve, Figure, Film, Panel, Regions, draw_figure, save_film
from fuseprop.plots.drawing.figure import as_pixels, as_png
from fuseprop.plots.drawing.looks import CLASSES, grey, shades

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture
def rules(monkeypatch):
    """The rule of every decision over the plane that is made in a test, beside its regions."""
    found = []

    def recording(make):
        def made(rule, *arguments, **options):
            regions = make(rule, *arguments, **options)
            found.append((regions, rule, options.get("exclusive", True)))
            return regions

        return made

    for name in ("of_scores", "of_probabilities"):
        monkeypatch.setattr(Regions, name, staticmethod(recording(getattr(Regions, name))))
    return found


def run(topic, seed=0):
    return TOPICS[topic](load_backend("cpu", "float64"), seed)


def panels(result):
    return {panel.title: panel for panel in result.figure.panels}


def boundaries(regions):
    """The ends (n, 2) of the pieces of all boundaries that are drawn of some regions."""
    [axes] = draw_figure(Figure("", [Panel("", "x1", "x2", ground=regions)])).axes
    return np.concatenate([path.vertices for line in axes.collections for path in line.get_paths()])


def assert_even(regions, rule, exclusive, threshold=0.5, tolerance=2e-3):
    """On the boundaries that are drawn, two answers are as good as each other.

    Where three are, two boundaries meet, and a corner of either is within half a step of the grid.
    """
    drawn = boundaries(regions)
    values = np.asarray(rule(drawn), np.float64)
    if not exclusive or values.shape[-1] == 1:
        assert np.abs(values - threshold).min(axis=-1).max() < tolerance
        return
    second, best = np.sort(values, axis=-1)[:, -2:].T
    assert np.quantile(best - second, 0.95) < tolerance
    step = np.array([regions.x1[1] - regions.x1[0], regions.x2[1] - regions.x2[0]]) / 2
    around = [np.asarray(rule(drawn + step * way)).argmax(axis=-1) for way in product((-1, 0, 1), repeat=2)]
    assert (np.ptp(around, axis=0) > 0).all()


def where(regions, points, label):
    """The margin of a label at the place of the grid that is nearest to each point."""
    columns = np.abs(regions.x1 - points[:, :1]).argmin(axis=1)
    lines = np.abs(regions.x2 - points[:, 1:]).argmin(axis=1)
    return regions.margins[lines, columns, label]


# Boundaries


@pytest.mark.parametrize(
    ("topic", "tolerance"), [("xor", 2e-3), ("logistic", 1e-9), ("classes", 0.02), ("minima", 2e-3)]
)
def test_boundaries_are_where_the_networks_own_probabilities_are_even(topic, tolerance, rules):
    run(topic)
    assert rules
    for regions, rule, exclusive in rules:
        assert_even(regions, rule, exclusive, tolerance=tolerance)


def clouds(count):
    """Two features, and the names of as many classes around a circle."""
    angles = 2 * np.pi * np.arange(count) / count
    labels = np.arange(30 * count) % count
    centres = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    X = centres[labels] + np.random.default_rng(0).normal(0, 0.5, (len(labels), 2))
    return Table.of(X, np.array([f"c{label}" for label in labels]))


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize(
    "loss", ["sigmoid_cross_entropy", "softmax_cross_entropy", "half_squared_error", "hinge", "huber(1)"]
)
def test_the_boundary_of_a_training_is_where_its_model_decides_otherwise(count, loss, rules):
    settings = {"loss": loss, "epochs": 20, "members": 1, "device": "cpu", "dtype": "float64", "test": 0.0}
    fitting = Fitting(clouds(count), hidden=(8,), **settings)
    fitting.run()
    [panel] = boundary(fitting.model, fitting.table)
    [(regions, rule, exclusive)] = rules
    assert panel.ground is regions
    assert list(regions.points) == [f"c{i}" for i in range(count)]
    assert (regions.shades >= 0).all()
    assert (regions.shades <= 1).all()
    assert_even(regions, rule, exclusive, threshold=0.0 if loss == "hinge" else 0.5, tolerance=0.01)
    # The regions are the model's own decisions: at every point of the grid but on the boundary.
    x = np.stack(np.meshgrid(regions.x1, regions.x2), axis=-1).reshape(-1, 2)
    decided = fitting.model.predict(x).values
    margins = regions.margins.reshape(-1, regions.margins.shape[-1])
    np.testing.assert_array_equal(decided, np.array([f"c{i}" for i in margins.argmax(axis=1)]))


# Topics


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_perceptron_names_the_wrong_points_of_xor_and_no_line_has_none(seed):
    result = run("perceptron", seed)
    _, *planes = result.figure.panels
    assert [panel.title.partition(":")[0].partition(",")[0] for panel in planes] == [
        *("and", "or", "two clouds"),
        *("xor", "xor"),
    ]
    for panel in planes:
        zeros, ones = panel.ground.points.values()
        words = [curve for curve in panel.curves if curve.texts]
        named = {(x, y) for curve in words for x, y in zip(curve.x, curve.y, strict=True)}
        assert bool(named) == panel.title.startswith("xor")
        assert panel.title.endswith(f": {len(named)} wrong") == bool(named)
        # Of a point on the line the nearest one of the grid is perhaps on the other side, just so.
        for points, answer in ((zeros, 0), (ones, 1)):
            right = np.array([point for point in points if tuple(point) not in named])
            wrong = np.array([point for point in points if tuple(point) in named])
            for some, sign in ((right, 1), (wrong, -1)):
                if len(some):
                    assert (sign * where(panel.ground, some, answer) > -0.05).all()
    lines = [boundaries(panel.ground) for panel in planes]
    assert all(len(line) for line in lines), "each line crosses its plane"


def test_perceptrons_lines_are_where_its_weighted_sum_is_0():
    plane = next(panel for panel in run("perceptron").figure.panels if panel.title.startswith("and"))
    learner = Perceptron(seed=0, epochs=25, device="cpu")
    assert learner.fit(CORNERS, CORNERS.min(axis=1))
    weights, bias = learner.weights()
    np.testing.assert_allclose(boundaries(plane.ground) @ weights + bias, 0.0, atol=1e-12)
    on_the_line = CORNERS[CORNERS @ weights + bias == 0]
    assert len(on_the_line) > 0
    assert not learner.predict(on_the_line).any()
    assert plane.title == "and: on the line, the answer is 0"


def test_perceptrons_film_is_its_training_epoch_by_epoch(tmp_path):
    result = run("perceptron")
    film = result.film
    assert film.count == 13
    whole = {curve.label: list(curve.y) for curve in result.figure.panels[0].curves}
    for number, epochs in ((0, 1), (3, 7), (12, 25)):
        frame = film.frame(number)
        assert [panel.title.partition(",")[0].partition(":")[0] for panel in frame.panels[1:]] == [
            "and",
            "xor",
        ]
        for curve in frame.panels[0].curves:
            assert list(curve.y) == whole[curve.label][:epochs]
        learner = Perceptron(seed=0, epochs=epochs, device="cpu")
        with pytest.warns(NotSeparable):
            learner.fit(CORNERS, XOR)
        wrong = int((learner.predict(CORNERS) != XOR).sum())
        assert frame.panels[-1].title == f"xor, after epoch {epochs}: {wrong} wrong"
        assert (frame.panels[0].x_limits, frame.panels[0].y_limits) == ((0.0, 26.0), (-0.2, 4.2))
    assert "before each correction" in result.figure.panels[0].y_label
    save_film(Film(film.frame, 2), tmp_path / "p.gif")
    from PIL import Image

    with Image.open(tmp_path / "p.gif") as picture:
        assert picture.n_frames == 2


def test_one_line_separates_the_corners_in_the_hidden_plane_of_xor_and_none_among_the_inputs():
    plane = run("xor").figure.panels[-1]
    assert (plane.x_label, plane.y_label) == ("a1", "a2")
    line = boundaries(plane.ground)
    (x, y), (to_x, to_y) = line[0], line[-1]
    across = np.array([to_y - y, x - to_x])
    np.testing.assert_allclose((line - line[0]) @ across, 0.0, atol=1e-9)
    zeros, ones = ((points - line[0]) @ across for points in plane.ground.points.values())
    assert (np.sign(zeros) == -np.sign(ones[0])).all()
    assert (np.sign(ones) == np.sign(ones[0])).all()
    named = [name for text in plane.curves[0].texts for name in text.replace(") (", ")|(").split("|") if name]
    assert sorted(named) == ["(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)"]
    # (0, 1) + (1, 0) = (0, 0) + (1, 1): a score that is linear in the inputs cannot be above 0 on the left
    # alone. That of two hidden units is, and theirs are no longer such a parallelogram.
    sums = [points.sum(axis=0) for points in plane.ground.points.values()]
    assert np.abs(sums[0] - sums[1]).max() > 0.5


def zeros_and_ones(plane):
    return np.concatenate([*plane.ground.points.values()])


@pytest.mark.parametrize("seed", [0, 1])
def test_logistic_is_an_s_over_the_weighted_sum(seed):
    result = run("logistic", seed)
    loss, plane, s = result.figure.panels
    zeros, ones, curve = s.curves
    np.testing.assert_allclose(curve.y, 1 / (1 + np.exp(-np.array(curve.x))), rtol=1e-9)
    w1, w2, b = result.rows[-1][3:]
    for marks, t, points in zip((zeros, ones), (0, 1), plane.ground.points.values(), strict=True):
        np.testing.assert_allclose(np.sort(marks.x), np.sort(points @ [w1, w2] + b), rtol=1e-9)
        assert marks.points
        assert set(marks.y) == {t}
    assert (np.diff(loss.curves[0].y) < 0).all()
    drawn = dict(zip(loss.curves[0].x, loss.curves[0].y, strict=True))
    for epochs, value, _, *weights in result.rows:
        p = 1 / (1 + np.exp(-(zeros_and_ones(plane) @ weights[:2] + weights[2])))
        t = np.repeat([0, 1], [len(points) for points in plane.ground.points.values()])
        assert value == pytest.approx(-np.log(np.where(t == 1, p, 1 - p)).mean(), rel=1e-9)
        assert drawn.get(epochs, value) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_softmax_shares_out_the_plane_and_sigmoids_overlap_and_leave_white(seed):
    softmax, sigmoid = (panel.ground for panel in run("classes", seed).figure.panels)
    claims = [(regions.margins > 0).sum(axis=-1) for regions in (softmax, sigmoid)]
    assert (claims[0] == 1).mean() > 0.99  # but for ties
    assert {0, 1, 2} <= set(np.unique(claims[1]))


def test_the_asked_points_say_who_claims_them_as_the_table_does():
    result = run("classes")
    for panel, output in zip(result.figure.panels, ("softmax", "sigmoid"), strict=True):
        asked = panel.curves[0]
        rows = [row for row in result.rows if row[1] == output]
        for text, (name, _, *p, total) in zip(asked.texts, rows, strict=True):
            claims = [p.index(max(p))] if output == "softmax" else [i for i in range(3) if p[i] > 0.5]
            assert text == f"{name[0]}: {' and '.join(str(i + 1) for i in claims) or 'none'}"
            assert total == pytest.approx(sum(p))
        x1, x2 = panel.ground.x1, panel.ground.x2
        assert all(x1[0] < x < x1[-1] and x2[0] < y < x2[-1] for x, y in zip(asked.x, asked.y, strict=True))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_softmax_is_least_sure_at_c_which_no_sigmoid_claims_and_overlaps_say_whose_they_are(seed):
    result = run("classes", seed)
    _, sigmoid = result.figure.panels
    [p] = [row[2:5] for row in result.rows if row[:2] == (list(ASKED)[2], "softmax")]
    assert max(p) < 0.5
    assert sigmoid.curves[0].texts[2] == "C: none"
    words = sigmoid.curves[1]
    said = [text.rpartition(": ")[2] for text in [*sigmoid.curves[0].texts, *words.texts]]
    assert said.count("1 and 2") == 1
    for x, y, text in zip(words.x, words.y, words.texts, strict=True):
        claims = [where(sigmoid.ground, np.array([[x, y]]), i)[0] > 0 for i in range(3)]
        assert text == " and ".join(str(i + 1) for i in range(3) if claims[i])


def test_a_good_start_decides_every_corner_and_a_stuck_one_does_not(rules):
    result = run("minima")
    (_, good, _), (_, stuck, _) = rules
    sure = [np.where(XOR == 1, p, 1 - p).min() for p in (good(CORNERS)[:, 0], stuck(CORNERS)[:, 0])]
    assert sure[0] > 0.99
    assert sure[1] < 0.6
    loss, ends, *planes = result.figure.panels
    assert len(loss.curves) == len(result.rows)
    for curve, row in zip(loss.curves, result.rows, strict=True):
        assert curve.label.endswith(f": ends at {row[0]:.2g}")
        assert row[0] == pytest.approx(row[2], rel=0.05)
        assert curve.y[-1] == pytest.approx(row[2], rel=0.01)
    # It stays there: the last tenth of the epochs, and all of those that end higher.
    for curve in loss.curves[1:]:
        assert curve.y[-1] > 0.99 * curve.y[-50]
    [marks] = ends.curves
    assert (np.diff(marks.y) >= 0).all()
    assert len(planes) == 2
    for plane, network in zip(planes, (good, stuck), strict=True):
        [corners] = plane.curves
        np.testing.assert_array_equal(np.column_stack([corners.x, corners.y]), CORNERS)
        said = [float(text.removeprefix("p = ")) for text in corners.texts]
        np.testing.assert_allclose(said, network(CORNERS)[:, 0], atol=0.0051)


def test_what_units_add_is_the_network():
    functions, parts, _ = run("approximation").figure.panels
    whole, *units = parts.curves
    assert len(units) == 4
    bias = np.array(whole.y) - np.sum([unit.y for unit in units], axis=0)
    np.testing.assert_allclose(bias, bias[0], atol=1e-9)
    drawn = {curve.label: curve for curve in functions.curves}
    np.testing.assert_array_equal(drawn["4 units"].y, whole.y)
    # Each unit takes one step: it never turns.
    assert all(len(set(np.sign(np.diff(unit.y)))) == 1 for unit in units)
    x, y = np.array(drawn["the wave, every 3rd row"].x), np.array(drawn["the wave, every 3rd row"].y)
    np.testing.assert_allclose(y, np.sin(2 * np.pi * x) + x / 2, atol=1e-12)
    near = np.interp(x, drawn["16 units"].x, drawn["16 units"].y)
    assert np.abs(near - y).max() < 0.02


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gradients_vanish_and_explode_with_the_depth_and_vanish_on_the_way_back(seed):
    of_first, of_layers = run("vanishing", seed).figure.panels
    first, by_layer = (
        {curve.label: np.array(curve.y) for curve in each.curves} for each in (of_first, of_layers)
    )
    depths = np.array(of_first.curves[0].x)
    for name, factor in (("sigmoid", 1 / 2.5), ("relu, weights x 2", 2.5)):
        a_layer = (first[name][-1] / first[name][0]) ** (1 / (depths[-1] - depths[0]))
        assert (a_layer < factor) if factor < 1 else (a_layer > factor)
    # The sigmoid's, over any five layers; those of weights of the right size arrive.
    assert (by_layer["sigmoid"][5:] > by_layer["sigmoid"][:-5]).all()
    for name in ("tanh", "relu"):
        assert by_layer[name].max() < 50 * by_layer[name].min()
    assert by_layer["relu, weights x 2"].min() > 1e6 * by_layer["relu"].max()


# Drawing


def test_a_legend_is_drawn_once_in_a_row_of_panels_with_the_same():
    points = {"a": np.array([[0.0, 0.0]]), "b": np.array([[1.0, 1.0]])}
    same = Panel("p", "x", "y", ground=Regions.of_scores(lambda rows: rows[:, 0] - 0.5, points))
    other = Panel("q", "x", "y", [Curve("a", [0, 1], [0, 1]), Curve("b", [0, 1], [1, 0])])
    drawn = draw_figure(Figure("f", [other, same, same, same, other]))
    assert [axes.get_legend() is not None for axes in drawn.axes] == [True, False, True, True, True]


def test_shades_and_marks_of_classes_differ_without_colour():
    light = sorted(float(grey(shade)) for shade, _ in zip(shades(), CLASSES, strict=False))
    assert min(b - a for a, b in pairwise(light)) > 0.02
    assert light[0] > 0.5
    first = [float(grey(shade)) for shade, _ in zip(shades(), range(3), strict=False)]
    assert min(abs(a - b) for a, b in combinations(first, 2)) > 0.1


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1, 3.3], [0.31, 0.36]),
        ([1, 20], [0.03, 0.5]),
        ([1, 2, 100, 101, 102], [0.3, 0.9, 0.5, 0.3, 0.4]),
        ([1, 2, 4, 8, 16, 32, 64, 128, 256, 512], [1e-3, 2.0] * 5),
        ([0.01, 400], [2e-4, 5e5]),
        (list(range(1, 900)), [2e-3 + 1e-3 * x for x in range(1, 900)]),
        ([5, 7], [0.5, 0.5]),
    ],
)
def test_labels_of_logarithmic_axes_are_plain_and_do_not_overlap(x, y):
    canvas = draw_figure(Figure("f", [Panel("p", "x", "y", [Curve("c", x, y)], log_x=True, log_y=True)]))
    canvas.draw_without_rendering()
    [axes] = canvas.axes
    for axis, ends in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        shown = [
            tick.label1
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            if tick.label1.get_text() and ends[0] <= tick.get_loc() <= ends[1]
        ]
        assert 2 <= len(shown) <= 12
        for label in shown:
            assert float(label.get_text().replace(",", "")) > 0
        boxes = [label.get_window_extent() for label in shown]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_where_a_score_is_its_threshold_the_answer_is_the_first():
    points = {"a": np.array([[0.0, 0.0]]), "b": np.array([[1.0, 1.0]])}
    regions = Regions.of_scores(lambda rows: np.zeros(len(rows)), points)
    np.testing.assert_array_equal(regions.shades, np.tile([1.0, 0.0], (*regions.margins.shape[:2], 1)))


def test_a_film_keeps_colours_that_only_a_frame_in_its_middle_has(tmp_path):
    """That of a thin line; the background stays white."""

    def frame(number):
        score = np.eye(3)[[number % 2]]
        points = {name: np.array([[0.0, i], [1.0, i]]) for i, name in enumerate("abc")}
        ground = Regions.of_scores(lambda rows: np.tile(score, (len(rows), 1)), points)
        lines = [Curve(str(i), [0, 1], [i, number]) for i in range(3 if number == 2 else 2)]
        return Figure("f", [Panel("p", "x", "y", lines, ground=ground), Panel("q", "x", "y", lines)])

    film = Film(frame, 5)
    for name in ("film.gif", "again.gif"):
        save_film(film, tmp_path / name)
    assert (tmp_path / "film.gif").read_bytes() == (tmp_path / "again.gif").read_bytes()
    from PIL import Image

    own = []
    with Image.open(tmp_path / "film.gif") as picture:
        assert picture.n_frames == 5
        for number in range(5):
            picture.seek(number)
            found = np.asarray(picture.convert("RGB")).astype(int)
            drawn = as_pixels(frame(number))[..., :3].astype(int)
            assert found.shape == drawn.shape
            assert np.abs(found - drawn).max() < 16
            assert (found[0, 0] == 255).all()
            own.append({tuple(colour) for colour in drawn.reshape(-1, 3)})
    orange = (213, 94, 0)
    assert [orange in colours for colours in own] == [False, False, True, False, False]


def test_pixels_are_those_of_the_png():
    from io import BytesIO

    from PIL import Image

    figure = Figure("f", [Panel("p", "x", "y", [Curve("c", [0, 1], [0, 1])])])
    with Image.open(BytesIO(as_png(figure))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), as_pixels(figure))


def test_words_lie_inside_the_axes_and_only_crosses_are_in_the_legend():
    points = {"a": np.array([[0.0, 0.0]]), "b": np.array([[1.0, 1.0]])}
    regions = Regions.of_scores(lambda rows: rows[:, 0] - 0.5, points)
    ends = [0.0, 1.0], [0.0, 1.0]
    curves = [Curve("words", *ends, texts=["left", "right"]), Curve("asked", *ends, True, texts=["A", "B"])]
    canvas = draw_figure(Figure("f", [Panel("p", "x", "y", curves, ground=regions)]))
    canvas.draw_without_rendering()
    [axes] = canvas.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b", "asked"]
    assert [text.get_text() for text in axes.texts] == ["left", "right", "A", "B"]
    box = axes.get_window_extent()
    for text in axes.texts:
        extent = text.get_window_extent()
        assert box.x0 <= extent.x0 <= extent.x1 <= box.x1
