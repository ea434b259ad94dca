"""Where the camera of a bag was: from a topic of poses, from tf, or from odometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cl_localization.data.bag_contents import MAX_HOLD_NS, BagContents
from cl_localization.data.bag_topics import BagTopics
from cl_localization.data.trajectory import Trajectory, trajectory_of
from cl_localization.errors import DataError

SHOWN_FRAMES = 300
"""Characters of the names of frames that a note shows."""

PoseLookup = Callable[[int], "np.ndarray | None"]
"""Gives the pose (4, 4) at a stamp in nanoseconds, None where it is not known."""


class CameraPoses:
    """Chooses among the sources of a bag.

    Args:
        cam_frame: frame of the images.
        max_gap_ns: poses are interpolated between neighbours up to this far apart.
    """

    def __init__(self, contents: BagContents, topics: BagTopics, cam_frame: str, max_gap_ns: int) -> None:
        self._contents, self._topics, self._cam_frame, self._max_gap_ns = contents, topics, cam_frame, max_gap_ns

    def world(self, pose: str, pose_of_frame: str, world_frame: str) -> tuple[PoseLookup, str]:
        """Return the lookup of world_T_cam and a sentence that says where it comes from."""
        if pose == "none":
            return _nothing, "no poses asked for"
        if self._topics.pose:
            return self._from_topic(self._topics.pose, pose_of_frame), f"poses from {self._topics.pose}"
        if self._contents.tf.connects(world_frame, self._cam_frame):
            return self._from_tf(world_frame), f"poses from tf {world_frame} -> {self._cam_frame}"
        if pose == "tf":
            raise DataError(f"tf of the bag from {world_frame} to {self._cam_frame}", "is missing",
                            remedy="name the world's frame with ?world_frame=FRAME")
        if self._topics.odometry and self._reaches_camera(self._topics.odometry):
            note = f"poses from odometry {self._topics.odometry}, which drifts"
            return self._from_topic(self._topics.odometry, ""), note
        frames = ", ".join(sorted(self._contents.tf.frames()))[:SHOWN_FRAMES] or "none"
        return _nothing, (f"no poses found: tf does not lead from {world_frame} to {self._cam_frame}; its frames are "
                          f"{frames}: name one with ?world_frame=FRAME, or a topic with ?pose=TOPIC")

    def odometry(self, odom_frame: str) -> PoseLookup:
        """Return the lookup of odom_T_cam."""
        if self._contents.tf.connects(odom_frame, self._cam_frame):
            return self._from_tf(odom_frame)
        if self._topics.odometry and self._reaches_camera(self._topics.odometry):
            return self._from_topic(self._topics.odometry, "")
        return _nothing

    def _from_tf(self, target: str) -> PoseLookup:
        return lambda stamp: self._contents.tf.lookup(target, self._cam_frame, stamp)

    def _reaches_camera(self, topic: str) -> bool:
        child = self._contents.frames[topic][1]
        return child == self._cam_frame or self._contents.tf.connects(child, self._cam_frame)

    def _from_topic(self, topic: str, pose_of_frame: str) -> PoseLookup:
        trajectory: Trajectory = trajectory_of(self._contents.poses[topic])
        child = pose_of_frame or self._contents.frames[topic][1] or self._cam_frame
        if child != self._cam_frame and not self._contents.tf.connects(child, self._cam_frame):
            raise DataError(f"tf of the bag from {child} to {self._cam_frame}",
                            f"is missing, so {topic} does not give the camera's pose",
                            remedy="record /tf_static, or name another source with ?pose=TOPIC")

        def at(stamp: int) -> np.ndarray | None:
            world_T_child = trajectory.at(stamp, self._max_gap_ns, MAX_HOLD_NS)
            child_T_cam = self._contents.tf.lookup(child, self._cam_frame, stamp)
            return None if world_T_child is None or child_T_cam is None else world_T_child @ child_T_cam
        return at


def _nothing(stamp: int) -> np.ndarray | None:
    """Return no pose."""
    return None
