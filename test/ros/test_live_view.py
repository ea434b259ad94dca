"""`view --live` shows what running nodes publish, and a browser shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus, MappingStatus
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from browser import Browser
from cl_localization.geometry.se3 import to_quaternion
from cl_localization.ros.live_view import LiveView
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.viz.viewer import LiveScene
from ros_robot import STARVED_S, Robot, map_live
from ros_world import RosWorld, wait_until
from viser_fake import FakeServer

FIRST_PORT = 8300
PANEL_PX, DISTINCT = 860, 40
"""Where the panel begins on the page, and how far channels of a colour are apart that is not grey."""

PARTS = {"/codes", "/keyframes", "/inliers", "/track/localizer", "/camera", "/robot"}


@pytest.fixture
def localized(ros: RosWorld, robot: Robot, frames: list[Any]) -> Robot:
    """A robot beside a mapper that has mapped the room and a localizer that follows it."""
    map_live(ros, robot, frames[::4])
    ros.start(LocalizerNode)
    return robot


def show_until_seen(localized: Robot, frame: Any, server: FakeServer, parts: set[str]) -> None:
    """Show a frame until a scene has all parts; else say which it lacks."""
    try:
        localized.show_until([frame], lambda: parts <= set(server.scene.added))
    except AssertionError as error:
        raise AssertionError(f"lacks {parts - set(server.scene.added)}; {server.gui.text.content}") from error


def test_all_that_rviz_shows_is_in_the_scene(localized: Robot, frames: list[Any], domain: int) -> None:
    server = FakeServer()
    with LiveView(LiveScene(server, 0.01), domain=domain):
        show_until_seen(localized, frames[0], server, PARTS)
        localized.show_until(frames[:1], lambda: server.gui.images)
        localized.show_until(frames[:1], lambda: "RELOCALIZED" in server.gui.text.content
                             or "TRACKING" in server.gui.text.content)
    assert set(server.scene.added) == PARTS
    assert server.scene.added["/camera"].position == pytest.approx(to_quaternion(frames[0].world_T_cam)[0], abs=0.1)
    assert server.scene.added["/robot"].position[2] == pytest.approx(0, abs=0.1) and server.scene.up == "+z"
    assert server.gui.images["localizer/overlay"].image.shape == frames[0].image.shape
    assert "**mapper**" in server.gui.text.content and " keyframes, " in server.gui.text.content


def test_a_robot_that_is_lost_is_not_shown(ros: RosWorld, localized: Robot, frames: list[Any], domain: int) -> None:
    server = FakeServer()
    with LiveView(LiveScene(server, 0.01), domain=domain):
        show_until_seen(localized, frames[0], server, {"/robot"})
        assert ros.call(Trigger, "/localizer/relocalize").success
        wait_until(lambda: not server.scene.added["/robot"].visible, STARVED_S)
    assert "LOST" in server.gui.text.content and not server.scene.added["/camera"].visible


def test_nodes_of_another_namespace_are_not_shown(ros: RosWorld, domain: int) -> None:
    server = FakeServer()
    publishers = {name: ros.node.create_publisher(MappingStatus, f"/{name}/mapper/status", 10)
                  for name in ("robot1", "robot2")}
    with LiveView(LiveScene(server, 0.01), "robot1", domain):
        wait_until(lambda: [publisher.publish(MappingStatus(reason=name)) for name, publisher in publishers.items()]
                   and "robot" in server.gui.text.content)
    assert "robot1" in server.gui.text.content and "robot2" not in server.gui.text.content


def test_an_image_that_cannot_be_read_ends_nothing(ros: RosWorld, domain: int) -> None:
    server = FakeServer()
    overlay = ros.node.create_publisher(Image, "localizer/overlay", 10)
    status = ros.node.create_publisher(LocalizationStatus, "localizer/status", 10)
    with LiveView(LiveScene(server, 0.01), domain=domain):
        wait_until(lambda: overlay.get_subscription_count() and status.get_subscription_count())
        overlay.publish(Image(encoding="nv24", width=4, height=4))
        wait_until(lambda: status.publish(LocalizationStatus(position_sigma_m=np.nan))
                   or "no position" in server.gui.text.content)
    assert server.gui.images == {}


def test_a_browser_shows_map_track_overlay_and_status(localized: Robot, frames: list[Any], domain: int,
                                                             tmp_path: Path) -> None:
    viser = pytest.importorskip("viser", reason="the package viser is not installed: pip install viser")
    server = viser.ViserServer(host="127.0.0.1", port=FIRST_PORT, verbose=False)
    try:
        with (LiveView(LiveScene(server, 0.03), domain=domain),
              Browser(f"http://127.0.0.1:{server.get_port()}", tmp_path) as browser):
            localized.show_until(frames, lambda: {"localizer", "mapper", "keyframes"} <= set(browser.text().split())
                                 and is_all_there(browser.picture()), 2 * STARVED_S)
    finally:
        server.stop()


def is_all_there(picture: np.ndarray) -> bool:
    """Whether a page (H, W, 3) shows a coloured cloud, a red track, and green inliers on an image in the panel."""
    red, green, blue = np.moveaxis(picture.astype(int), 2, 0)
    scene, panel = np.s_[:-100, :PANEL_PX], np.s_[:, PANEL_PX:]
    is_coloured = np.ptp(picture, axis=2) > DISTINCT
    is_red, is_green = red - np.maximum(green, blue) > DISTINCT, green - np.maximum(red, blue) > DISTINCT
    return bool(is_coloured[scene].sum() > 1000 and is_red[scene].sum() > 50 and is_green[panel].sum() > 200)
