"""What the localizer node publishes and logs; inliers, overlay and path are only built for subscribers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import cv2
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
from cl_localization.ros.nodes.initial_pose import InitialPose
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.status_messages import Counts, localization_status, no_localization_status, place_match
from cl_localization.tracking.tracker import State, Track

ACCEPTED_RGB = (60, 220, 60)
REJECTED_RGB = (230, 60, 60)
RADIUS_PX = 3

WAITING_S = 10.0
"""Time between two lines while there is no pose."""


class LocalizerOutputs:
    """The publishers of the localizer.

    Attributes:
        initial: the topic initialpose, which is heard, too.
        scene: that of the last trusted pose; empty before the first.
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
        self.scene = ""
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
            self.scene = found.scene
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

    def forget_path(self) -> None:
        """Begin another path: the poses so far are in another map."""
        self._poses.clear()
        self._path.publish(Path(header=Header(frame_id=self._config.frames.map)))

    def _publish_path(self, header: Header, found: Localization, track: Track) -> None:
        if track.trusted:
            self._poses.append(PoseStamped(header=header, pose=conversions.pose_message(found.world_T_cam)))
            if self._path.get_subscription_count():
                self._path.publish(Path(header=header, poses=list(self._poses)))


class TrackLog:
    """Turns the tracker's decisions into few log lines; not thread-safe, as a line said twice does no harm."""

    def __init__(self, logger: Any, now_s: Callable[[], float] = time.monotonic) -> None:
        """Log to `logger`; `now_s` is the clock for `WAITING_S`."""
        self._console, self._now_s = logger, now_s
        self._state, self._has_pose, self._said_s = State.LOST, False, now_s()

    def note(self, track: Track, map_T_cam: np.ndarray | None = None) -> None:
        """Take a decision, and the camera's pose (4, 4) if there is one."""
        was, self._state = self._state, track.state
        if track.state == State.RELOCALIZED and track.trusted and map_T_cam is not None:
            x, y, z = map_T_cam[:3, 3]
            self._console.info(f"{'RELOCALIZED' if self._has_pose else 'first pose'}: camera at {x:.2f} {y:.2f} "
                               f"{z:.2f} m in the map; {track.reason}")
            self._has_pose = True
        elif track.state == State.LOST and was != State.LOST:
            self._console.warning(f"LOST: {track.reason}")
        elif track.state == State.LOST and self._now_s() - self._said_s > WAITING_S:
            self._console.info(f"no pose{'' if self._has_pose else ' yet'}: {track.reason}")
        else:
            return
        self._said_s = self._now_s()


def overlay(image: np.ndarray, found: Localization) -> np.ndarray:
    """Return a copy of an (H, W, 3) uint8 RGB image with inliers (green: accepted, red: rejected) and a text."""
    drawn = image.copy()
    colour = ACCEPTED_RGB if found.accepted else REJECTED_RGB
    for x, y in np.asarray(found.inlier_keypoints_px, int):
        cv2.circle(drawn, (int(x), int(y)), RADIUS_PX, colour, 1, cv2.LINE_AA)
    text = f"{found.inliers} inliers" if found.accepted else found.reason
    cv2.putText(drawn, text, (8, image.shape[0] - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return drawn
