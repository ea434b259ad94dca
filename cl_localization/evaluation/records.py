"""The result of one frame in an evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cl_localization.geometry.se3 import pose_error, to_quaternion

WRONG_M, WRONG_DEG = 0.50, 10.0


def is_wrong(translation_error_m: float, rotation_error_deg: float) -> bool:
    """Return whether a pose with this error is wrong, i.e. would mislead a robot."""
    return translation_error_m > WRONG_M or rotation_error_deg > WRONG_DEG


@dataclass(frozen=True, eq=False)
class FrameRecord:
    """One frame: the localizer's result and its error.

    Attributes:
        name, stamp_ns: of the frame.
        accepted: whether the localizer accepted its pose.
        reason: "ok", or why the pose was rejected.
        inliers: matches consistent with the pose.
        latency_s: from the image file to the pose, including decoding.
        world_T_cam: (4, 4) estimate, also of a rejected pose; None for none.
        true_world_T_cam: (4, 4) ground truth; None for none.
        translation_error_m, rotation_error_deg: difference of the two; None if one is missing.
        covariance: (6, 6) of the estimate in world axes, x y z [m] and rotation about x y z [rad]; None for none.
        scene: of the map, in whose coordinates the estimate is.
    """

    name: str
    stamp_ns: int
    accepted: bool
    reason: str
    inliers: int
    latency_s: float
    world_T_cam: np.ndarray | None
    true_world_T_cam: np.ndarray | None
    translation_error_m: float | None = None
    rotation_error_deg: float | None = None
    covariance: np.ndarray | None = None
    scene: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values; poses are x y z qx qy qz qw, the covariance is a list of rows."""
        values = asdict(self)
        for key in ("world_T_cam", "true_world_T_cam"):
            values[key] = None if values[key] is None else seven_numbers(values[key])
        values["covariance"] = (
            None if self.covariance is None or not np.isfinite(self.covariance).all() else self.covariance.tolist()
        )
        return values


def seven_numbers(world_T_cam: np.ndarray) -> list[float]:
    """Return a 4x4 pose as [x, y, z, qx, qy, qz, qw]."""
    return np.concatenate(to_quaternion(world_T_cam)).tolist()


def make_record(name: str, stamp_ns: int, result: Any, latency_s: float,
                true_world_T_cam: np.ndarray | None) -> FrameRecord:
    """Return the record of one frame.

    Args:
        name, stamp_ns: of the frame.
        result: its `Localization`.
        latency_s: from the image file to the pose.
        true_world_T_cam: (4, 4) ground truth or None.
    """
    error_m, error_deg = None, None
    if result.world_T_cam is not None and true_world_T_cam is not None:
        error_m, error_deg = pose_error(result.world_T_cam, true_world_T_cam)
    return FrameRecord(
        name=name, stamp_ns=stamp_ns, accepted=bool(result.accepted), reason=result.reason, inliers=int(result.inliers),
        latency_s=latency_s, world_T_cam=result.world_T_cam, true_world_T_cam=true_world_T_cam,
        translation_error_m=error_m, rotation_error_deg=error_deg, covariance=result.covariance,
        scene=result.scene)
