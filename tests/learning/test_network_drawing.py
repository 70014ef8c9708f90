"""Drawn networks: every number is the trace's, no two texts meet, and what cannot be read is refused."""

import re
import sys

import numpy as np
import pytest

from fuseprop import Dense, MomentumSGD, Network, load_backend, mlp
from fuseprop.inspection.drawing import backward_draft, forward_draft, pass_figure
from fuseprop.installing import how_to_install
from fuseprop.learn import TOPICS
from fuseprop.plots import PlotsUnavailable, draw_figure, lay_out
from fuseprop.plots.diagram import FONT, text_width
from fuseprop.schedules import Constant

NUMBER = r"-?(?:\d[\d.]*(?:e[-+]\d+)?|inf|nan)"
SIZES = {"3-1-1": (3, 1, 1), "2-2-1": (2, 2, 1), "2-3-2": (2, 3, 2), "4-4-4-2": (4, 4, 4, 2)}


def network_for(sizes, backend, loss="half_squared_error", **options):
    layers = mlp(list(sizes), "tanh", **options)
    network = Network(layers, loss, seed=3, backend=backend)
    rng = np.random.default_rng(0)
    network.set_weights([(w, rng.normal(size=b.shape)) for w, b in network.weights()])
    return network


def row_for(sizes):
    rng = np.random.default_rng(1)
    return rng.normal(size=(1, sizes[0])), rng.normal(size=(1, sizes[-1]))


def numbers_in(node):
    """The numbers of a box by name."""
    return dict(re.findall(rf"(\S+) = ({NUMBER})$", "\n".join(node.lines), re.MULTILINE))


def close(text, value):
    return float(text) == pytest.approx(float(value), rel=1e-3, abs=1e-300)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_the_numbers_forward_are_the_traces(backend64, sizes):
    x, t = row_for(sizes)
    trace = network_for(sizes, backend64).trace(x, t)
    (diagram,) = lay_out([forward_draft(trace)])
    nodes, edges = iter(diagram.nodes), iter(diagram.edges)
    for i, value in enumerate(x[0], 1):
        assert close(numbers_in(next(nodes))[f"x{i}"], value)
    for number, layer in enumerate(trace.layers, 1):
        for j in range(len(layer.bias)):
            found = numbers_in(next(nodes))
            assert close(found[f"b{number}.{j + 1}"], layer.bias[j])
            assert close(found[f"z{number}.{j + 1}"], layer.z[0, j])
            assert close(found[f"a{number}.{j + 1}"], layer.a[0, j])
        for weight in layer.weights.ravel():
            edge = next(edges)
            assert close(edge.text, weight)
            assert np.sign(edge.strength) == np.sign(weight)
            assert abs(edge.strength) == pytest.approx(abs(weight) / np.abs(layer.weights).max())
    found = numbers_in(next(nodes))
    assert close(found["L"], trace.loss)
    assert all(close(found[f"t{j}"], value) for j, value in enumerate(t[0], 1))
    assert [edge.text for edge in edges] == [""] * sizes[-1]


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_the_numbers_backward_are_the_traces(backend64, sizes):
    x, t = row_for(sizes)
    trace = network_for(sizes, backend64).trace(x, t)
    (diagram,) = lay_out([backward_draft(trace)])
    nodes, edges = iter(diagram.nodes[sizes[0] :]), iter(diagram.edges)
    for number, layer in enumerate(trace.layers, 1):
        for j in range(len(layer.bias)):
            node = next(nodes)
            assert f"dL/dz{number}.{j + 1} = dL/db{number}.{j + 1}" in node.lines
            assert close(node.lines[-1].removeprefix("= "), layer.delta[0, j])
            assert close(node.lines[-1].removeprefix("= "), layer.db[j])
            if number < len(trace.layers):
                assert close(numbers_in(node)[f"f'(z{number}.{j + 1})"], 1 - layer.a[0, j] ** 2)
        for gradient in layer.dW.ravel():
            edge = next(edges)
            assert close(edge.text, gradient)
            assert edge.begin[0] > edge.end[0], "arrows point back"
    for sent in trace.output_gradient[0]:
        assert close(next(edges).text, sent)


