"""Sequences written in the layout of 7-Scenes."""

import numpy as np
import pytest

from cl_localization.data import open_sequence, select
from cl_localization.data.export import depth_to_mm, export_7scenes
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from data.makers import CAMERA, MadeSequence, make_depth


def test_an_exported_sequence_is_read_back_as_it_was(tmp_path):
    told = []
    assert export_7scenes(MadeSequence(3, start_ns=5), tmp_path / "seq-01", progress=lambda done,
                          total: told.append((done, total))) == 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    for before, after in zip(MadeSequence(3, start_ns=5), open_sequence(tmp_path / "seq-01"), strict=True):
        assert np.array_equal(after.image, before.image)
        assert after.depth_m == pytest.approx(before.depth_m, abs=1e-6)
        assert after.world_T_cam == pytest.approx(before.world_T_cam, abs=1e-12)
        assert (after.stamp_ns, after.camera) == (before.stamp_ns, before.camera)


def test_other_tools_find_plain_7scenes_files(tmp_path):
    export_7scenes(MadeSequence(1), tmp_path / "seq-01")
    assert np.loadtxt(tmp_path / "seq-01" / "frame-000000.pose.txt") == pytest.approx(MadeSequence(1).pose(0))
    assert (tmp_path / "seq-01" / "frame-000000.depth.png").is_file()


def test_a_distorted_camera_is_kept(tmp_path):
    camera = Camera(32, 24, 30.0, 30.0, 16.0, 12.0, "plumb_bob", (0.1, -0.2, 0.0, 0.0, 0.01))
    export_7scenes(MadeSequence(1, camera), tmp_path / "out")
    assert open_sequence(tmp_path / "out")[0].camera == camera


def test_frames_without_pose_stay_without(tmp_path):
    export_7scenes(MadeSequence(2, posed=False), tmp_path / "out")
    assert open_sequence(tmp_path / "out").pose(1) is None


def test_frames_of_several_cameras_are_refused_and_nothing_is_left(tmp_path):
    class Mixed(MadeSequence):
        def _frame(self, index):
            self.camera = CAMERA.scaled_to(32 + index, 24)
            return super()._frame(index)

    with pytest.raises(DataError, match="frame made-1 must have the camera of the frames before"):
        export_7scenes(Mixed(2), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_kept_unless_forced(tmp_path):
    export_7scenes(MadeSequence(3), tmp_path / "out")
    with pytest.raises(DataError, match="must not be there yet"):
        export_7scenes(MadeSequence(1), tmp_path / "out")
    export_7scenes(select(MadeSequence(3), [1]), tmp_path / "out", force=True)
    assert len(open_sequence(tmp_path / "out")) == 1


def test_depth_that_cannot_be_written_becomes_unknown():
    assert depth_to_mm(np.array([[np.nan, np.inf, -1.0, 0.0, 1.2346, 65.6]])).tolist() == [[0, 0, 0, 0, 1235, 0]]
    assert np.array_equal(depth_to_mm(make_depth(1)), np.rint(make_depth(1) * 1000).astype(np.uint16))
