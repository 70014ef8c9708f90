"""What objects show of themselves in a notebook: HTML that holds anything, and never raises or prints."""

import re
import subprocess
import sys
import warnings
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from fuseprop import Activation, GeneticSearch, History, Network, Perceptron, load_backend, mlp
from fuseprop.genetic import Evolution
from fuseprop.learn import TOPICS, Result
from fuseprop.plots import Curve, Figure, Panel
from fuseprop.plots.drawing import as_html
from fuseprop.showing import lines, paragraph, section, sparkline, table

HOSTILE = '<script>alert("x")</script>&\x1b[2J\u202e'
ALLOWED = {
    *("section", "h4", "p", "pre", "table", "thead", "tbody", "tr", "th", "td", "img"),
    *("figure", "figcaption", "svg", "g", "path", "polyline", "circle", "text", "details", "summary"),
}
VOID = {"img"}
LOOKS = re.compile("none|currentColor|text-align:(left|right)|max-width:100%|")


class Page(HTMLParser):
    """The elements of a piece of HTML, its text and its cells; raises where it is no tree."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text, self.cells = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)

    @property
    def said(self):
        return " ".join(" ".join(self.text).split())


def page(shown):
    """What an object shows, of which the rules hold that all have in common."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        html = shown if isinstance(shown, str) else shown._repr_html_()
    read = Page(html)
    assert {tag for tag, _ in read.elements} <= ALLOWED
    for _, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert "href" not in attributes
        for where in ("fill", "stroke", "style"):  # no colour but the text's own
            assert LOOKS.fullmatch(attributes.get(where, ""))
    assert "\x1b" not in html
    assert "\u202e" not in html
    return read


def network(**options):
    return Network(mlp([2, 3, 1], "tanh"), "sigmoid_cross_entropy", device="cpu", seed=0, **options)


X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


@pytest.fixture(autouse=True)
def _silent(capsys):
    """Nothing prints."""
    yield
    assert capsys.readouterr() == ("", "")


# The pieces


def test_all_text_is_escaped():
    for piece in (
        section(HOSTILE),
        paragraph(HOSTILE),
        lines(HOSTILE),
        table([HOSTILE], [[HOSTILE]]),
        sparkline({HOSTILE: [1.0, 2.0]}, HOSTILE, HOSTILE),
    ):
        assert '<script>alert("x")</script>&' in page(piece).said


def test_a_table_has_its_cells_in_six_digits():
    read = page(table(("name", "value"), [("a", 1 / 3), ("b", 12), ("c", float("nan"))]))
    assert read.cells == ["name", "value", "a", "0.333333", "b", "12", "c", "nan"]
    assert [tag for tag, _ in read.elements].count("tr") == 4


def points(html):
    """The corners of each curve of a sparkline."""
    return [
        np.array([[float(number) for number in point.split(",")] for point in curve.split()])
        for curve in re.findall(r'<polyline[^>]* points="([^"]*)"', html)
    ]


def test_a_sparkline_has_its_lowest_and_highest_points():
    """Of many numbers too, where one of them alone stands out."""
    curve = np.exp(-np.arange(500) / 100)
    curve[333], curve[334] = 1e-4, 20.0
    (drawn,) = points(sparkline({"training": curve}, "epoch", "loss"))
    assert len(drawn) <= 58
    for place, at in ((333, drawn[:, 1].argmax()), (334, drawn[:, 1].argmin())):
        width = drawn[-1, 0] - drawn[0, 0]
        assert drawn[at, 0] == pytest.approx(drawn[0, 0] + width * place / 499, abs=1)
    assert (np.diff(drawn[:, 0]) >= 0).all()


def test_a_falling_curve_falls_and_curves_differ_without_colour():
    html = sparkline({"training": [8.0, 4.0, 2.0, 1.0], "validation": [8.0, 8.0]}, "epoch", "loss")
    falling, level = points(html)
    np.testing.assert_allclose(np.diff(falling[:, 1]), falling[1, 1] - falling[0, 1], atol=1)  # logarithmic
    assert falling[1, 1] > falling[0, 1]
    assert level[0, 1] == level[1, 1]
    assert html.count("stroke-dasharray") == 1
    assert "loss by epoch, logarithmic: training (line), validation (dashes)" in page(html).said


