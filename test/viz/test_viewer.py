from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cl_localization.viz.viewer import height_colors, show_map, up_sign


class FakeScene:
    """Remembers what is put into it."""

    def __init__(self) -> None:
        self.added: dict[str, dict] = {}

    def set_up_direction(self, direction: str) -> None:
        self.up = direction

    def add_point_cloud(self, name: str, **values: object) -> None:
        self.added[name] = values

    add_camera_frustum = add_point_cloud


def fake_map(codes: int, keyframes: int) -> SimpleNamespace:
    """A map with y down, as a hand-held camera makes it."""
    return SimpleNamespace(positions_m=np.arange(3 * codes, dtype=float).reshape(codes, 3),
                           keyframe_world_T_cam=np.tile(np.eye(4), (keyframes, 1, 1)))


def test_codes_and_keyframes_are_put_into_the_scene() -> None:
    server = SimpleNamespace(scene=FakeScene())
    show_map(server, fake_map(5, 2), 0.01)
    codes = server.scene.added["/codes"]
    assert codes["points"].shape == codes["colors"].shape == (5, 3) and codes["colors"].dtype == np.uint8
    assert set(server.scene.added) == {"/codes", "/keyframes/0", "/keyframes/1"}
    assert server.scene.added["/keyframes/1"]["wxyz"] == pytest.approx([1, 0, 0, 0])
    assert server.scene.up == "-y"


def test_an_empty_map_is_shown_as_nothing() -> None:
    server = SimpleNamespace(scene=FakeScene())
    show_map(server, fake_map(0, 0), 0.01)
    assert set(server.scene.added) == {"/codes"} and server.scene.up == "+z"


def test_the_up_sign_is_that_of_the_tops_of_images() -> None:
    flipped = np.diag([1.0, -1, -1, 1])[None]
    assert (
        up_sign(np.eye(4)[None], "y") == "-"
        and up_sign(flipped, "y") == "+"
        and up_sign(np.zeros((0, 4, 4)), "z") == "+"
    )


def test_low_codes_are_darker_than_high_ones() -> None:
    colors = height_colors(np.linspace(0, 2, 10)).astype(int).sum(axis=1)
    assert colors[0] < colors[-1]
    assert height_colors(np.zeros(0)).shape == (0, 3)
