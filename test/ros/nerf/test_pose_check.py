"""Poses checked by looking, in the localizer node: whose field is believed, for which scene, and what the status
says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus

from cl_localization.config import LiveNerfConfig, with_values
from cl_localization.errors import DataError, MapError
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_file import load_map
from cl_localization.nerf.live import LiveField
from cl_localization.nerf.live_file import save_live
from cl_localization.ros.nerf.pose_check import beside, pose_check_beside
from cl_localization.ros.nodes.config import LocalizerNodeConfig, RenderCheckNodeConfig
from cl_localization.ros.nodes.localizer import LocalizerNode
from core_makers import PointScene
from live_makers import room_field, room_frames
from ros_robot import Robot
from test_localizer import map_of

CONFIG = LocalizerNodeConfig(render_check=RenderCheckNodeConfig(enabled=True, patch_px=8, min_patches=4, width_px=48))


@pytest.fixture
def map_code() -> MapCode:
    """Any map."""
    return map_of(PointScene.room(20), "xfeat")


def test_a_field_judges_poses_in_its_scene_and_leaves_others_alone(map_code: MapCode, tmp_path: Path) -> None:
    frames = room_frames(side_px=64)
    save_live(room_field(), beside(tmp_path / "map.safetensors"), f"{map_code.map_id} kitchen")
    check = pose_check_beside(str(tmp_path / "map.safetensors"), map_code, CONFIG)
    elsewhere = Localization(1, True, "ok", frames[5].world_T_cam, 1e-4 * np.eye(6), inliers=100, scene="kitchen")
    assert check.map_id == map_code.map_id
    assert "correlation with the rendered view" in check.judge(frames[0], elsewhere, CONFIG).reason
    hall = replace(elsewhere, scene="hall")
    assert check.judge(frames[0], hall, CONFIG) is hall


def test_no_pose_is_checked_when_that_is_switched_off_or_nothing_was_saved(map_code: MapCode, tmp_path: Path) -> None:
    path, off = tmp_path / "map.safetensors", with_values(LocalizerNodeConfig(), {"render_check.enabled": False})
    assert pose_check_beside(str(path), map_code, LocalizerNodeConfig()) is None
    save_live(room_field(), beside(path), f"{map_code.map_id} kitchen")
    assert pose_check_beside(str(path), map_code, off) is None
    assert pose_check_beside(str(path), map_code, LocalizerNodeConfig()) is not None


def test_a_field_that_is_damaged_or_that_of_another_map_is_an_error(map_code: MapCode, tmp_path: Path) -> None:
    path = tmp_path / "map.safetensors"
    beside(path).write_bytes(b"no field")
    with pytest.raises(DataError, match="must be a whole safetensors file"):
        pose_check_beside(str(path), map_code, CONFIG)
    save_live(room_field(), beside(path), "another kitchen")
    with pytest.raises(MapError, match="must belong to the map beside it"):
        pose_check_beside(str(path), map_code, CONFIG)


def test_the_field_of_a_map_that_was_extended_since_still_judges(map_code: MapCode, tmp_path: Path) -> None:
    path = tmp_path / "map.safetensors"
    save_live(room_field(), beside(path), f"{map_code.map_id} kitchen")
    extended = map_code.fork()
    assert pose_check_beside(str(path), extended, CONFIG).map_id == extended.map_id


def test_a_localizer_with_the_pose_check_trusts_no_pose_whose_render_differs_from_the_image(
        ros: Any, room: Any, room_map: Path, frames: list[Any], tmp_path: Path) -> None:
    noise, field = np.random.default_rng(0), LiveField(LiveNerfConfig(width_px=80, cell_size_m=0.08))
    for frame in frames:
        coarse = noise.integers(0, 255, (12, 16, 3)).repeat(frame.camera.height_px // 12,
                                                            0).repeat(frame.camera.width_px // 16, 1)
        field.add(replace(frame, image=coarse.astype(np.uint8)))
    path, map_code = tmp_path / room_map.name, load_map(room_map)
    path.write_bytes(room_map.read_bytes())
    save_live(field, beside(path), f"{map_code.map_id} {map_code.scene_names[0]}")
    ros.start(LocalizerNode, map_file=str(path), **{"render_check.enabled": True})
    statuses = ros.heard(LocalizationStatus, "/localizer/status")
    Robot(ros, room).show_until(frames, lambda: len(statuses) >= 5)
    assert all("correlation with the rendered view" in status.reason for status in statuses[:5])
