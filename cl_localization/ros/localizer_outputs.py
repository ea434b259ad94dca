"""What the localizer says about an image: pose, tf, place, and what costs something only when somebody listens."""

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
from cl_localization.errors import RosError
from cl_localization.localizer import Localization
from cl_localization.msg import LocalizationStatus, PlaceMatch
from cl_localization.ros import conversions
from cl_localization.ros.image_source import ImageBundle
from cl_localization.ros.managed_node import ManagedNode
from cl_localization.ros.overlay import overlay
from cl_localization.ros.status_messages import Counts, localization_status, no_localization_status, place_match
from cl_localization.ros.tf import Tf
from cl_localization.ros.tracking_state import State
from cl_localization.scene_coordinates.map_code import MapCode


@dataclass(frozen=True, eq=False)
class Localized:
    """One localized image with all that is said about it."""

    bundle: ImageBundle
    frame: Frame
    found: Localization
    state: State
    map_code: MapCode
    counts: Counts


class LocalizerOutputs:
    """The publishers of the localizer."""

    def __init__(self, node: ManagedNode, tf: Tf) -> None:
        """Make the publishers of `node`, which lives longer than this."""
        self._node, self._tf = node, tf
        self._status = node.publisher(LocalizationStatus, "~/status")
        self._pose = node.publisher(PoseWithCovarianceStamped, "~/pose")
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

    def refuse(self, stamp_ns: int, reason: str, state: State, counts: Counts) -> None:
        """Say why an image was not localized."""
        self._status.publish(no_localization_status(reason, state, stamp_ns, self._config.frames.map, counts))

    def publish(self, localized: Localized) -> None:
        """Say all about an image; the pose first, it is what others wait for."""
        if localized.found.accepted:
            self._publish_pose(localized)
        latency_s = time.monotonic() - localized.bundle.arrived_s
        self._status.publish(localization_status(localized.found, localized.state, localized.map_code,
                                                 self._config.frames.map, latency_s, localized.counts))
        if localized.found.accepted:
            self._publish_tf(localized)
        if localized.found.accepted and len(localized.map_code.keyframes):
            self._place.publish(place_match(localized.found, localized.map_code, self._config.frames.map))
        self._publish_if_watched(localized)

    def _header(self, localized: Localized) -> Header:
        return Header(stamp=localized.bundle.image.header.stamp, frame_id=self._config.frames.map)

    def _publish_pose(self, localized: Localized) -> None:
        found = localized.found
        self._pose.publish(PoseWithCovarianceStamped(
            header=self._header(localized), pose=conversions.pose_with_covariance(found.world_T_cam, found.covariance)))

    def _publish_tf(self, localized: Localized) -> None:
        """Send the pose to tf; where tf lacks the robot at this stamp, nothing is sent and the log says so."""
        bundle, world_T_cam = localized.bundle, localized.found.world_T_cam
        try:
            if self._config.publish_tf:
                transform = self._tf.map_transform.of(world_T_cam, bundle.camera_frame, bundle.image.header.stamp)
                if transform is not None:
                    self._tf.send(transform)
            if self._initial_due:
                self._publish_initial_pose(localized)
        except RosError as error:
            self._node.report(error)

    def _publish_initial_pose(self, localized: Localized) -> None:
        bundle, found = localized.bundle, localized.found
        map_T_base = self._tf.map_transform.map_T_base(found.world_T_cam, bundle.camera_frame, bundle.image.header.stamp)
        self._initial.publish(PoseWithCovarianceStamped(
            header=self._header(localized), pose=conversions.pose_with_covariance(map_T_base, found.covariance)))
        self._initial_due = False

    def _publish_if_watched(self, localized: Localized) -> None:
        header, found = self._header(localized), localized.found
        if found.accepted:
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
