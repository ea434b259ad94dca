from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cl_localization.errors import DataError
from cl_localization.viz.style import TOP_VIEW_POINTS, new_figure
from cl_localization.viz.top_view import draw_cameras, draw_codes, draw_path, draw_places, fit_view, plane, up_axis


def axes_of_new_figure():
    """Axes on a figure that needs no display."""
    return new_figure(4, 4).add_subplot()


def upright_poses(count: int) -> np.ndarray:
    """Cameras along x that look along y, in a map with z up."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    poses[:, 0, 3] = np.arange(count)
    return poses


def test_up_is_the_axis_that_images_have_upright() -> None:
    assert up_axis(upright_poses(3)) == "z"
    assert up_axis(np.tile(np.eye(4), (2, 1, 1))) == "y"
    assert up_axis(np.zeros((0, 4, 4))) == "z"


@pytest.mark.parametrize(
    "up, labels", [("z", ("x [m]", "y [m]")), ("y", ("x [m]", "z [m]")), ("x", ("y [m]", "z [m]"))]
)
def test_axes_are_named_with_their_unit(up: str, labels: tuple[str, str]) -> None:
    axes = axes_of_new_figure()
    draw_codes(axes, np.random.default_rng(0).normal(size=(50, 3)), up)
    assert (axes.get_xlabel(), axes.get_ylabel()) == labels
    assert axes.get_aspect() == 1.0


def test_an_unknown_up_axis_is_an_error() -> None:
    with pytest.raises(DataError, match="up axis must be x, y or z, found 'w'"):
        plane("w")


def test_many_codes_are_thinned_and_none_are_no_error() -> None:
    points = draw_codes(axes_of_new_figure(), np.random.default_rng(0).normal(size=(3 * TOP_VIEW_POINTS, 3)))
    assert 0 < len(points.get_offsets()) <= TOP_VIEW_POINTS
    assert draw_codes(axes_of_new_figure(), np.zeros((0, 3))) is None


@given(arrays(float, (30, 3), elements=st.floats(-50, 50)))
def test_the_view_holds_every_path(path_m: np.ndarray) -> None:
    axes = axes_of_new_figure()
    fit_view(axes, np.zeros((0, 3)), [path_m])
    low, high = axes.get_xlim()
    assert low < path_m[:, 0].min() and path_m[:, 0].max() < high


def test_far_outliers_do_not_shrink_the_map() -> None:
    positions_m = np.random.default_rng(0).uniform(0, 1, (1000, 3))
    positions_m[0] = 1e4
    axes = axes_of_new_figure()
    fit_view(axes, positions_m)
    assert axes.get_xlim()[1] < 1.2


def test_an_empty_view_is_left_as_it_is() -> None:
    axes = axes_of_new_figure()
    fit_view(axes, np.zeros((0, 3)))
    assert axes.get_xlim() == (0.0, 1.0)


def test_places_get_a_number_a_ring_and_an_estimate_where_there_is_one() -> None:
    axes, truth = axes_of_new_figure(), upright_poses(3)
    estimates = truth.copy()
    estimates[1] = np.nan
    draw_places(axes, truth, estimates, 0.3)
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["kidnapped to (truth)", "first trusted pose"]


def test_cameras_and_paths_are_drawn_with_their_labels() -> None:
    axes = axes_of_new_figure()
    draw_cameras(axes, upright_poses(4), "red", 0.2, "4 keyframes")
    draw_cameras(axes, upright_poses(0), "red", 0.2, "none")
    draw_path(axes, upright_poses(4)[:, :3, 3], "path")
    assert axes.get_legend_handles_labels()[1] == ["4 keyframes", "path"]
