"""What running nodes find out, in a browser as it changes, with a viser server."""

from __future__ import annotations

from typing import Any

import numpy as np

from cl_localization.geometry.se3 import to_quaternion
from cl_localization.viz.viewer import look_at, show_codes, show_keyframes

FRUSTUM_FOV_RAD, CAMERA_M, ROBOT_M = 0.9, 0.25, 0.4
CAMERA_COLOR, INLIER_COLOR = (237, 174, 73), (60, 220, 60)
TRACK_COLORS = {"localizer": (209, 73, 91), "mapper": (46, 157, 92)}
INLIER_SIZE_M = 0.02


class LiveScene:
    """A scene that is shown by parts, each in place of what was there; poses and points are in the map frame."""

    def __init__(self, server: Any, point_size_m: float) -> None:
        """Fill a `viser.ViserServer`; `point_size_m` is the edge of a code's square."""
        self._server, self._point_size_m, self._up = server, point_size_m, "+z"
        self._statuses: dict[str, str] = {}
        self._status = server.gui.add_markdown("Nothing has been heard of the nodes yet.")
        self._images: dict[str, Any] = {}
        self._markers: dict[str, Any] = {}
        self._codes_m = np.zeros((0, 3), np.float32)
        server.on_client_connect(lambda client: look_at(client, self._codes_m, self._up))

    def show_codes(self, positions_m: np.ndarray) -> None:
        """Show the codes (M, 3) of the map."""
        self._codes_m = positions_m
        show_codes(self._server, positions_m, self._up, self._point_size_m)

    def show_keyframes(self, map_T_cams: np.ndarray) -> None:
        """Show the keyframes (K, 4, 4) of the map."""
        self._up = show_keyframes(self._server, map_T_cams)

    def show_inliers(self, points_m: np.ndarray) -> None:
        """Show the codes (N, 3) that the last pose rests on."""
        self._server.scene.add_point_cloud("/inliers", points=points_m, colors=INLIER_COLOR, point_size=INLIER_SIZE_M)

    def show_track(self, name: str, positions_m: np.ndarray) -> None:
        """Show where a node, localizer or mapper, has seen the camera (N, 3)."""
        lines_m = np.stack([positions_m[:-1], positions_m[1:]], axis=1)
        self._server.scene.add_line_segments(f"/track/{name}", points=lines_m, colors=TRACK_COLORS[name], line_width=3)

    def show_camera(self, map_T_cam: np.ndarray) -> None:
        """Show where the camera is, by a pose (4, 4)."""
        if "camera" not in self._markers:
            self._markers["camera"] = self._server.scene.add_camera_frustum(
                "/camera", fov=FRUSTUM_FOV_RAD, aspect=4 / 3, scale=CAMERA_M, color=CAMERA_COLOR)
        self._move("camera", map_T_cam)

    def show_robot(self, map_T_base: np.ndarray) -> None:
        """Show where the robot is, by a pose (4, 4) of its base: an axis red ahead, one green to the left."""
        if "robot" not in self._markers:
            self._markers["robot"] = self._server.scene.add_frame("/robot", axes_length=ROBOT_M)
        self._move("robot", map_T_base)

    def hide_robot(self) -> None:
        """Show no robot and no camera: nobody knows where they are."""
        for marker in self._markers.values():
            marker.visible = False

    def show_image(self, label: str, image: np.ndarray) -> None:
        """Show an image (H, W, 3) uint8 RGB beside the scene."""
        if label not in self._images:
            self._images[label] = self._server.gui.add_image(image, label=label)
        self._images[label].image = image

    def show_status(self, name: str, lines: list[str]) -> None:
        """Show what a node says of itself, beside the scene."""
        self._statuses[name] = "\n".join([f"**{name}**", "", *(f"- {line}" for line in lines)])
        self._status.content = "\n\n".join(text for _, text in sorted(self._statuses.items()))

    def _move(self, name: str, map_T_marker: np.ndarray) -> None:
        position_m, quat_xyzw = to_quaternion(map_T_marker)
        marker = self._markers[name]
        marker.position, marker.wxyz, marker.visible = position_m, np.roll(quat_xyzw, 1), True