@pytest.mark.parametrize("curve", [[], [1.0], [np.nan, np.inf], [np.nan, 1.0], [np.inf] * 9], ids=str)
def test_a_sparkline_needs_two_numbers(curve):
    assert sparkline({"training": curve}, "epoch", "loss") == ""


@pytest.mark.parametrize(
    "curve", [[0.0, 0.0], [5.0, 5.0], [-1.0, np.inf, 3.0], [1e-300, 1e300], [1.0, np.nan, 2.0]]
)
def test_a_sparkline_of_any_numbers_stays_in_its_plane(curve):
    html = sparkline({"training": curve}, "epoch", "loss")
    (drawn,) = points(html)
    assert len(drawn) == np.isfinite(curve).sum()
    assert (drawn >= 0).all()
    assert drawn.max() <= 320
    said = page(html).said
    assert ("1 not finite, left out" in said) == (not np.isfinite(curve).all())
    assert ("logarithmic" in said) == (np.nanmin(curve) > 0)


# The objects


def test_a_network_shows_its_layers_and_where_it_is():
    read = page(network(dtype="float64"))
    assert read.cells == [
        *("layer", "inputs", "outputs", "activation", "parameters"),
        *("1", "2", "3", "tanh", "9"),
        *("2", "3", "1", "identity", "4"),
    ]
    assert "loss sigmoid_cross_entropy; 13 parameters in float64 on cpu (numpy)" in read.said


def test_names_of_a_user_are_text():
    named = Activation("square of (z)", lambda z: z * z)
    assert "square of (z)" in page(Network(mlp([2, 2, 1], named), "half_squared_error", device="cpu")).cells
    history = History(HOSTILE, [1.0, 0.5], [0.0, 1.0], stop_reason=HOSTILE)
    assert page(history).said.count("alert") >= 2


def test_a_history_shows_its_best_and_its_last_epoch_and_its_losses():
    learner = network()
    history = learner.fit(X, T, epochs=7, validation=(X, T), norms=True)
    history.best_epoch = 5
    read = page(history)
    columns = ["", *(name for name in history.entry() if "norm" not in name)]
    assert read.cells[: len(columns) - 1] == columns[1:]  # the first has no text
    assert "best 5" in read.said
    assert "last 7" in read.said
    history.best_epoch = 7
    assert "best, last 7" in page(history).said
    assert f"{history.train_loss[-1]:.6g}" in read.cells
    assert "ended: finished" in read.said
    assert "training (line), validation (dashes)" in read.said
    assert not [cell for cell in read.cells if "norm" in cell]


@pytest.mark.parametrize("epochs", [1, 10, 1000])
def test_a_history_stays_small(epochs):
    rng = np.random.default_rng(0)
    losses, others = (rng.random(epochs).tolist() for _ in range(2))
    history = History("loss", losses, losses, others, others, best_epoch=1)
    svg = re.search("<svg.*</svg>", history._repr_html_(), re.DOTALL)
    assert svg is None or len(svg[0]) <= 2048
    assert (svg is None) == (epochs == 0)


def histories():
    yield History("accuracy")
    yield History("accuracy", [np.nan], [np.nan], stop_reason="diverged")
    yield History("loss", [1.0, np.inf], [1.0, np.inf], best_epoch=1)
    yield History("accuracy", [0.0], [1.0], best_epoch=3)
    yield History("r2", [1.0, 2.0], [0.5, 0.1], halvings=[{"epoch": 2, "learning_rate": 0.1}], best_epoch=1)


@pytest.mark.parametrize("history", list(histories()), ids=lambda history: str(history.train_loss))
def test_a_history_of_any_kind_shows_itself(history):
    read = page(history)
    assert ("no epoch yet" in read.said) == (not history.epochs)
    assert ("halved 1 time" in read.said) == bool(history.halvings)


def test_a_perceptron_shows_its_line():
    perceptron = Perceptron(seed=0, device="cpu")
    assert "no weights yet" in page(perceptron).said
    perceptron.fit(X, [0, 0, 0, 1])
    weights, bias = perceptron.weights()
    read = page(perceptron)
    assert read.cells == ["w1", "w2", "bias", *(f"{number:.6g}" for number in (*weights, bias))]
    assert perceptron.boundary() in read.said
    assert f"0 mistakes in the last of {len(perceptron.mistakes)} epochs" in read.said


