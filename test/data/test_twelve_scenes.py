"""12-Scenes folders."""

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from data.makers import make_image, make_pose, write_image

COLOUR = Camera(64, 48, 60.0, 60.0, 32.5, 24.5)
INFO = """m_versionNumber = 4
m_colorWidth = 64
m_colorHeight = 48
m_depthWidth = 32
m_depthHeight = 24
m_depthShift = 1000
m_calibrationColorIntrinsic = 60 0 32 0 0 60 24 0 0 0 1 0 0 0 0 1
m_calibrationColorExtrinsic = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1
m_calibrationDepthIntrinsic = 30 0 16 0 0 30 12 0 0 0 1 0 0 0 0 1
"""


@pytest.fixture
def scene(tmp_path):
    """A scene of two sequences of two frames; the last pose is infinite."""
    for number in range(4):
        stem = f"frame-{number:06d}"
        write_image(tmp_path / "data" / f"{stem}.color.jpg", make_image(number, COLOUR))
        write_image(tmp_path / "data" / f"{stem}.depth.png", np.full((24, 32), 1500, np.uint16))
        np.savetxt(tmp_path / "data" / f"{stem}.pose.txt",
                   make_pose(number) if number < 3 else np.full((4, 4), -np.inf))
    (tmp_path / "info.txt").write_text(INFO)
    lines = ["sequence0 [frames=2]  [start=0 ; end=1]", "sequence1 [frames=2]  [start=2 ; end=3]"]
    (tmp_path / "split.txt").write_text("\n".join(lines))
    return tmp_path


def test_a_scene_is_recognised_with_camera_depth_and_poses(scene):
    sequence = open_sequence(scene)
    frame = sequence[2]
    assert sequence.names == ["sequence0/frame-000000", "sequence0/frame-000001", "sequence1/frame-000002"]
    assert sequence.skipped == ["sequence1/frame-000003"]
    assert frame.camera == COLOUR
    assert frame.world_T_cam == pytest.approx(make_pose(2))
    assert (frame.depth_m[4:-4, 4:-4] == pytest.approx(1.5))


@pytest.mark.parametrize(("split", "first"), [("test", "sequence0/frame-000000"), ("train", "sequence1/frame-000002")])
def test_the_first_sequence_is_the_test_split(scene, split, first):
    assert open_sequence(scene, split=split).names[0] == first


def test_without_a_split_file_all_frames_are_one_sequence(scene):
    (scene / "split.txt").unlink()
    assert open_sequence(scene).names[0] == "frame-000000"


def test_depth_may_be_left_out(scene):
    assert open_sequence(scene, depth=False)[0].depth_m is None


@pytest.mark.parametrize(("old", "new", "message"), [
    ("m_depthShift = 1000", "m_depthShift = 0", "must be finite, a size or scale positive"),
    ("m_colorWidth = 64", "", "m_colorWidth .* must be 1 numbers, found 0"),
    ("Extrinsic = 1 0 0 0", "Extrinsic = 1 0 0 2", "m_calibrationColorExtrinsic .* must be the identity")])
def test_a_malformed_info_is_named(scene, old, new, message):
    (scene / "info.txt").write_text(INFO.replace(old, new))
    with pytest.raises(DataError, match=message):
        open_sequence(scene)


def test_a_malformed_split_is_named(scene):
    (scene / "split.txt").write_text("nothing\n")
    with pytest.raises(DataError, match="must have lines like"):
        open_sequence(scene)


def test_an_unknown_split_is_named(scene):
    with pytest.raises(DataError, match="must be all, train or test"):
        open_sequence(scene, split="val")
