"""Ways of a camera through a scene that are nice to watch."""

from __future__ import annotations

import math

import numpy as np

from cl_localization.nerf.views import View

UP = np.array([0.0, 0.0, 1.0])


def orbit(views: list[View], frames: int) -> list[np.ndarray]:
    """Return world_T_cam (4, 4) of a camera that circles what the views look at, at their mean distance and height.

    The world's z axis is up.
    """
    centres = np.array([view.world_T_cam[:3, 3] for view in views])
    target = _looked_at(views)
    offsets = centres - target
    height, radius = float(offsets[:, 2].mean()), float(np.hypot(offsets[:, 0], offsets[:, 1]).mean())
    angles = 2 * math.pi * np.arange(frames) / max(frames, 1)
    return [looking_at(target + [radius * math.cos(angle), radius * math.sin(angle), height], target)
            for angle in angles]


def looking_at(centre: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return world_T_cam (4, 4) of a camera at `centre` (3,) that looks at `target` (3,), the world's z axis up in its
    image."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, UP)
    right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else np.array([1.0, 0.0, 0.0])
    world_T_cam = np.eye(4)
    world_T_cam[:3] = np.column_stack([right, np.cross(forward, right), forward, centre])
    return world_T_cam


def _looked_at(views: list[View]) -> np.ndarray:
    """Return the point (3,) nearest to the optical axes of all views, in least squares."""
    total, right = np.zeros((3, 3)), np.zeros(3)
    for view in views:
        axis, centre = view.world_T_cam[:3, 2], view.world_T_cam[:3, 3]
        across = np.eye(3) - np.outer(axis, axis)
        total += across
        right += across @ centre
    return np.linalg.lstsq(total, right, rcond=None)[0]