@pytest.mark.parametrize(
    ("loss", "target", "name"),
    [
        ("sigmoid_cross_entropy", [[1.0, 0.0]], "p"),
        ("softmax_cross_entropy", [1], "p"),
        ("half_poisson_deviance", [[3.0, 0.0]], "y"),
    ],
)
def test_predictions_stand_behind_a_link(backend64, loss, target, name):
    network = network_for((2, 3, 2), backend64, loss)
    (diagram,) = lay_out([forward_draft(network.trace([[1.0, -2.0]], target))])
    for j, node in enumerate(diagram.nodes[-3:-1]):
        assert close(numbers_in(node)[f"{name}{j + 1}"], network.predict([[1.0, -2.0]])[0, j])
    wanted = [0.0, 1.0] if loss == "softmax_cross_entropy" else target[0]
    assert [float(numbers_in(diagram.nodes[-1])[f"t{j}"]) for j in (1, 2)] == wanted


# Where everything is


def overlaps(a, b):
    return min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_no_two_texts_meet(sizes):
    """As measured on the drawn picture, whose boxes also hold their lines."""
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.patches import FancyBboxPatch

    x, t = row_for(sizes)
    figure = network_for(sizes, load_backend("cpu", "float64")).draw(x, t)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    assert len(figure.axes) == 2
    for axes in figure.axes:
        texts = [text.get_window_extent(renderer) for text in axes.texts if text.get_text()]
        rectangles = [patch.get_window_extent(renderer) for patch in axes.patches
                      if isinstance(patch, FancyBboxPatch)]  # fmt: skip
        assert len(rectangles) == sum(sizes) + 1
        for i, a in enumerate(texts):
            assert not any(overlaps(a, b) for b in texts[i + 1 :])
            # Each text lies within one box and touches no other: an arrow's touches none.
            touched = [box for box in rectangles if overlaps(a, box)]
            assert len(touched) <= 1
            for box in touched:
                assert box.x0 <= a.x0
                assert a.x1 <= box.x1
                assert box.y0 <= a.y0
                assert a.y1 <= box.y1
            assert figure.bbox.x0 <= a.x0
            assert a.x1 <= figure.bbox.x1


def test_texts_are_no_wider_than_was_thought():
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=72)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for text in ("-0.0004459", "dL/dz1.1 = dL/db1.1", "f'(z1.1) = 0.1826", "a2.2 = -1.234e-05", "L = nan"):
        width = figure.text(0, 0, text, fontsize=FONT).get_window_extent(renderer).width / 72
        assert width < text_width(text) < 1.4 * width


def test_texts_lie_on_their_arrows(backend64):
    x, t = row_for((2, 3, 2))
    for diagram in lay_out([forward_draft(network_for((2, 3, 2), backend64).trace(x, t))]):
        for edge in diagram.edges:
            (x0, y0), (x1, y1), (x, y) = edge.begin, edge.end, edge.place
            part = (x - x0) / (x1 - x0)
            assert 0 < part < 1
            assert y == pytest.approx(y0 + part * (y1 - y0))


def test_all_panels_have_their_boxes_at_the_same_places(backend64):
    x, t = row_for((2, 2, 1))
    network = network_for((2, 2, 1), backend64)
    figure = pass_figure(network.trace(x, t), network.trace(x, t), 0.1)
    places = [[(node.x, node.y, node.width) for node in panel.ground.nodes] for panel in figure.panels]
    assert places[0] == places[1] == places[2]


def test_signs_and_sizes_show_without_colour():
    pytest.importorskip("matplotlib")
    network = Network([Dense(2, 1, "identity", weights=[[-1.0], [0.25]])], "half_squared_error",
                      backend=load_backend("cpu", "float64"))  # fmt: skip
    axes = network.draw([[1.0, 1.0]]).axes[0]
    negative, positive = (text.arrow_patch for text in axes.texts if getattr(text, "arrow_patch", None))
    assert negative.get_linestyle() != "-"
    assert positive.get_linestyle() == "-"
    assert negative.get_linewidth() > 1.5 * positive.get_linewidth()


