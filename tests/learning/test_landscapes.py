"""Landscapes as they are drawn: contours at their losses, a way on the surface; and axes of losses."""

import numpy as np
import pytest

from fuseprop.plots import Curve, Figure, Landscape, Panel, draw_figure

pytest.importorskip("matplotlib")


def bowl(w, b):
    return 0.2 * (w - 1.0) ** 2 + (b + 0.5) ** 2


@pytest.fixture
def landscape():
    return Landscape.of(bowl, (-2.0, 3.0), (-3.0, 1.0), "loss")


def drawn(panel):
    """The axes of a figure of one panel, drawn."""
    canvas = draw_figure(Figure("f", [panel]))
    canvas.draw_without_rendering()
    (axes,) = canvas.axes
    return axes


def test_contours_pass_where_the_loss_is_their_level(landscape):
    axes = drawn(Panel("p", "w", "b", ground=landscape))
    (contours,) = axes.collections
    np.testing.assert_array_equal(contours.levels, landscape.levels)
    # Between two points of the grid, h apart, a line misses a bowl of curvature c by c h^2 / 8 at most.
    missed = 2 * (0.2 * np.diff(landscape.x1)[0] ** 2 + np.diff(landscape.x2)[0] ** 2) / 8
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        assert len(path.vertices)
        assert np.abs(bowl(*path.vertices.T) - level).max() < missed
    assert axes.get_xlim() == (-2.0, 3.0)
    assert axes.get_ylim() == (-3.0, 1.0)


def test_the_levels_are_equally_far_apart_from_the_lowest_point_of_a_bowl(landscape):
    steps = np.diff(np.sqrt(landscape.levels - landscape.values.min()))
    np.testing.assert_allclose(steps, steps[0])


def test_a_way_lies_on_the_surface(landscape):
    w, b = [0.0, 0.5, 1.0], [0.0, -0.2, -0.5]
    heights = [bowl(*point) for point in zip(w, b, strict=True)]
    surface = Landscape.of(bowl, (-2.0, 3.0), (-3.0, 1.0), "loss", surface=True)
    axes = drawn(Panel("p", "w", "b", [Curve("way", w, b, way=True, z=heights)], ground=surface))
    assert axes.name == "3d"
    np.testing.assert_allclose(axes.lines[0].get_data_3d(), [w, b, heights])
    assert axes.get_zlabel() == "loss"


def labels(y, limits=None):
    panel = Panel("p", "x", "y", [Curve("c", range(len(y)), y)], log_y=True, y_limits=limits)
    axes = drawn(panel)
    low, high = axes.get_ylim()
    places = [*axes.yaxis.get_major_ticks(), *axes.yaxis.get_minor_ticks()]
    return {tick.label1.get_text() for tick in places if low <= tick.get_loc() <= high} - {""}


def test_logarithmic_axes_have_plain_numbers():
    assert labels([0.07, 3.0]) == {"0.1", "0.2", "0.5", "1", "2"}
    assert labels([3.0, 5.0]) >= {"3", "4", "5"}
    assert labels([2e-5, 2.0]) == {"0.0001", "0.001", "0.01", "0.1", "1"}
    assert any("10" in label and "^" in label for label in labels([1e-9, 1.0]))


def test_all_frames_of_a_film_have_the_labels_of_their_common_limits():
    limits = (0.05, 4.0)
    assert labels([3.0], limits) == labels([3.0, 0.07], limits) == {"0.05", "0.1", "0.2", "0.5", "1", "2"}
