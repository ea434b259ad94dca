"""Depth in a frame of its own, brought into the image by tf and both calibrations."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from cl_localization.data.message_camera import camera_of
from cl_localization.data.registration import DepthRegistration
from cl_localization.errors import LocalizationError, RosError
from cl_localization.geometry.camera import Camera
from cl_localization.ros.conversions import plain
from cl_localization.ros.tf.lookup import TfLookup

ALIGN = ("let the driver align depth to colour (as align_depth of realsense2_camera), or publish the depth camera's "
         "camera_info on depth_camera_info and its frame on tf")
SAME_M = 1e-6


class DepthRegistrar:
    """Registers depth images to colour images; the mapping from one to the other is made once.

    Attributes:
        problem: why the last depth image was left out; empty for no problem. Callers clear it for an image that needs
            no registration.
    """

    def __init__(self, lookup: TfLookup, is_needed: bool) -> None:
        """Look up the cameras in `lookup`; `is_needed`: images without depth are refused."""
        self.problem = ""
        self._lookup, self._is_needed = lookup, is_needed
        self._registration: DepthRegistration | None = None
        self._colour_T_depth = np.zeros((4, 4))

    def registered(self, depth_m: np.ndarray, header: Header, info: CameraInfo | None, camera: Camera,
                   camera_frame: str) -> np.ndarray | None:
        """Return depth (H, W) as the colour camera sees it, None to leave it out.

        Args:
            depth_m: (H, W) float32 metres, as its camera saw it.
            header: of its message.
            info: calibration of its camera; None without one.
            camera, camera_frame: the colour camera and its tf frame.

        Raises:
            LocalizationError: it cannot be registered, and is needed.
        """
        try:
            found = self._matching(header, info, camera, camera_frame).register(depth_m)
            self.problem = ""
            return found
        except LocalizationError as error:
            if self._is_needed:
                raise
            self.problem = f"mapping without depth: {error}"
            return None

    def _matching(self, header: Header, info: CameraInfo | None, camera: Camera,
                  camera_frame: str) -> DepthRegistration:
        depth_frame = plain(header.frame_id)
        if info is None or not self._lookup.connected(camera_frame, depth_frame):
            raise RosError("depth", f"must be in the frame of the image, {camera_frame}", depth_frame, ALIGN)
        colour_T_depth = self._lookup.at(camera_frame, depth_frame, header.stamp)
        depth_camera = camera_of(info, "depth_camera_info")
        made = self._registration
        if made is None or (made.depth_camera, made.colour_camera) != (depth_camera, camera) \
                or np.abs(colour_T_depth - self._colour_T_depth).max() > SAME_M:
            made = self._registration = DepthRegistration(depth_camera, camera, colour_T_depth)
            self._colour_T_depth = colour_T_depth
        return made
