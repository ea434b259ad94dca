"""Predicted poses: by odometry, else as the camera moved before, never from long ago."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.data.frame import Frame
from cl_localization.features import Features
from cl_localization.mapping.slam.depth_pose import Look
from cl_localization.mapping.slam.motion import MotionModel
from core_makers import CAMERA, motion

STEP = motion(np.array([0.0, 0.1, 0.0]), np.array([0.02, 0.0, 0.1]))
LOOK = Look(Features(np.zeros((0, 2), np.float32), np.zeros((0, 64), np.float32), np.zeros(0, np.float32)),
            CAMERA.pinhole(), np.zeros(0, np.float32))
IMAGE = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)


def frame(seconds: float, odom_T_cam: np.ndarray | None = None) -> Frame:
    """Return a frame of a time."""
    return Frame(int(seconds * 1e9), IMAGE, CAMERA, None, None, odom_T_cam)


def test_nothing_is_predicted_of_the_first_frame() -> None:
    assert MotionModel().predicted(frame(0.0)) == []


def test_a_camera_goes_on_as_it_moved_or_has_stopped() -> None:
    model = MotionModel()
    model.trust(frame(1.0), LOOK, np.eye(4))
    model.trust(frame(1.1), LOOK, STEP)
    on, stopped = model.predicted(frame(1.2))
    assert np.allclose(on, STEP @ STEP, atol=1e-9) and np.allclose(stopped, STEP)
    assert np.allclose(model.predicted(frame(1.3))[0][:3, :3], (STEP @ STEP @ STEP)[:3, :3], atol=1e-9)


@pytest.mark.parametrize(("before_s", "last_s", "now_s"), [
    (1.0, 1.1, 9.0), (1.0, 2.1, 2.2), (1.0, 1.0, 1.1), (1.0, 1.1, 1.0)],
    ids=["of long ago", "slow", "in no time", "before that"])
def test_motion_of_another_time_says_nothing(before_s: float, last_s: float, now_s: float) -> None:
    model = MotionModel()
    model.trust(frame(before_s), LOOK, np.eye(4))
    model.trust(frame(last_s), LOOK, STEP)
    assert np.allclose(model.predicted(frame(now_s))[0], STEP)


def test_odometry_is_believed_before_anything_else() -> None:
    model, odom = MotionModel(), motion(np.array([0.0, 0.0, 1.0]), np.array([5.0, 0.0, 0.0]))
    model.trust(frame(1.0, odom), LOOK, STEP)
    (predicted,) = model.predicted(frame(5.0, odom @ STEP))
    assert np.allclose(predicted, STEP @ STEP)


def test_odometry_that_began_after_the_last_pose_says_nothing() -> None:
    model = MotionModel()
    model.trust(frame(1.0), LOOK, STEP)
    assert np.allclose(model.predicted(frame(1.1, np.eye(4))), [STEP, STEP])


def test_nothing_is_predicted_of_a_camera_that_was_carried() -> None:
    model = MotionModel()
    model.trust(frame(1.0), LOOK, STEP)
    model.forget()
    assert model.predicted(frame(1.1)) == [] and model.last_world_T_cam is None and model.last_look is None


def test_predictions_follow_a_map_that_moved() -> None:
    model, correction = MotionModel(), motion(np.zeros(3), np.array([0.0, 0.0, 2.0]))
    model.trust(frame(1.0), LOOK, np.eye(4))
    model.trust(frame(1.1), LOOK, STEP)
    model.follow(correction)
    assert np.allclose(model.predicted(frame(1.2))[0], correction @ STEP @ STEP, atol=1e-9)


@pytest.mark.parametrize("seconds", [0.5, -1.0])
def test_time_that_jumps_back_is_unknown(seconds: float) -> None:
    model = MotionModel()
    model.trust(frame(1.0), LOOK, np.eye(4))
    assert model.seconds_to(frame(seconds)) > 1e6 and model.seconds_to(frame(1.5)) == pytest.approx(0.5)
