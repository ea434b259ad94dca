"""Ray casting: every pixel's ray is cut with the planes of the quads that can show in it; the nearest hit gives its
colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.simulation.atlas import LEVELS
from cl_localization.simulation.house import House
from cl_localization.simulation.plan import Door, Plan
from cl_localization.simulation.quads import Quad

NEAR_M = 0.02
EDGES = np.array([(0, 1), (1, 2), (2, 3), (3, 0)])

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


@dataclass(frozen=True, eq=False)
class Bounds:
    """Rectangles of pixels: left, top, right, bottom (N, 4) int; right and bottom are not part of them."""

    ltrb_px: np.ndarray

    @property
    def not_empty(self) -> np.ndarray:
        """Which rectangles hold a pixel, bool (N,)."""
        return np.all(self.ltrb_px[:, 2:] > self.ltrb_px[:, :2], axis=1)

    def cut(self, other_ltrb_px: np.ndarray) -> Bounds:
        """Return the intersections with other rectangles (N, 4)."""
        low = np.maximum(self.ltrb_px[:, :2], other_ltrb_px[:, :2])
        return Bounds(np.concatenate([low, np.minimum(self.ltrb_px[:, 2:], other_ltrb_px[:, 2:])], axis=1))

    def take(self, entries: np.ndarray) -> Bounds:
        """Return some of the rectangles."""
        return Bounds(self.ltrb_px[entries])

    def scaled(self, factor: int) -> Bounds:
        """Return the rectangles in an image that is `factor` times larger."""
        return Bounds(self.ltrb_px * factor)

    def slices(self, entry: int) -> tuple[slice, slice]:
        """Return the rows and columns of one rectangle."""
        left, top, right, bottom = self.ltrb_px[entry]
        return slice(top, bottom), slice(left, right)


def quad_bounds(corners_cam_m: np.ndarray, camera: Camera) -> Bounds:
    """Return the bounds of quads with corners (Q, 4, 3) in order round the edge, in the camera's frame; parts behind
    are cut off."""
    start, end = corners_cam_m[:, EDGES[:, 0]], corners_cam_m[:, EDGES[:, 1]]
    drop = start[..., 2] - end[..., 2]
    share = (start[..., 2] - NEAR_M) / np.where(np.abs(drop) < 1e-12, 1e-12, drop)
    crossing = start + np.clip(share, 0, 1)[..., None] * (end - start)
    crosses = (start[..., 2] > NEAR_M) != (end[..., 2] > NEAR_M)
    points = np.concatenate([corners_cam_m, crossing], axis=1)
    valid = np.concatenate([corners_cam_m[..., 2] > NEAR_M, crosses], axis=1)
    return points_bounds(points, valid, camera)


def points_bounds(points_cam_m: np.ndarray, valid: np.ndarray, camera: Camera) -> Bounds:
    """Return the bounds of the valid ones of points (N, P, 3), at least NEAR_M in front of the camera; empty where none
    is."""
    z = np.maximum(points_cam_m[..., 2], NEAR_M)
    size = np.array([camera.width_px, camera.height_px])
    pixels = points_cam_m[..., :2] / z[..., None] * [camera.fx_px, camera.fy_px] + [camera.cx_px, camera.cy_px]
    low = np.where(valid[..., None], pixels, np.inf).min(axis=1)
    high = np.where(valid[..., None], pixels, -np.inf).max(axis=1)
    low, high = np.clip(np.floor(low - 1), 0, size), np.clip(np.ceil(high + 1), 0, size)
    return Bounds(np.concatenate([low, high], axis=1).astype(np.int32))


def room_bounds(plan: Plan, world_T_cam: np.ndarray, camera: Camera) -> np.ndarray:
    """Return for every room the rectangle (R, 4) int in which it can show: through the doors, from the camera's room
    on."""
    result = np.tile(np.array([camera.width_px, camera.height_px, 0, 0], np.int32), (len(plan.rooms), 1))
    whole = np.array([0, 0, camera.width_px, camera.height_px], np.int32)
    position = world_T_cam[:3, 3]
    doors = [(door, door_bounds(door, world_T_cam, camera)) for door in plan.doors]
    starts = {plan.room_at(*position[:2])}
    starts |= {number for door in plan.doors if door.encloses(position, 0.1) for number in door.rooms}
    for number in starts:
        look_through(number, whole, doors, {number}, result)
    return result


def look_through(number: int, ltrb_px: np.ndarray, doors: list[tuple[Door, np.ndarray]], passed: set[int],
                 result: np.ndarray) -> None:
    """Widen the rectangle of a room in `result`, and of the rooms that show through its doors, in place."""
    result[number] = [*np.minimum(result[number, :2], ltrb_px[:2]), *np.maximum(result[number, 2:], ltrb_px[2:])]
    for door, bounds in doors:
        if number in door.rooms:
            other = door.rooms[0] + door.rooms[1] - number
            rest = np.concatenate([np.maximum(ltrb_px[:2], bounds[:2]), np.minimum(ltrb_px[2:], bounds[2:])])
            if other not in passed and (rest[2:] > rest[:2]).all():
                look_through(other, rest, doors, passed | {other}, result)


def door_bounds(door: Door, world_T_cam: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the rectangle (4,) in which a door's passage shows; the whole image when the camera stands in it."""
    corners = se3.transform(se3.inverse(world_T_cam), door.corners_m)
    if door.encloses(world_T_cam[:3, 3], 0.1):
        return np.array([0, 0, camera.width_px, camera.height_px], np.int32)
    sides = [[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]]
    bounds = quad_bounds(corners[np.array(sides)], camera).ltrb_px
    filled = bounds[(bounds[:, 2:] > bounds[:, :2]).all(axis=1)]
    if len(filled) == 0:
        return np.zeros(4, np.int32)
    return np.concatenate([filled[:, :2].min(axis=0), filled[:, 2:].max(axis=0)])
