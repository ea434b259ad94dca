"""Publishes REP 105's map -> odom, smoothed; map -> base without odometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import TransformStamped

from cl_localization.data.stamps import NS_PER_S
from cl_localization.geometry.robot_pose import RobotPose
from cl_localization.geometry.se3 import inverse
from cl_localization.geometry.smoothing import SmoothCorrection
from cl_localization.ros.conversions import time_message, transform_message
from cl_localization.ros.nodes.config import LocalizerNodeConfig
from cl_localization.ros.tf.lookup import Mounting


class MapTf:
    """Publishes the transform from the map, with strictly increasing timestamps; not thread-safe.

    With odometry, map -> odom is published with every trusted pose and periodically, stamped `transform_tolerance_s` in
    the future, so that look-ups at the present time succeed. Without odometry, the transform has its image's timestamp,
    and is neither repeated nor smoothed.
    """

    def __init__(self, config: LocalizerNodeConfig, send: Callable[[list[TransformStamped]], None]) -> None:
        """Start without a transform. `config` may be replaced; `send` publishes transforms."""
        self.config = config
        self._send = send
        self._smooth = SmoothCorrection()
        self._child_frame = ""
        self._sent_ns = self._advanced_ns = 0

    def show(self, robot: RobotPose, mounting: Mounting, at_once: bool, stamp_ns: int, now_ns: int) -> None:
        """Publish the transform for a trusted pose of the robot.

        Args:
            robot: pose of the base, or of the camera if tf does not connect it to the base.
            mounting: the camera's poses at the image's timestamp.
            at_once: whether the transform may jump.
            stamp_ns, now_ns: the image's timestamp, and the present time on the same clock.
        """
        if mounting.child_frame != self.config.frames.odom:
            self.silence()  # odometry that got another parent must not be sent the last correction on
            self._publish(mounting.child_frame, robot.map_T_base @ mounting.cam_T_child, stamp_ns)
        elif mounting.odom_T_cam is not None:
            odom_T_base = mounting.odom_T_cam
            if mounting.base_T_cam is not None:
                odom_T_base = odom_T_base @ inverse(mounting.base_T_cam)
            self._smooth.aim(robot.map_T_base, odom_T_base, at_once)
            if at_once:
                self._publish(mounting.child_frame, self._smooth.map_T_odom, stamp_ns)
            self._child_frame = mounting.child_frame
            self.repeat(now_ns)
        elif at_once:
            self.silence()

    def repeat(self, now_ns: int) -> None:
        """Advance towards the newest correction and publish map -> odom; nothing if silent or without odometry."""
        if self._smooth.map_T_odom is None:
            return
        map_T_odom = self._smooth.advance((now_ns - self._advanced_ns) / NS_PER_S, self.config.smoothing)
        self._advanced_ns = now_ns
        self._publish(self._child_frame, map_T_odom, now_ns + round(self.config.transform_tolerance_s * NS_PER_S))

    def silence(self) -> None:
        """Publish nothing until the next trusted pose, which is then used without smoothing."""
        self._smooth.reset()

    def restart(self) -> None:
        """Be silent, and accept earlier timestamps, after a jump back in time."""
        self.silence()
        self._sent_ns = 0

    def _publish(self, child_frame: str, map_T_child: np.ndarray, stamp_ns: int) -> None:
        if stamp_ns <= self._sent_ns or not child_frame:
            return
        self._sent_ns = stamp_ns
        message = TransformStamped(child_frame_id=child_frame, transform=transform_message(map_T_child))
        message.header.stamp, message.header.frame_id = time_message(stamp_ns), self.config.frames.map
        self._send([message])