# Network.draw


def test_without_a_target_the_pass_forward_alone_is_drawn(backend):
    pytest.importorskip("matplotlib")
    network = network_for((2, 2, 1), backend)
    x, t = row_for((2, 2, 1))
    (axes,) = network.draw(x).axes
    words = "\n".join(text.get_text() for text in axes.texts)
    trace = network.trace(x, t)
    for number, layer in enumerate(trace.layers, 1):
        for j in range(len(layer.bias)):
            assert (
                f"z{number}.{j + 1} = {layer.z[0, j]:.4g}\na{number}.{j + 1} = {layer.a[0, j]:.4g}" in words
            )
    assert "L = " not in words
    assert [axes.get_title() for axes in network.draw(x, t).axes] == [
        "forward: on each arrow its weight w",
        "backward: on each arrow dL/dw; from the loss dL/dz",
    ]


def test_a_network_of_steps_is_drawn_forward_alone(backend64):
    """xor by two thresholds: there is no slope to go back along."""
    pytest.importorskip("matplotlib")
    hidden = Dense(2, 2, "step", weights=np.ones((2, 2)), bias=[-0.5, -1.5])
    output = Dense(2, 1, "step", weights=[[1.0], [-2.0]], bias=[-0.5])
    network = Network([hidden, output], "half_squared_error", backend=backend64)
    for x, answer in (([0, 0], 0), ([1, 0], 1), ([0, 1], 1), ([1, 1], 0)):
        (axes,) = network.draw([x]).axes
        assert any(f"a2.1 = {answer}" in text.get_text() for text in axes.texts)
    with pytest.raises(ValueError, match="slope"):
        network.draw([[1, 0]], [[1]])


def test_after_a_step_the_weights_are_those_of_gradient_descent(backend64):
    pytest.importorskip("matplotlib")
    network, x, t = network_for((2, 3, 2), backend64), *row_for((2, 3, 2))
    kept = network.weights()
    axes = network.draw(x, t, 0.25).axes[2]
    for (w, b), (v, c) in zip(network.weights(), kept, strict=True):
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(b, c)
    before = network.trace(x, t).loss
    network.train_step(x, t, MomentumSGD(0.25, momentum=0.0))
    after = network.trace(x, t)
    drawn = [text.get_text() for text in axes.texts]
    for weight in np.concatenate([layer.weights.ravel() for layer in after.layers]):
        assert f"{weight:.4g}" in drawn
    assert axes.get_title() == f"after w - 0.25 dL/dw: L = {after.loss:.4g}, before {before:.4g}"


def test_dropout_is_left_out_of_the_step(backend64):
    pytest.importorskip("matplotlib")
    plain, dropping = (network_for((2, 3, 1), backend64, dropout=rate) for rate in (0.0, 0.9))
    x, t = row_for((2, 3, 1))
    titles = [network.draw(x, t, 0.1).axes[2].get_title() for network in (plain, dropping)]
    assert titles[0] == titles[1]


def test_numbers_that_overflow_are_drawn(backend64):
    pytest.importorskip("matplotlib")
    layers = [Dense(1, 1, "identity", weights=[[1e200]]), Dense(1, 1, "identity", weights=[[1e200]])]
    figure = Network(layers, "half_squared_error", backend=backend64).draw([[1.0]], [[0.0]], 1.0)
    assert "inf" in figure.axes[2].get_title()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0], [3.0, 4.0]],), r"one row is drawn.*got 2 rows.*X\[:1\]"),
        (([[1.0, 2.0]], None, 0.1), "a step needs a target"),
        (([[1.0, 2.0]], [[1.0]], -0.1), "learning_rate must be a number above 0, got -0.1"),
        (([[1.0, 2.0]], [[1.0]], Constant(0.1)), "learning_rate must be a number above 0, got Constant"),
        (([[1.0, 2.0]], [[1.0, 2.0]]), "1 output"),
        (([[1.0]],), "2"),
    ],
)
def test_wrong_use_is_refused(backend64, arguments, message):
    network = network_for((2, 2, 1), backend64)
    kept = network.weights()
    with pytest.raises(ValueError, match=message):
        network.draw(*arguments)
    np.testing.assert_array_equal(network.weights()[0][0], kept[0][0])


