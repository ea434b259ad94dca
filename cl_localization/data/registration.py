"""Depth from its own sensor brought into the colour camera beside it."""

from __future__ import annotations

import numpy as np

from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

FILL_TOLERANCE = 0.02
"""A hole is closed only between two readings whose depths differ by less than this share: a surface, not an edge."""


class DepthRegistration:
    """Warps depth images of one camera into another that is fixed to it, nearest surface first.

    Each reading becomes a point, moves to the colour camera and lands in the pixel that sees it; of several in one
    pixel the nearest stays. Pixels that were missed although both neighbours, left and right or above and below, lie on
    one surface are filled between them; wider gaps, such as the shadow beside a near object, stay unknown.

    Args:
        depth_camera, colour_camera: without distortion; the colour camera may have another size and focal length.
        colour_T_depth: (4, 4) takes points of the depth camera to the colour camera, in metres.

    Raises:
        DataError: a camera with distortion.
    """

    def __init__(self, depth_camera: Camera, colour_camera: Camera, colour_T_depth: np.ndarray) -> None:
        if "none" != depth_camera.distortion_model or "none" != colour_camera.distortion_model:
            raise DataError("depth registration", "needs cameras without distortion", remedy="rectify the images")
        self.depth_camera, self.colour_camera = depth_camera, colour_camera
        # Readings are spread over pixels no finer than they are dense, or the colour image would be mostly holes.
        scale = min(1.0, depth_camera.fx_px / colour_camera.fx_px, depth_camera.fy_px / colour_camera.fy_px)
        self._grid = colour_camera.scaled_to(round(colour_camera.width_px * scale),
                                             round(colour_camera.height_px * scale))
        rows, columns = np.indices((depth_camera.height_px, depth_camera.width_px)).reshape(2, -1)
        rays = depth_camera.normalize(np.stack([columns, rows], axis=1) + 0.5)
        rays = np.column_stack([rays, np.ones(len(rays))]) @ colour_T_depth[:3, :3].T
        self._x, self._y, self._z = np.ascontiguousarray(rays.T, np.float32)
        self._offset_m = colour_T_depth[:3, 3].astype(np.float32)

    def register(self, depth_m: np.ndarray, thing: str = "depth image") -> np.ndarray:
        """Return depth (H, W) float32 metres of the depth camera as the colour camera sees it; 0 is unknown in both.

        Raises:
            DataError: a size other than the depth camera's.
        """
        size = (self.depth_camera.height_px, self.depth_camera.width_px)
        if depth_m.shape != size:
            raise DataError(thing, f"must have the depth camera's size {size[1]}x{size[0]}",
                            "x".join(str(side) for side in depth_m.shape[::-1]))
        registered = _filled(self._splat(depth_m.ravel()))
        return spread_over(registered, self.colour_camera.width_px, self.colour_camera.height_px, thing)

    def _splat(self, depth_m: np.ndarray) -> np.ndarray:
        grid = self._grid
        seen = np.flatnonzero(depth_m > 0)
        depth_m = depth_m[seen]
        z = depth_m * self._z[seen] + self._offset_m[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = (depth_m * self._x[seen] + self._offset_m[0]) / z, (depth_m * self._y[seen] + self._offset_m[1]) / z
        columns = np.floor(x * np.float32(grid.fx_px) + np.float32(grid.cx_px))
        rows = np.floor(y * np.float32(grid.fy_px) + np.float32(grid.cy_px))
        inside = (z > 0) & (columns >= 0) & (columns < grid.width_px) & (rows >= 0) & (rows < grid.height_px)
        pixels = rows[inside].astype(np.int64) * grid.width_px + columns[inside].astype(np.int64)
        nearest = np.full(grid.height_px * grid.width_px, np.inf, np.float32)
        np.minimum.at(nearest, pixels, z[inside])
        nearest[np.isinf(nearest)] = 0
        return nearest.reshape(grid.height_px, grid.width_px)


def _filled(depth_m: np.ndarray) -> np.ndarray:
    """Return depth with the one-pixel holes inside a surface closed."""
    height, width = depth_m.shape
    padded = np.zeros((height + 2, width + 2), np.float32)
    padded[1:-1, 1:-1] = depth_m
    flat, stride = padded.reshape(-1), width + 2
    rows, columns = np.nonzero(depth_m == 0)
    holes = (rows + 1) * stride + columns + 1
    filled = depth_m.copy()
    for step in (stride, 1):  # left and right last: they win, as the sensors stand side by side
        before, after = flat[holes - step], flat[holes + step]
        near, far = np.minimum(before, after), np.maximum(before, after)
        surface = (near > 0) & (far - near < FILL_TOLERANCE * near)
        filled[rows[surface], columns[surface]] = 0.5 * (near + far)[surface]
    return filled


def spread_over(depth_m: np.ndarray, width_px: int, height_px: int, thing: str) -> np.ndarray:
    """Return depth (H, W) in the size of an image of the same view, each pixel the nearest reading's: no depth is made
    up between two surfaces.

    Raises:
        DataError: sizes of other ratios.
    """
    height, width = depth_m.shape
    if (width, height) == (width_px, height_px):
        return depth_m
    if abs(width_px / width * height - height_px) > max(1.0, width_px / width):
        raise DataError(thing, f"must have the ratio of its image of {width_px}x{height_px}", f"{width}x{height}",
                        "register it to the image, or leave it out with ?depth=false")
    rows = ((np.arange(height_px) + 0.5) * height / height_px).astype(int)
    columns = ((np.arange(width_px) + 0.5) * width / width_px).astype(int)
    return depth_m[rows[:, None], columns]
