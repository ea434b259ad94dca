"""Doubtful poses: a large part of their image agrees with another pose, as when furniture was moved. Odometry decides.

It does so where it exists: it leads from the last pose without doubt to the right one of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cl_localization.config import TrackerConfig
from cl_localization.localization.result import Localization
from cl_localization.tracking.gating import OdometryMonitor, PoseMeasurement, innovation

RIVAL_SHARE, LEAST_RIVALS = 0.1, 20
"""A pose is doubtful when so many features agree with another one: this share of its own, and this many."""

MOSTLY_EXPLAINS, LARGE_RIVAL_SHARE = 0.32, 0.5
"""A pose that explains this share of an image is doubtful only where odometry does not lead to it, and where so many
features for each of its own agree with another one."""

ANCHOR_EXPLAINS, SURELY_EXPLAINS = 0.26, 0.5
"""Share of an image's features that must agree with a pose for others to be held against it: where odometry leads to it
from the last such pose, and anywhere, as a robot may be carried. A large cupboard alone explains up to 0.48."""

Search = Callable[[Localization], Localization]

FEW_EXPECTED = 1.0
"""A map that should show fewer codes than an image has features holds too few to tell what has moved, where no pose
before was without doubt. Rooms mapped with depth or without have 1.5 to 10 codes in view for each feature."""


class DoubtfulPoses:
    """Refuses doubtful poses that odometry does not lead to from the last pose without doubt."""

    def __init__(self, config: TrackerConfig = TrackerConfig()) -> None:
        """Use the gate of a tracker's options."""
        self._config = config
        self.forget()

    def forget(self) -> None:
        """Begin again: no pose is known."""
        self._odometry = OdometryMonitor()
        self._anchor: PoseMeasurement | None = None
        self._scene = ""

    def judge(self, found: Localization, odom_T_cam: np.ndarray | None, with_rival: Search) -> Localization:
        """Return a localization, refused if it is doubtful and odometry does not lead to it.

        Args:
            odom_T_cam: (4, 4) the camera in the odometry frame; None without odometry: then nothing is refused.
            with_rival: returns a localization with what else its image agrees with; called only where that matters.
        """
        reading = self._odometry.read(odom_T_cam, found.stamp_ns, self._config)
        if not found.accepted or reading is None or found.world_T_cam is None or found.covariance is None:
            return found
        measured = PoseMeasurement(found.stamp_ns, found.world_T_cam, found.covariance, reading)
        is_led_to = self._leads_to(measured, found.scene)
        if found.explained < (MOSTLY_EXPLAINS if is_led_to else SURELY_EXPLAINS):
            found = with_rival(found)
        share = RIVAL_SHARE if found.explained < MOSTLY_EXPLAINS else LARGE_RIVAL_SHARE
        if found.rival_inliers < max(LEAST_RIVALS, share * found.inliers):
            if found.explained >= SURELY_EXPLAINS or (found.explained >= ANCHOR_EXPLAINS
                                                      and (self._anchor is None or is_led_to)):
                self._anchor, self._scene = measured, found.scene
            return found
        if is_led_to or (self._anchor is None and found.expected < FEW_EXPECTED):
            return found
        return replace(found, accepted=False, reason=f"{found.inliers} features agree with the pose, but "
                       f"{found.rival_inliers} with another one, and odometry does not tell which is right")

    def _leads_to(self, measured: PoseMeasurement, scene: str) -> bool:
        if self._anchor is None or scene != self._scene:
            return False
        gap = innovation(self._anchor, measured, self._config)
        return gap.by_odometry and gap.within_gate
