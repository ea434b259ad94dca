"""Shows a map, and what running nodes find out as it changes, in a browser with a viser server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from cl_localization.geometry.se3 import to_quaternion
from cl_localization.viz.top_view import up_axis

FRUSTUM_FOV_RAD, CAMERA_M, ROBOT_M = 0.9, 0.25, 0.4
CAMERA_COLOR, INLIER_COLOR = (237, 174, 73), (60, 220, 60)
TRACK_COLORS = {"localizer": (209, 73, 91), "mapper": (46, 157, 92)}
INLIER_SIZE_M = 0.02

if TYPE_CHECKING:
    from cl_localization.map.map_code import MapCode

KEYFRAME_COLOR = (48, 99, 142)
FRUSTUM_M = 0.06 * np.array([[0, 0, 0], [-0.64, -0.48, 1], [0.64, -0.48, 1], [0.64, 0.48, 1], [-0.64, 0.48, 1]])
"""A camera's centre and the corners of its image, in the camera's frame."""

FRUSTUM_EDGES = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1]])

ASIDE = 0.6
"""How far aside one looks at a map from, over how far from above."""


def show_map(server: Any, map_code: MapCode, point_size_m: float) -> None:
    """Add a map's codes, coloured by height, and its keyframes to a viser scene.

    Args:
        server: a `viser.ViserServer`.
        point_size_m: edge of a code's square.
    """
    up = show_keyframes(server, np.asarray(map_code.keyframe_world_T_cam))
    show_codes(server, map_code.positions_m, up, point_size_m)
    server.on_client_connect(lambda client: look_at(client, map_code.positions_m, up))


def show_codes(server: Any, positions_m: np.ndarray, up: str, point_size_m: float) -> None:
    """Put codes (M, 3) into the scene, coloured by height along `up`, "+z" say, in place of those that were there."""
    points_m = np.asarray(positions_m, np.float32)
    server.scene.add_point_cloud("/codes", points=points_m, colors=height_colors(points_m @ direction(up)),
                                 point_size=point_size_m)


def show_keyframes(server: Any, world_T_cams: np.ndarray) -> str:
    """Put keyframes (K, 4, 4) into the scene in place of those that were there; return where the tops of their images
    point, "+z" say, which is up in the scene.
    """
    axis = up_axis(world_T_cams)
    up = f"{up_sign(world_T_cams, axis)}{axis}"
    server.scene.set_up_direction(up)
    server.scene.add_line_segments("/keyframes", points=frustum_lines_m(world_T_cams), colors=KEYFRAME_COLOR,
                                   line_width=2)
    return up


def look_at(client: Any, positions_m: np.ndarray, up: str) -> None:
    """Let a `viser.ClientHandle` look at codes (M, 3) from above and aside."""
    if len(positions_m) == 0:
        return
    low_m, high_m = np.percentile(positions_m, [5, 95], axis=0)
    middle_m, upwards = (low_m + high_m) / 2, direction(up)
    client.camera.position = middle_m + (upwards - ASIDE * np.roll(upwards, 1)) * np.linalg.norm(high_m - low_m)
    client.camera.look_at = middle_m


def direction(up: str) -> np.ndarray:
    """Return the unit vector (3,) of an axis with its sign, as "-y"."""
    return (1.0 if up[0] == "+" else -1.0) * np.eye(3)["xyz".index(up[1])]


def frustum_lines_m(world_T_cams: np.ndarray) -> np.ndarray:
    """Return the edges (8 K, 2, 3) of small pyramids, one for each camera pose (K, 4, 4), open where it looks."""
    corners_m = FRUSTUM_M @ world_T_cams[:, :3, :3].transpose(0, 2, 1) + world_T_cams[:, None, :3, 3]
    return corners_m[:, FRUSTUM_EDGES].reshape(-1, 2, 3).astype(np.float32)


def up_sign(world_T_cams: np.ndarray, up: str) -> str:
    """Return "+" or "-": the direction along the up axis in which the tops of images (K, 4, 4) point."""
    if len(world_T_cams) == 0:
        return "+"
    return "-" if world_T_cams[:, "xyz".index(up), 1].mean() > 0 else "+"


def height_colors(height_m: np.ndarray) -> np.ndarray:
    """Return RGB colours (M, 3) uint8 of heights (M,), dark for low."""
    if len(height_m) == 0:
        return np.zeros((0, 3), np.uint8)
    low, high = np.percentile(height_m, [2, 98])
    shares = np.clip((height_m - low) / max(float(high - low), 1e-9), 0, 1)
    return (255 * matplotlib.colormaps["viridis"](shares)[:, :3]).astype(np.uint8)


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
