"""The follower: which images are localized fully, and which get their pose by flow from the last full localization.

A full localization (a look) takes longer than the time between two images. While flow carries poses, newer images have
been decided when it is finished: then flow carries it to the next image, from its own, and the tracker compares it with
the track there. Otherwise the tracker gets it as it is.

Flow only continues poses that the tracker trusts. Once the tracker does not trust one, nothing is carried until it
trusts a look again.
"""

from __future__ import annotations

import numpy as np

from cl_localization.config import FlowConfig, PoseConfig
from cl_localization.data.frame import Frame
from cl_localization.data.stamps import NS_PER_S
from cl_localization.geometry.se3 import largest_sigma
from cl_localization.localization.result import Localization
from cl_localization.tracking.flow import FlowImage
from cl_localization.tracking.look import Look
from cl_localization.tracking.tracker import Track

MAX_GAP_NS = 3 * NS_PER_S // 10
"""No flow between images further apart: they differ too much, and each of them can be localized fully."""

WEAK_SHARE, WEAK_SIGMAS = 0.4, 2.0
"""Flow is weak when fewer than this share of a look's points is left, or when the position's standard deviation has
grown by more than this factor: another look is due at once."""


class Follower:
    """Carries trusted poses from image to image, and says which images to localize fully; not thread-safe.

    Attributes:
        flow, pose: options, may be replaced at any time.
    """

    def __init__(self, flow: FlowConfig, pose: PoseConfig) -> None:
        """Start with nothing to follow."""
        self.flow, self.pose = flow, pose
        self._seen_ns = self._decided_ns = self._looked_ns = self._wanted_ns = 0
        self._is_looking = False
        self.forget()

    def forget(self) -> None:
        """Carry nothing further until the tracker trusts another look."""
        self._followed: Look | None = None
        self._finished: Look | None = None
        self._judged: Look | None = None
        self._world_T_cam: np.ndarray | None = None

    def follow(self, frame: Frame) -> Localization | None:
        """Return the pose of the next image by flow, which the tracker must judge; None where flow gives none.

        It rests on the look that was finished since the last image, if there is one, else on the one that is followed.
        """
        gap_ns, self._seen_ns = frame.stamp_ns - self._seen_ns, frame.stamp_ns
        looks = [look for look in (self._finished, self._followed) if look is not None and look.camera == frame.camera]
        self._finished = None
        if looks and 0 < gap_ns <= MAX_GAP_NS:
            image = FlowImage.of(frame.image)
            for look in looks:
                predicted = look.found.world_T_cam if self._world_T_cam is None else self._world_T_cam
                found = look.carry(image, frame.stamp_ns, predicted, self.pose)
                if found.accepted:
                    self._judged = look
                    return found
        self.forget()
        return None

    def wants_look(self, stamp_ns: int, found: Localization | None) -> bool:
        """Return whether an image must be localized fully; the caller then does so and calls `finish`.

        Args:
            found: its pose by flow, after `decide`; None for none.
        """
        wanted = found is None or self._followed is None or (not self._is_looking and self._is_due(stamp_ns, found))
        if wanted:
            self._is_looking, self._wanted_ns = True, stamp_ns
        return wanted

    def finish(self, look: Look | None, stamp_ns: int) -> bool:
        """Take a look that is finished; return whether the tracker must judge it now, else it is carried first.

        Args:
            look: None if it found no pose.
            stamp_ns: timestamp of its image.
        """
        self._is_looking = False
        if self.flow.enabled and self._looked_ns < stamp_ns <= self._decided_ns:
            self._finished = look
            return False
        self._judged = look
        return True

    def decide(self, found: Localization, track: Track) -> None:
        """Take the tracker's decision about a pose that `follow` returned, or a look that it had to judge."""
        self._decided_ns = found.stamp_ns
        if found.accepted:
            self._looked_ns = found.looked_ns
        if not track.trusted:
            self.forget()
        elif self.flow.enabled:
            self._followed, self._world_T_cam = self._judged, found.world_T_cam

    def _is_due(self, stamp_ns: int, found: Localization) -> bool:
        look = self._followed
        sigma_m, looked_sigma_m = (largest_sigma(one.covariance[:3, :3]) for one in (found, look.found))
        is_weak = found.inliers < WEAK_SHARE * look.points or sigma_m > WEAK_SIGMAS * looked_sigma_m
        return is_weak or stamp_ns - self._wanted_ns >= self.flow.period_s * NS_PER_S
