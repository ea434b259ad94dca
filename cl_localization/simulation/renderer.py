"""Ray casting: every pixel's ray is cut with the planes of the quads that can show in it; the nearest hit gives its
colour."""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.simulation.atlas import LEVELS
from cl_localization.simulation.house import House
from cl_localization.simulation.quads import Quad
from cl_localization.simulation.visibility import Bounds, quad_bounds, room_bounds

SUPERSAMPLE = 2
"""Rays a pixel along each axis for the colours; depth is that of the one ray through the pixel's centre."""
SHARPNESS = -0.25
"""Added to the level of detail: negative is crisper."""


class Renderer:
    """Sees a house through a camera."""

    def __init__(self, house: House, camera: Camera) -> None:
        self.house, self.camera = house, camera
        self.fine = camera.scaled_to(SUPERSAMPLE * camera.width_px, SUPERSAMPLE * camera.height_px)
        self.corners_m = np.stack([quad.corner_m for quad in house.quads])
        self.edges_s_m = np.stack([quad.edge_s_m for quad in house.quads])
        self.edges_t_m = np.stack([quad.edge_t_m for quad in house.quads])
        self.normals = np.stack([quad.normal for quad in house.quads])

    def render(self, world_T_cam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the image (H, W, 3) uint8 RGB and the exact depth (H, W) float32 in metres seen from a pose (4, 4)."""
        visible = self._visible(world_T_cam)
        numbers, rays, bounds = visible
        nearest, inverse_fine = self._cast(self.fine, numbers, rays, bounds.scaled(SUPERSAMPLE))
        colours = self._shade(nearest, inverse_fine, numbers, rays)
        image = cv2.resize(colours, (self.camera.width_px, self.camera.height_px), interpolation=cv2.INTER_AREA)
        return image, self._depth_m(*visible)

    def depth_m(self, world_T_cam: np.ndarray) -> np.ndarray:
        """Return only the depth (H, W) float32; needs no textures."""
        return self._depth_m(*self._visible(world_T_cam))

    def _depth_m(self, numbers: np.ndarray, rays: np.ndarray, bounds: Bounds) -> np.ndarray:
        _, inverse_depth = self._cast(self.camera, numbers, rays, bounds)
        return np.divide(1, inverse_depth, out=np.zeros_like(inverse_depth), where=inverse_depth > 0)

    def _visible(self, world_T_cam: np.ndarray) -> tuple[np.ndarray, np.ndarray, Bounds]:
        """Return the numbers of the quads that may be seen, their ray matrices, and where in the image they may be."""
        numbers = self._facing(world_T_cam)
        rooms = room_bounds(self.house.plan, world_T_cam, self.camera)
        bounds = quad_bounds(self._cam_corners(world_T_cam, numbers), self.camera)
        bounds = bounds.cut(rooms[self.house.rooms[numbers]])
        seen = np.flatnonzero(bounds.not_empty)
        return numbers[seen], self._ray_matrices(world_T_cam, numbers[seen]), bounds.take(seen)

    def _facing(self, world_T_cam: np.ndarray) -> np.ndarray:
        """Return the numbers of the quads whose visible side is towards the camera."""
        return np.flatnonzero(np.einsum("qi,qi->q", self.normals, world_T_cam[:3, 3] - self.corners_m) > 1e-4)

    def _cam_corners(self, world_T_cam: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the corners (Q, 4, 3) of quads in the camera's frame."""
        corner, s, t = self.corners_m[numbers], self.edges_s_m[numbers], self.edges_t_m[numbers]
        cam_T_world = se3.inverse(world_T_cam)
        return (
            np.stack([corner, corner + s, corner + s + t, corner + t], axis=1) @ cam_T_world[:3, :3].T
            + cam_T_world[:3, 3]
        )

    def _ray_matrices(self, world_T_cam: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return (Q, 3, 3) that take the ray (x/z, y/z, 1) to (s, t, 1) / depth on each quad's plane."""
        frames = np.stack([self.edges_s_m[numbers], self.edges_t_m[numbers],
                           self.corners_m[numbers] - world_T_cam[:3, 3]], axis=2)
        return np.linalg.inv(world_T_cam[:3, :3].T @ frames)

    def _cast(
        self, camera: Camera, numbers: np.ndarray, rays: np.ndarray, bounds: Bounds
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (H, W): which entry of `numbers` each pixel hits first (-1: none), and the inverse of its depth."""
        x = ((np.arange(camera.width_px) + 0.5 - camera.cx_px) / camera.fx_px).astype(np.float32)
        y = ((np.arange(camera.height_px) + 0.5 - camera.cy_px) / camera.fy_px).astype(np.float32)[:, None]
        nearest = np.full((camera.height_px, camera.width_px), -1, np.int32)
        inverse_depth = np.zeros(nearest.shape, np.float32)
        for entry, number in enumerate(numbers):
            rows, columns = bounds.slices(entry)
            s, t, inverse = (coefficients[0] * x[columns] + (coefficients[1] * y[rows] + coefficients[2])
                             for coefficients in rays[entry].astype(np.float32))
            hit = inside(self.house.quads[number], s, t, inverse)
            hit &= inverse > inverse_depth[rows, columns]
            np.copyto(inverse_depth[rows, columns], inverse, where=hit)
            np.copyto(nearest[rows, columns], np.int32(entry), where=hit)
        return nearest, inverse_depth

    def _shade(self, nearest: np.ndarray, inverse_depth: np.ndarray, numbers: np.ndarray,
               rays: np.ndarray) -> np.ndarray:
        """Return the colours (H, W, 3) uint8 of the fine pixels."""
        atlas, camera = self.house.atlas, self.fine
        size, origin = atlas.sizes[numbers], atlas.origins[numbers]
        to_pixels = rays @ np.linalg.inv(camera.matrix)
        texels = np.concatenate([to_pixels[:, 0] * size[:, :1], to_pixels[:, 1] * size[:, 1:]],
                                axis=1).astype(np.float32)
        stretch = np.abs(np.linalg.det(to_pixels)) * size.prod(axis=1)
        u = np.arange(camera.width_px, dtype=np.float32) + np.float32(0.5)
        v = np.arange(camera.height_px, dtype=np.float32)[:, None] + np.float32(0.5)
        depth = 1 / np.maximum(inverse_depth, np.float32(1e-3))
        table = [np.ascontiguousarray(column) for column in texels.T]
        columns = (table[0][nearest] * u + table[1][nearest] * v + table[2][nearest]) * depth + origin[:, 0][nearest]
        rows = (table[3][nearest] * u + table[4][nearest] * v + table[5][nearest]) * depth + origin[:, 1][nearest]
        # The Jacobian of pixel -> texel has this determinant; half its binary logarithm is the mean level of detail.
        detail = np.float32(0.5) * np.log2(stretch
                                           + 1e-12).astype(np.float32)[nearest] + np.float32(1.5) * np.log2(depth)
        level = np.clip(np.rint(detail + np.float32(SHARPNESS)), 0, LEVELS - 1).astype(np.int32)
        return atlas.look_up(columns, rows, level)


def inside(quad: Quad, s: np.ndarray, t: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Return which rays hit the quad itself, given s, t and 1 all divided by depth; bool (h, w)."""
    hit = (s >= 0) & (s <= inverse) & (t >= 0) & (t <= inverse)
    if quad.is_round:
        half = np.float32(0.5) * inverse
        hit &= (s - half) ** 2 + (t - half) ** 2 <= half ** 2
    if quad.hole is not None:
        s0, s1, t0, t1 = quad.hole
        hit &= ~((s > s0 * inverse) & (s < s1 * inverse) & (t > t0 * inverse) & (t < t1 * inverse))
    return hit