def test_a_perceptron_of_many_features_shows_some():
    perceptron = Perceptron(seed=0, device="cpu")
    perceptron.fit(np.eye(2, 100), [0, 1])
    read = page(perceptron)
    assert "88 more weights" in read.said
    assert len(read.cells) == 26


@pytest.mark.parametrize("topic", ["line", "example"])
def test_a_result_shows_its_table_its_picture_and_what_to_see(topic):
    result = TOPICS[topic](load_backend("cpu", "float64"), 0)
    read = page(result)
    assert read.cells[: len(result.columns)] == list(result.columns)
    assert " ".join(result.see.split()) in read.said
    assert " ".join(result.text.split()) in read.said
    (picture,) = [attributes for tag, attributes in read.elements if tag == "img"]
    assert picture["alt"] == result.figure.title


def test_hostile_results_are_text():
    curve = Curve(HOSTILE, [1.0, 2.0], [1.0, np.nan])
    figure = Figure(HOSTILE, [Panel(HOSTILE, HOSTILE, HOSTILE, [curve])])
    result = Result(HOSTILE, (HOSTILE,), [(HOSTILE,), (np.nan,)], figure, HOSTILE, HOSTILE)
    assert page(result).said.count("alert") == 5
    page(Result("nothing", (), [], Figure("none"), ""))


def test_a_figure_that_cannot_be_drawn_says_so():
    """Without matplotlib, and where it fails."""
    script = """
import sys
sys.modules["matplotlib"] = None
from fuseprop.plots import Curve, Figure, Panel
from fuseprop.plots.drawing import as_html
print(as_html(Figure("any", [Panel("p", "x", "y", [Curve("c", [1], [1])])])))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("<p>Not drawn: pictures need matplotlib")
    assert "install" in done.stdout
    assert page(as_html(Figure("x", [object()]))).said.startswith("Not drawn: ")


def test_a_figure_of_a_history_is_matplotlibs_own():
    from matplotlib.figure import Figure as Canvas

    figure = network().fit(X, T, epochs=3).plot()
    assert type(figure) is Canvas
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_trace_shows_its_layers_and_the_chain_rule():
    small = network(dtype="float64").trace(X[1:2], T[1:2])
    read = page(small)
    assert read.cells[:4] == ["layer", "inputs", "units", "f"]
    assert read.cells[9:13] == ["1", "2", "3", "tanh"]
    assert f"{np.linalg.norm(small.dW[1]):.6g}" in read.cells
    assert " ".join(small.explain().split()) in read.said
    assert f"sigmoid_cross_entropy over 1 row: L = {small.loss:.6g}" in read.said


def test_a_trace_of_rows_and_one_of_a_large_network_stay_small():
    wide = Network(mlp([64, 64, 10], "relu"), "softmax_cross_entropy", device="cpu", seed=0)
    rows = np.random.default_rng(0).random((50, 64))
    for trace in (network().trace(X, T), wide.trace(rows[:1], [3]), wide.trace(rows, np.arange(50) % 10)):
        read = page(trace)
        below = trace.explain().splitlines()[2 + len(trace.layers) :]
        assert below
        assert " ".join(" ".join(below).split()) in read.said
        assert len(trace._repr_html_()) < 10_000


def test_a_trace_of_numbers_that_are_not_finite_shows_them():
    exploding = Network(mlp([1, 1, 1], "exponential"), "half_squared_error", device="cpu", seed=0)
    exploding.set_weights([([[1e38]], [0.0]), ([[1.0]], [0.0])])
    read = page(exploding.trace([[1.0]], [0.0]))
    assert {"inf", "nan"} & set(read.cells)
    assert "nothing went through" in page(replace(network().trace(X, T), layers=[])).said


def test_a_genetic_search_shows_how_far_it_came():
    assert "no generation yet" in page(Evolution()).said
    search = GeneticSearch(population=6, seed=0)
    evolution = search.fit(network(), X, T, generations=3)
    read = page(evolution)
    assert f"{evolution.best_loss[-1]:.6g}" in read.cells
    assert str(evolution.evaluations[-1]) in read.cells
    assert "best (line), mean (dashes)" in read.said
