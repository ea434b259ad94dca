"""What the localizer says about an image: poses, status, place, and what costs something only when somebody listens."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import Path
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from cl_localization.data.frame import Frame
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode
from cl_localization.msg import LocalizationStatus, PlaceMatch
from cl_localization.ros import conversions
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.images.overlay import overlay
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.status_messages import Counts, localization_status, no_localization_status, place_match
from cl_localization.ros.tf.tracking import Tracked
from cl_localization.tracking.tracker import Track


@dataclass(frozen=True, eq=False)
class Localized:
    """One localized image with all that is said about it."""

    bundle: ImageBundle
    frame: Frame
    found: Localization
    tracked: Tracked
    map_code: MapCode
    counts: Counts

    @property
    def trusted(self) -> bool:
        """Whether its pose is published."""
        return self.tracked.track.trusted


class LocalizerOutputs:
    """The publishers of the localizer."""

    def __init__(self, node: ManagedNode) -> None:
        """Make the publishers of `node`, which lives longer than this."""
        self._node = node
        self._status = node.publisher(LocalizationStatus, "~/status")
        self._pose = node.publisher(PoseWithCovarianceStamped, "~/pose")
        self._base_pose = node.publisher(PoseWithCovarianceStamped, "~/base_pose")
        self._place = node.publisher(PlaceMatch, "~/place")
        self._path = node.publisher(Path, "~/path", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self._inliers = node.publisher(PointCloud2, "~/inliers")
        self._overlay = node.publisher(Image, "~/overlay")
        self._initial = node.publisher(PoseWithCovarianceStamped, "/initialpose")
        self._initial_due = self._config.publish_initial_pose
        self._poses: deque[PoseStamped] = deque(maxlen=self._config.path_length)

    @property
    def _config(self) -> Any:
        return self._node.config

    def announce(self, track: Track, stamp_ns: int, counts: Counts) -> None:
        """Say why an image was not worked on, or what was decided without one."""
        self._status.publish(no_localization_status(track, stamp_ns, self._config.frames.map, counts))

    def publish(self, localized: Localized) -> None:
        """Say all about an image; the pose first, it is what others wait for."""
        if localized.trusted:
            self._publish_pose(localized)
        latency_s = time.monotonic() - localized.bundle.arrived_s
        tracked, frame = localized.tracked, self._config.frames.map
        self._status.publish(localization_status(localized.found, tracked.track, tracked.has_odometry,
                                                 localized.map_code, frame,
                                                 latency_s, localized.counts))
        if localized.found.place is not None:
            self._place.publish(place_match(localized.found, localized.trusted, frame))
        self._publish_if_watched(localized)

    def _header(self, localized: Localized) -> Header:
        return Header(stamp=localized.bundle.image.header.stamp, frame_id=self._config.frames.map)

    def _publish_pose(self, localized: Localized) -> None:
        """Send the pose of the camera, and that of the robot where tf knows its base."""
        header, found, robot = self._header(localized), localized.found, localized.tracked.robot
        self._pose.publish(PoseWithCovarianceStamped(
            header=header, pose=conversions.pose_with_covariance(found.world_T_cam, found.covariance)))
        if robot is None:
            return
        of_base = PoseWithCovarianceStamped(
            header=header, pose=conversions.pose_with_covariance(robot.map_T_base, robot.covariance))
        self._base_pose.publish(of_base)
        if self._initial_due:
            self._initial.publish(of_base)
            self._initial_due = False

    def _publish_if_watched(self, localized: Localized) -> None:
        header, found = self._header(localized), localized.found
        if localized.trusted:
            self._poses.append(PoseStamped(header=header, pose=conversions.pose_message(found.world_T_cam)))
            if self._path.get_subscription_count():
                self._path.publish(Path(header=header, poses=list(self._poses)))
        if found.inliers and self._inliers.get_subscription_count():
            cloud = conversions.cloud_message(np.asarray(found.inlier_points_m))
            cloud.header = header
            self._inliers.publish(cloud)
        if self._overlay.get_subscription_count():
            image = conversions.image_message(overlay(localized.frame.image, found))
            image.header = localized.bundle.image.header
            self._overlay.publish(image)
