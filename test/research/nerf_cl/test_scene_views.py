from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.camera import Camera
from cl_localization.nerf.views import View, surface_of, view_of
from cl_localization.research.nerf_cl.scene_views import along_a_path, box_of, of_side, read_frames, read_synthetic
from nerf_makers import ROOM_HALF_SIZE, room_views, write_frames, write_scene


def change(root: Path, **values: object) -> Path:
    file = root / "transforms_train.json"
    content = json.loads(file.read_text())
    for name, value in values.items():
        content.pop(name) if value is None else content.__setitem__(name, value)
    file.write_text(json.dumps(content))
    return root


def test_views_are_read_at_the_size_that_is_wanted(scene: Path) -> None:
    views = read_synthetic(scene, "train", (8, 8))
    assert len(views) == 12 and views[0].image.shape == (8, 8, 3) and views[0].camera.width_px == 8
    assert views[0].image[0, 0].min() > 250
    assert views[0].camera.fx_px == pytest.approx(read_synthetic(scene, "train", (16, 16))[0].camera.fx_px / 2)
    assert np.array_equal(read_synthetic(scene, "train", (16, 16))[0].image.shape, (16, 16, 3))


def test_sides_are_told_apart_by_the_x_of_the_camera(views: list[View]) -> None:
    right, left = of_side(views, "right"), of_side(views, "left")
    assert len(right) + len(left) == len(views) == len(of_side(views, "all"))
    assert all(view.world_T_cam[0, 3] > 0 for view in right)
    with pytest.raises(DataError, match="views from the left must be at least one"):
        of_side(right, "left")


def test_a_path_visits_each_view_once_and_moves_little(views: list[View]) -> None:
    path = along_a_path(views)
    assert {view.name for view in path} == {view.name for view in views} and path[0] is views[0]

    def travel(order: list[View]) -> float:
        centres = np.array([view.world_T_cam[:3, 3] for view in order])
        return float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum())

    assert travel(path) < travel(views)


def test_a_split_that_is_not_there_is_named(scene: Path) -> None:
    with pytest.raises(DataError, match="split night of .* needs the file transforms_night.json"):
        read_synthetic(scene, "night", (8, 8))


def test_images_without_alpha_are_refused_unless_their_background_is_stated(tmp_path: Path) -> None:
    root = write_scene(tmp_path / "x", {"train": 2}, alpha=False)
    with pytest.raises(DataError, match="must have an alpha channel.*--background white"):
        read_synthetic(root, "train", (8, 8))
    assert len(read_synthetic(root, "train", (8, 8), need_alpha=False)) == 2


def test_transforms_without_intrinsics_are_refused(tmp_path: Path) -> None:
    root = change(write_scene(tmp_path / "x", {"train": 2}), camera_angle_x=None)
    with pytest.raises(DataError, match="must give fl_x or camera_angle_x"):
        read_synthetic(root, "train", (8, 8))


def test_a_singular_pose_is_refused(tmp_path: Path) -> None:
    root = write_scene(tmp_path / "x", {"train": 2})
    frames = json.loads((root / "transforms_train.json").read_text())["frames"]
    frames[1]["transform_matrix"] = np.diag([1.0, 1.0, 0.0, 1.0]).tolist()
    with pytest.raises(GeometryError, match="transform_matrix of ./train/r_1"):
        read_synthetic(change(root, frames=frames), "train", (8, 8))


def test_images_of_mixed_size_are_refused(tmp_path: Path) -> None:
    root = write_scene(tmp_path / "x", {"train": 2})
    cv2.imwrite(str(root / "train" / "r_1.png"), np.zeros((20, 24, 4), np.uint8))
    with pytest.raises(DataError, match="must have the camera's size 16x16"):
        read_synthetic(root, "train", (8, 8))


def test_frames_need_poses() -> None:
    camera = Camera(4, 4, 4.0, 4.0, 2.0, 2.0)
    with pytest.raises(DataError, match="frame x must have a pose"):
        view_of(Frame(0, np.zeros((4, 4, 3), np.uint8), camera, name="x"), (4, 4))


def test_depth_gives_surfaces_and_the_box() -> None:
    views = room_views(3, 24)
    points, colours = surface_of(views[0], 0.05, 9.0)
    assert points.shape == colours.shape and len(points) > 500
    assert np.abs(np.abs(points / ROOM_HALF_SIZE).max(axis=1) - 1).max() < 1e-3
    low, high = box_of(views, 0.05, 9.0)
    assert ((points > low) & (points < high)).all()
    with pytest.raises(DataError, match="needs depth between the bounds"):
        box_of(views, 1e5, 2e5)
    with pytest.raises(DataError, match="needs views"):
        box_of([], 0.1, 1.0)


def test_frames_of_any_sequence_are_read_with_their_depth(tmp_path: Path) -> None:
    write_frames(tmp_path, 3)
    views = read_frames(str(tmp_path), (32, 24), 2)
    assert len(views) == 2 and views[0].depth.shape == (24, 32) and views[0].image.shape == (24, 32, 3)


def test_without_depth_the_box_holds_what_the_bounds_let_see(views: list[View]) -> None:
    low, high = box_of(views, 2.0, 6.0)
    assert (low < -1).all() and (high > 1).all()
