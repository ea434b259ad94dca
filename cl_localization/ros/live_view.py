"""Feeds a scene from the topics of a running mapper and localizer: what RViz shows."""

from __future__ import annotations

from functools import partial

import numpy as np
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from nav_msgs.msg import Path
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2

from cl_localization.data.message_images import rgb_of
from cl_localization.msg import LocalizationStatus, MappingStatus
from cl_localization.ros.conversions import LATCHED, matrix_of, points_of
from cl_localization.ros.map_topic.map_messages import BYTES_PER_MB
from cl_localization.ros.watcher import Watcher
from cl_localization.viz.viewer import LiveScene

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
CM_PER_M = 100.0
STATES = {LocalizationStatus.LOST: "LOST", LocalizationStatus.RELOCALIZED: "RELOCALIZED",
          LocalizationStatus.TRACKING: "TRACKING"}


class LiveView(Watcher):
    """Shows what the nodes `mapper` and `localizer` of a namespace publish."""

    def __init__(self, scene: LiveScene, namespace: str = "", domain: int | None = None) -> None:
        """Subscribe, in a ROS domain or that of the environment; the scene is filled from the watcher's thread."""
        super().__init__("live_view", domain, namespace)
        self._scene = scene
        self.hear(PoseArray, "mapper/keyframes", self._on_keyframes, LATCHED)
        self.hear(PointCloud2, "mapper/codes", lambda cloud: scene.show_codes(points_of(cloud)), LATCHED)
        self.hear(PointCloud2, "localizer/inliers", lambda cloud: scene.show_inliers(points_of(cloud)), NEWEST)
        for node in ("localizer", "mapper"):
            self.hear(Path, f"{node}/path", partial(self._on_path, node), LATCHED)
            self.hear(PoseWithCovarianceStamped, f"{node}/pose",
                      lambda found: scene.show_camera(matrix_of(found.pose.pose)))
        self.hear(PoseWithCovarianceStamped, "localizer/base_pose",
                  lambda found: scene.show_robot(matrix_of(found.pose.pose)))
        for topic in ("localizer/overlay", "mapper/nerf/image"):
            self.hear(Image, topic, partial(self._on_image, topic), NEWEST)
        self.hear(LocalizationStatus, "localizer/status", self._on_localizer)
        self.hear(MappingStatus, "mapper/status", lambda status: scene.show_status("mapper", mapper_lines(status)))

    def _on_path(self, node: str, path: Path) -> None:
        self._scene.show_track(node, positions_m(path))

    def _on_image(self, topic: str, image: Image) -> None:
        self._scene.show_image(topic, rgb_of(image, topic))

    def _on_keyframes(self, keyframes: PoseArray) -> None:
        self._scene.show_keyframes(np.array([matrix_of(pose) for pose in keyframes.poses]).reshape(-1, 4, 4))

    def _on_localizer(self, status: LocalizationStatus) -> None:
        self._scene.show_status("localizer", localizer_lines(status))
        if status.state == LocalizationStatus.LOST:
            self._scene.hide_robot()


def positions_m(path: Path) -> np.ndarray:
    """Return the positions (N, 3) of a path."""
    found = [(one.pose.position.x, one.pose.position.y, one.pose.position.z) for one in path.poses]
    return np.array(found, np.float32).reshape(-1, 3)


def localizer_lines(status: LocalizationStatus) -> list[str]:
    """Return what a localizer says of itself."""
    sigma_cm = CM_PER_M * status.position_sigma_m
    position = f"position ± {sigma_cm:.1f} cm" if np.isfinite(sigma_cm) else "no position"
    return [f"{STATES[status.state]}: {status.decision}", f"{status.inliers} inliers of {status.keypoints} keypoints",
            f"{position}, {status.latency_ms:.0f} ms after the image",
            f"map of {status.codes} codes, version {status.map_version}",
            f"{status.frames_processed} images, {status.frames_dropped} dropped"]


def mapper_lines(status: MappingStatus) -> list[str]:
    """Return what a mapper says of itself, and what it has against its map."""
    state = status.own_pose or ("learning" if status.learning else "not learning")
    problems = filter(None, (status.save_error, *status.health_warnings))
    return [f"{state}: {status.reason}",
            f"{status.keyframes} keyframes, {status.codes} codes, {status.map_bytes / BYTES_PER_MB:.1f} MB",
            f"{status.unsaved_keyframes} keyframes unsaved",
            f"{status.frames_processed} images, {status.frames_dropped} dropped", *problems]
