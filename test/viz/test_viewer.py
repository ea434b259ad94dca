from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cl_localization.viz.viewer import direction, frustum_lines_m, height_colors, show_map, up_sign
from core_makers import motion
from viser_fake import FakeServer


def fake_map(codes: int, keyframes: int) -> SimpleNamespace:
    """A map with y down, as a hand-held camera makes it."""
    return SimpleNamespace(positions_m=np.arange(3 * codes, dtype=float).reshape(codes, 3),
                           keyframe_world_T_cam=np.tile(np.eye(4), (keyframes, 1, 1)))


def test_codes_and_keyframes_are_put_into_the_scene() -> None:
    server = FakeServer()
    show_map(server, fake_map(5, 2), 0.01)
    codes = server.scene.added["/codes"]
    assert codes.points.shape == codes.colors.shape == (5, 3) and codes.colors.dtype == np.uint8
    assert set(server.scene.added) == {"/codes", "/keyframes"} and server.scene.up == "-y"
    assert server.scene.added["/keyframes"].points.shape == (16, 2, 3)


def test_an_empty_map_is_shown_as_nothing() -> None:
    server = FakeServer()
    show_map(server, fake_map(0, 0), 0.01)
    assert len(server.scene.added["/codes"].points) == 0 and server.scene.up == "+z"
    server.greet(SimpleNamespace())


def test_a_browser_that_connects_looks_down_at_the_middle_of_the_map() -> None:
    server, client = FakeServer(), SimpleNamespace(camera=SimpleNamespace())
    show_map(server, fake_map(5, 2), 0.01)
    server.greet(client)
    assert client.camera.look_at == pytest.approx([6, 7, 8])
    assert client.camera.position[1] < 0


def test_a_keyframe_is_drawn_at_its_place_and_opens_where_it_looks() -> None:
    world_T_cam = motion(np.deg2rad([0.0, 90.0, 0.0]), np.array([1.0, 2.0, 3.0]))
    lines_m = frustum_lines_m(world_T_cam[None])
    assert lines_m[0, 0] == pytest.approx([1, 2, 3])
    assert lines_m[:, 1, 0].max() > 1.05 and lines_m[..., 0].min() == pytest.approx(1)


def test_the_up_sign_is_that_of_the_tops_of_images() -> None:
    flipped = np.diag([1.0, -1, -1, 1])[None]
    assert (
        up_sign(np.eye(4)[None], "y") == "-"
        and up_sign(flipped, "y") == "+"
        and up_sign(np.zeros((0, 4, 4)), "z") == "+"
    )
    assert direction("-y").tolist() == [0, -1, 0]


def test_low_codes_are_darker_than_high_ones_also_where_y_points_down() -> None:
    colors = height_colors(np.linspace(0, 2, 10)).astype(int).sum(axis=1)
    assert colors[0] < colors[-1]
    assert height_colors(np.zeros(0)).shape == (0, 3)
    server = FakeServer()
    show_map(server, fake_map(5, 2), 0.01)
    colors = server.scene.added["/codes"].colors.astype(int).sum(axis=1)
    assert colors[0] > colors[-1]
