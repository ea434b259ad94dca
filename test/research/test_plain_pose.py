"""Poses from predicted points of which few are right."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.research import plain_pose as module
from cl_localization.research.plain_pose import plain_pose

CAMERA = Camera(640, 480, 525.0, 525.0, 320.0, 240.0)
POINTS, RIGHT, IMAGES = 1200, 0.06, 10


def found_of_ten() -> int:
    """Return in how many of ten images, of whose points six in a hundred are right, the pose is found."""
    found = 0
    for seed in range(IMAGES):
        random = np.random.default_rng(seed)
        pixels = random.uniform((0, 0), (640, 480), (POINTS, 2))
        points_m = np.column_stack([CAMERA.normalize(pixels), np.ones(POINTS)]) * random.uniform(1, 4, (POINTS, 1))
        wrong = random.random(POINTS) > RIGHT
        points_m[wrong] = random.uniform(-4, 4, (wrong.sum(), 3))
        pose = plain_pose(CAMERA, pixels + random.normal(0, 1, pixels.shape), points_m).world_T_cam
        found += pose is not None and se3.pose_error(pose, np.eye(4))[0] < 0.1
    return found


def test_few_right_points_are_found_with_the_iterations_that_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    enough = found_of_ten()
    monkeypatch.setattr(module, "MAX_ITERATIONS", 1000)
    assert found_of_ten() < 8 <= enough
