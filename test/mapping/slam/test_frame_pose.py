"""Which pose of a frame is trusted where several say something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cl_localization.geometry import se3
from cl_localization.mapping.slam import frame_pose
from cl_localization.mapping.slam.depth_pose import SeenPose
from core_makers import motion
from slam_makers import Drive, room_points, turning

STEP_DEG = 5.0


@pytest.mark.parametrize("is_known", [True, False])
def test_a_few_matches_with_the_last_frame_count_only_where_the_map_says_nothing(
        monkeypatch: pytest.MonkeyPatch, is_known: bool) -> None:
    drive = Drive(room_points(1))
    drive.go(turning(12, turn_deg=11 * STEP_DEG))
    original, said = frame_pose.pose_from_last, []

    def few_and_wrong(*arguments: Any) -> SeenPose:
        seen = original(*arguments)
        wrong = motion(np.zeros(3), np.array([0.1, 0.0, 0.0])) @ arguments[3]
        said.append(replace(seen, world_T_cam=wrong, features=seen.features[:18], rows=seen.rows[:18]))
        return said[-1]

    monkeypatch.setattr(frame_pose, "pose_from_last", few_and_wrong)
    monkeypatch.setattr(drive.slam._poser, "_guided", lambda *_: None)
    if not is_known:
        monkeypatch.setattr(drive.slam._poser, "_anywhere", lambda *_: None)
    result = drive.slam.add(drive.frame(turning(1, 12 * STEP_DEG, 0.0)[0]), learn=False)
    true = se3.inverse(turning(1)[0]) @ turning(1, 12 * STEP_DEG, 0.0)[0]
    off_m = se3.pose_error(result.world_T_cam, true)[0]
    assert said and (off_m < 0.03) == is_known
