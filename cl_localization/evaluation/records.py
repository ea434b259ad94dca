"""What happened to one frame of an evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cl_localization.geometry.se3 import pose_error, to_quaternion

WRONG_M, WRONG_DEG = 0.50, 10.0


def is_wrong(translation_error_m: float, rotation_error_deg: float) -> bool:
    """Return whether a pose so far from the truth is wrong: a robot that relied on it would be somewhere else."""
    return translation_error_m > WRONG_M or rotation_error_deg > WRONG_DEG


@dataclass(frozen=True, eq=False)
class FrameRecord:
    """One frame: what the localizer said of it and how far that was from the truth.

    Attributes:
        name, stamp_ns: of the frame.
        accepted: whether the localizer trusted its pose.
        reason: its own words: "ok" or why not.
        inliers: matches that agree with the pose.
        latency_s: from the image file to the pose, decoding included.
        world_T_cam: (4, 4) estimate, also when it was not accepted; None where there was none.
        true_world_T_cam: (4, 4) ground truth; None where there is none.
        translation_error_m, rotation_error_deg: distance between the two; None unless both are there.
        covariance: (6, 6) of the estimate in world axes, x y z [m] and rotation about x y z [rad]; None where there was
            none.
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
        translation_error_m=error_m, rotation_error_deg=error_deg, covariance=result.covariance)
