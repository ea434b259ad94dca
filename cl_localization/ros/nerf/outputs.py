"""Publishes images and depth rendered from a radiance field, at the newest pose or at a requested one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, Image

from cl_localization.errors import RosError
from cl_localization.geometry.camera import Camera
from cl_localization.mapping.given_pose import MAX_POSITION_M
from cl_localization.nerf.live import LiveField
from cl_localization.ros import conversions
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import TfLookup


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """A camera and its pose at a time.

    Attributes:
        frame_id: the camera's tf frame.
        map_T_cam: pose (4, 4).
    """

    stamp: Time
    frame_id: str
    camera: Camera
    map_T_cam: np.ndarray


class NerfOutputs:
    """Publishers of rendered views, and the subscription to requested poses.

    Attributes:
        newest: viewpoint of the newest image; None before the first.
    """

    def __init__(self, node: ManagedNode, lookup: TfLookup) -> None:
        """Create the publishers on `node`; `lookup` transforms requested poses to the map frame."""
        self.newest: Viewpoint | None = None
        self._node, self._lookup = node, lookup
        self._wanted: PoseStamped | None = None
        self._image = node.publisher(Image, "~/nerf/image")
        self._depth = node.publisher(Image, "~/nerf/depth")
        self._info = node.publisher(CameraInfo, "~/nerf/camera_info")

    def listen(self) -> None:
        """Subscribe to requested camera poses on ~/nerf/view while the node is active."""
        self._wanted = None
        self._node.hear(PoseStamped, "~/nerf/view", self._take)

    @property
    def wanted(self) -> bool:
        """Whether there are subscribers, and an image has arrived."""
        publishers = self._image, self._depth, self._info
        return self.newest is not None and any(publisher.get_subscription_count() for publisher in publishers)

    def show(self, field: LiveField, within: Callable[[], AbstractContextManager]) -> None:
        """Render and publish the view from the last requested pose, once, else from the newest image's pose.

        Args:
            within: see `LiveField.render`.

        Raises:
            RosError: the requested pose is invalid, or tf cannot transform it to the map frame.
        """
        view = self.newest
        if view is None:
            return
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            view = replace(view, stamp=wanted.header.stamp, map_T_cam=self._in_map(wanted))
        camera = field.render_camera(view.camera)
        seen = field.render(view.map_T_cam, camera, within)
        messages = ((conversions.image_message(seen.image), self._image),
                    (conversions.depth_message(seen.depth_m), self._depth),
                    (conversions.camera_info_message(camera), self._info))
        for message, publisher in messages:
            message.header.stamp, message.header.frame_id = view.stamp, view.frame_id
            publisher.publish(message)

    def _take(self, message: PoseStamped) -> None:
        self._wanted = message

    def _in_map(self, wanted: PoseStamped) -> np.ndarray:
        header, frame_T_cam = wanted.header, conversions.matrix_of(wanted.pose)
        map_frame, frame = self._node.config.frames.map, conversions.plain(header.frame_id)
        if frame == map_frame:
            return within_reach(frame_T_cam)
        return within_reach(self._lookup.at(map_frame, frame, header.stamp) @ frame_T_cam)


def within_reach(map_T_cam: np.ndarray) -> np.ndarray:
    """Return the pose (4, 4) unchanged; raises RosError if it is too far from the origin."""
    far_m = float(np.abs(map_T_cam[:3, 3]).max())
    if not far_m < MAX_POSITION_M:
        raise RosError("pose of the camera", f"must lie within {MAX_POSITION_M:g} m of the map's origin",
                       f"{far_m:g} m", "choose a map frame near the robot")
    return map_T_cam