@pytest.mark.parametrize("sizes", [(9, 1), (2, 5, 4, 1), (1,) * 8])
def test_what_is_too_large_to_be_read_is_refused(backend64, sizes):
    network = network_for(sizes, backend64)
    with pytest.raises(ValueError, match=rf"got {'-'.join(map(str, sizes))}\..*explain"):
        network.draw(np.ones((1, sizes[0])))


def test_whatever_is_not_refused_can_be_laid_out(backend64):
    for sizes in ((8, 5), (5, 8), (5, 4, 5), (4, 5, 4), (6, 6, 0)[:2], (1, 8, 4), (8, 1, 8, 1, 8)):
        network = network_for(sizes, backend64)
        network.set_weights([(-1e-5 * np.abs(w) - 1.2345e-5, b) for w, b in network.weights()])
        trace = network.trace(np.ones((1, sizes[0])), np.zeros((1, sizes[-1])))
        assert lay_out([forward_draft(trace), backward_draft(trace)])


def test_without_matplotlib_the_extra_is_named(backend64, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PlotsUnavailable, match=re.escape(how_to_install("plots"))):
        network_for((2, 2, 1), backend64).draw([[1.0, 2.0]])


# The topic


def test_the_worked_example_is_drawn_with_the_numbers_of_its_table(backend64):
    result = TOPICS["example"](backend64, 0)
    forward, backward, after, error = result.figure.panels
    value = {what.partition(" = ")[0]: number for what, number in result.rows}
    edges = [float(edge.text) for edge in forward.ground.edges[:4]]
    assert edges == [0.01, 0.02, 0.03, 0.02]
    slopes = [value[f"dE/dw{i}"] for i in (1, 2, 3, 4)]
    assert [float(edge.text) for edge in backward.ground.edges[:4]] == pytest.approx(slopes, rel=1e-3)
    new = [value[f"w{i} - 0.3 dE/dw{i}"] for i in (1, 2, 3, 4)]
    assert [float(edge.text) for edge in after.ground.edges[:4]] == pytest.approx(new, rel=1e-3)
    hidden, output = (numbers_in(node) for node in forward.ground.nodes[3:5])
    assert close(hidden["a1.1"], value["O1"])
    assert close(output["a2.1"], value["O2"])
    assert (np.diff(error.curves[0].y) < 0).all()
    assert error.curves[0].y[0] == value["E"]


def test_its_film_goes_forward_and_back_and_ends_with_new_weights(backend64):
    result = TOPICS["example"](backend64, 0)
    frames = [result.film.frame(number) for number in range(result.film.count)]
    titles = [frame.panels[0].title.partition(":")[0] for frame in frames]
    assert titles[:3] == ["after 0 steps, forward", "after 0 steps, backward", "after 1 step, forward"]
    assert [len(frame.panels[1].curves[0].y) for frame in frames] == [1, 1, 2, 2, 3, 3, 4]
    assert len({(frame.panels[0].ground.width, frame.panels[0].ground.height) for frame in frames}) == 1
    first, last = frames[0].panels[0].ground, frames[-1].panels[0].ground
    assert [edge.text for edge in first.edges] != [edge.text for edge in last.edges]


def test_its_frames_can_be_drawn(backend64):
    pytest.importorskip("matplotlib")
    film = TOPICS["example"](backend64, 0).film
    assert len(draw_figure(film.frame(film.count - 1)).axes) == 2
