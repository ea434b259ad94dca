"""Networks that answer with a plain pose, tried like a localizer."""

from __future__ import annotations

from collections.abc import Callable

from cl_localization.data.frame import Frame
from cl_localization.localization.result import Localization
from cl_localization.research.plain_pose import PlainPose


class NetworkLocalizer:
    """Calls every pose accepted: these networks have no test of their own for when to refuse one."""

    def __init__(self, pose_of: Callable[[Frame], PlainPose]) -> None:
        """Take a function from a frame to its pose."""
        self._pose_of = pose_of

    def reset(self) -> None:
        """Forget nothing: these networks know nothing of the images before."""

    def localize(self, frame: Frame) -> Localization:
        """Return the pose of a frame."""
        found = self._pose_of(frame)
        if found.world_T_cam is None:
            return Localization(frame.stamp_ns, reason="no pose agrees with the predicted points")
        return Localization(frame.stamp_ns, True, "ok", found.world_T_cam, inliers=found.inliers)
