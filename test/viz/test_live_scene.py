"""A live scene: every part replaces what was there, and a robot that is lost is not shown."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cl_localization.viz.viewer import LiveScene
from core_makers import motion
from viser_fake import FakeServer

POSE = motion(np.deg2rad([0.0, 0.0, 90.0]), np.array([1.0, 2.0, 3.0]))


@pytest.fixture
def server() -> FakeServer:
    """What the scene is shown on."""
    return FakeServer()


@pytest.fixture
def scene(server: FakeServer) -> LiveScene:
    """A scene of nothing yet."""
    return LiveScene(server, 0.01)


def test_before_anything_is_heard_the_page_says_so(scene: LiveScene, server: FakeServer) -> None:
    assert "Nothing has been heard" in server.gui.text.content
    server.greet(SimpleNamespace())


def test_the_map_is_replaced_by_the_newest_one_and_a_browser_looks_at_it(scene: LiveScene, server: FakeServer) -> None:
    for codes in (3, 7):
        scene.show_keyframes(POSE[None])
        scene.show_codes(np.ones((codes, 3), np.float32))
    assert len(server.scene.added["/codes"].points) == 7
    client = SimpleNamespace(camera=SimpleNamespace())
    server.greet(client)
    assert client.camera.look_at == pytest.approx([1, 1, 1])


def test_robot_and_camera_move_and_vanish_while_nobody_knows_where_they_are(scene: LiveScene,
                                                                            server: FakeServer) -> None:
    scene.show_robot(np.eye(4))
    scene.show_camera(POSE)
    camera, robot = server.scene.added["/camera"], server.scene.added["/robot"]
    assert camera.position == pytest.approx([1, 2, 3]) and camera.wxyz == pytest.approx([0.5**0.5, 0, 0, 0.5**0.5])
    scene.hide_robot()
    assert not camera.visible and not robot.visible
    scene.show_camera(np.eye(4))
    assert camera.visible and camera.position == pytest.approx([0, 0, 0]) and not robot.visible


@pytest.mark.parametrize(("positions", "lines"), [(0, 0), (1, 0), (4, 3)])
def test_a_track_joins_its_positions(scene: LiveScene, server: FakeServer, positions: int, lines: int) -> None:
    scene.show_track("localizer", np.arange(3 * positions, dtype=np.float32).reshape(-1, 3))
    assert server.scene.added["/track/localizer"].points.shape == (lines, 2, 3)


def test_images_and_statuses_stand_beside_the_scene_by_their_names(scene: LiveScene, server: FakeServer) -> None:
    for grey in (1, 2):
        scene.show_image("overlay", np.full((4, 4, 3), grey, np.uint8))
    scene.show_status("mapper", ["learning"])
    scene.show_status("localizer", ["LOST", "5 inliers"])
    assert (server.gui.images["overlay"].image == 2).all() and len(server.gui.images) == 1
    assert server.gui.text.content == "**localizer**\n\n- LOST\n- 5 inliers\n\n**mapper**\n\n- learning"
