"""Shows a map in a browser, with a viser server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from cl_localization.geometry.se3 import to_quaternion
from cl_localization.viz.top_view import up_axis

if TYPE_CHECKING:
    from cl_localization.map.map_code import MapCode

FRUSTUM_FOV_RAD, FRUSTUM_ASPECT, FRUSTUM_SCALE_M = 0.9, 4 / 3, 0.08
KEYFRAME_COLOR = (48, 99, 142)


def show_map(server: Any, map_code: MapCode, point_size_m: float) -> None:
    """Add a map's codes, coloured by height, and its keyframes to a viser scene.

    Args:
        server: a `viser.ViserServer`.
        point_size_m: edge of a code's square.
    """
    poses = np.asarray(map_code.keyframe_world_T_cam)
    up = up_axis(poses)
    server.scene.set_up_direction(f"{up_sign(poses, up)}{up}")
    positions_m = np.asarray(map_code.positions_m, np.float32)
    server.scene.add_point_cloud("/codes", points=positions_m, colors=height_colors(positions_m[:, "xyz".index(up)]),
                                 point_size=point_size_m)
    for number, world_T_cam in enumerate(poses):
        position_m, quat_xyzw = to_quaternion(world_T_cam)
        server.scene.add_camera_frustum(f"/keyframes/{number}", fov=FRUSTUM_FOV_RAD, aspect=FRUSTUM_ASPECT,
                                        scale=FRUSTUM_SCALE_M, color=KEYFRAME_COLOR, wxyz=np.roll(quat_xyzw, 1),
                                        position=position_m)


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
