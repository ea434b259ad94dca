"""The publishers of the localizer node; inliers, overlay and path are only built for subscribers."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import Path
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from cl_localization.data.frame import Frame
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode
from cl_localization.msg import LocalizationStatus, PlaceMatch
from cl_localization.ros import conversions
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.images.overlay import overlay
from cl_localization.ros.nodes.initial_pose import InitialPose
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.status_messages import Counts, localization_status, no_localization_status, place_match
from cl_localization.ros.nodes.track_log import TrackLog
from cl_localization.tracking.tracker import Track


class LocalizerOutputs:
    """The publishers of the localizer.

    Attributes:
        initial: the topic initialpose, which is heard, too.
    """

    def __init__(self, node: ManagedNode) -> None:
        """Create the publishers on `node`."""
        self._node, self._log = node, TrackLog(node.get_logger())
        self._status = node.publisher(LocalizationStatus, "~/status")
        self._pose = node.publisher(PoseWithCovarianceStamped, "~/pose")
        self._base_pose = node.publisher(PoseWithCovarianceStamped, "~/base_pose")
        self._place = node.publisher(PlaceMatch, "~/place")
        self._path = node.publisher(Path, "~/path", conversions.LATCHED)
        self._inliers = node.publisher(PointCloud2, "~/inliers")
        self._overlay = node.publisher(Image, "~/overlay")
        self.initial = InitialPose(node)
        self._poses: deque[PoseStamped] = deque(maxlen=self._config.path_length)

    @property
    def _config(self) -> Any:
        return self._node.config

    def announce(self, track: Track, stamp_ns: int, counts: Counts) -> None:
        """Publish the status of an image that was not localized, or of a decision without an image."""
        self._log.note(track)
        self._status.publish(no_localization_status(track, stamp_ns, self._config.frames.map, counts))

    def publish(self, bundle: ImageBundle, frame: Frame, found: Localization, track: Track, map_code: MapCode,
                counts: Counts) -> None:
        """Publish all results of an image, the pose first for the lowest latency."""
        header = Header(stamp=bundle.image.header.stamp, frame_id=self._config.frames.map)
        if track.trusted:
            self._publish_pose(header, found, track)
        latency_s = time.monotonic() - bundle.arrived_s
        self._status.publish(localization_status(found, track, map_code, header.frame_id, latency_s, counts))
        self._log.note(track, found.world_T_cam)
        if found.place is not None:
            self._place.publish(place_match(found, track.trusted, header.frame_id))
        self._publish_path(header, found, track)
        if found.inliers and self._inliers.get_subscription_count():
            cloud = conversions.cloud_message(np.asarray(found.inlier_points_m))
            cloud.header = header
            self._inliers.publish(cloud)
        if self._overlay.get_subscription_count():
            image = conversions.image_message(overlay(frame.image, found))
            image.header = bundle.image.header
            self._overlay.publish(image)

    def _publish_pose(self, header: Header, found: Localization, track: Track) -> None:
        """Publish the camera's pose, and the base's pose if tf has the mounting of the camera."""
        self._pose.publish(PoseWithCovarianceStamped(
            header=header, pose=conversions.pose_with_covariance(found.world_T_cam, found.covariance)))
        if track.robot is None:
            return
        of_base = PoseWithCovarianceStamped(
            header=header, pose=conversions.pose_with_covariance(track.robot.map_T_base, track.robot.covariance))
        self._base_pose.publish(of_base)
        self.initial.publish(of_base, track)

    def _publish_path(self, header: Header, found: Localization, track: Track) -> None:
        if track.trusted:
            self._poses.append(PoseStamped(header=header, pose=conversions.pose_message(found.world_T_cam)))
            if self._path.get_subscription_count():
                self._path.publish(Path(header=header, poses=list(self._poses)))
