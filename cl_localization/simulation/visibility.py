"""Which part of the image a surface or a room can show in: rectangles of pixels, on the safe side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.simulation.plan import Door, Plan

NEAR_M = 0.02
EDGES = np.array([(0, 1), (1, 2), (2, 3), (3, 0)])


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
