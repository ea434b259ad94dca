"""From the camera's pose and its covariance to those of the robot that carries it, also of one that drives on a plane.

Covariances (6, 6) are those of `geometry_msgs/PoseWithCovariance`: position [m] and rotation [rad], in the axes of the
world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.geometry import se3

FORWARD_BASE_T_CAM = np.array([[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0],
                               [0.0, 0.0, 0.0, 1.0]])
"""A camera at the origin of the base that looks forward: optical axes to those of REP 103."""

OPENGL_T_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
"""Camera axes of OpenGL and ARKit (y up, z back) to x right, y down, z forward."""

LEAST_UP = 0.3
"""Length of the up axis in the image, of 1, below which the camera looks so far up or down that no way is up."""

PLANAR = [0, 1, 5]
"""x, y and yaw among the six coordinates of a pose."""

PLANAR_VARIANCE = 1e-6
"""Of height [m^2], roll and pitch [rad^2], which a plane knows; not zero, so that filters can invert the covariance."""


@dataclass(frozen=True, eq=False)
class RobotPose:
    """Where the robot is: map_T_base (4, 4), and the covariance (6, 6) of that."""

    map_T_base: np.ndarray
    covariance: np.ndarray


def robot_pose(map_T_cam: np.ndarray, covariance: np.ndarray, base_T_cam: np.ndarray, two_d: bool) -> RobotPose:
    """Return the robot's pose from that of its camera; with `two_d` on the plane z = 0 of the map."""
    cam_T_base = se3.inverse(base_T_cam)
    map_T_base, of_base = map_T_cam @ cam_T_base, moved_covariance(covariance, map_T_cam, cam_T_base)
    return RobotPose(planar(map_T_base), planar_covariance(of_base)) if two_d else RobotPose(map_T_base, of_base)


def moved_covariance(covariance: np.ndarray, world_T_a: np.ndarray, a_T_b: np.ndarray) -> np.ndarray:
    """Return the covariance (6, 6) of world_T_a @ a_T_b from that of world_T_a; a_T_b is taken as exact.

    A turn of a by r moves b by r x lever: the adjoint of the lever from a to b, in the world's axes.
    """
    lever_m = world_T_a[:3, :3] @ a_T_b[:3, 3]
    jacobian = np.eye(6)
    jacobian[:3, 3:] = -se3.skew(lever_m)
    return jacobian @ covariance @ jacobian.T


def planar(world_T_base: np.ndarray) -> np.ndarray:
    """Return the pose (4, 4) with the same x, y and heading, upright and at height 0. The world's z must point up."""
    forward = world_T_base[:2, 0]
    yaw_rad = np.arctan2(forward[1], forward[0])
    flat = np.eye(4)
    flat[:3, :3] = se3.rotation_from_vector(np.array([0.0, 0.0, yaw_rad]))
    flat[:2, 3] = world_T_base[:2, 3]
    return flat


def planar_covariance(covariance: np.ndarray) -> np.ndarray:
    """Return the covariance (6, 6) of a planar pose: x, y and yaw as they are, the others known."""
    flat = np.diag(np.full(6, PLANAR_VARIANCE))
    flat[np.ix_(PLANAR, PLANAR)] = covariance[np.ix_(PLANAR, PLANAR)]
    return flat


def upright_turns(base_T_cam: np.ndarray) -> int:
    """Return the quarter turns clockwise, 0 to 3, after which the images of a camera are upright.

    Args:
        base_T_cam: (4, 4) the camera, z ahead and y down in its images, in a frame whose z axis points up.
    """
    right, down = base_T_cam[2, 0], base_T_cam[2, 1]  # the up axis in the image
    if np.hypot(right, down) < LEAST_UP:
        return 0
    return round(np.degrees(np.arctan2(-right, -down)) / 90) % 4
