"""The rooms themselves: floors, ceilings, walls with their doors, and the pictures, windows and rugs on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cl_localization.simulation import prints, surfaces
from cl_localization.simulation.furniture import turned
from cl_localization.simulation.plan import DOOR_HEIGHT_M, DOOR_WIDTH_M, ROOM_HEIGHT_M, WALL_M, Door, Plan, Room
from cl_localization.simulation.quads import Painter, Quad, box, level, upright

WALL_TEXEL_M = 0.004
PICTURE_THICK_M = 0.03
INWARD = np.array([[0.0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]])
"""Directions into the room from its walls at y1, x0, y0 and x1."""


@dataclass(frozen=True)
class Hanging:
    """A picture or window on a wall.

    Attributes:
        at_m: its middle, along the wall from the wall's left end.
        width_m, height_m: its size.
        painter: makes its front.
        glow: as of `Quad`.
    """

    at_m: float
    width_m: float
    height_m: float
    painter: Painter
    glow: float = 0.0

    @property
    def quads(self) -> list[Quad]:
        """Its faces; origin at the middle of the lower edge, back at y = 0, front towards -y."""
        size_m = (self.width_m, PICTURE_THICK_M, self.height_m)
        faces = box((0, -0.5 * PICTURE_THICK_M), 0, size_m, prints.wood, self.painter, texel_m=0.0025, glow=self.glow)
        return [faces[0], *faces[2:]]


def shell(rng_of: Callable[[int], np.random.Generator], plan: Plan, number: int) -> list[list[Quad]]:
    """Return all fixed surfaces of one room in parts: floor and ceiling, the four walls, the door passages of which it
    is the first room, and the rug.

    Args:
        rng_of: what to draw each part from.
    """
    room = plan.rooms[number]
    centre = np.array([*room.centre_m, 0])
    size_x_m, size_y_m = room.size_m
    quads = [level(centre, size_x_m, size_y_m, surfaces.floor, texel_m=WALL_TEXEL_M),
             level(centre + [0, 0, ROOM_HEIGHT_M], size_x_m, size_y_m, surfaces.ceiling, faces_up=False,
                   texel_m=2 * WALL_TEXEL_M)]
    doors = [door for door in plan.doors if number in door.rooms]
    walls = [wall_with_pictures(rng_of(1 + wall), room, wall, doors) for wall in range(4)]
    passages = [quad for door in doors if door.rooms[0] == number for quad in passage(door)]
    return [quads, *walls, passages, rug(rng_of(6), room)]


def wall_span(room: Room, wall: int) -> tuple[np.ndarray, float]:
    """Return the middle (3,) and the length of a wall, in the order of `INWARD`."""
    offset = -0.5 * np.array([*room.size_m, 0]) * INWARD[wall]
    return np.array([*room.centre_m, 0.5 * ROOM_HEIGHT_M]) + offset, float(room.size_m[wall % 2])


def wall_with_pictures(rng: np.random.Generator, room: Room, wall: int, doors: list[Door]) -> list[Quad]:
    """Return one wall, with a hole where a door is, and what hangs on it."""
    middle, length = wall_span(room, wall)
    plain = upright(middle, INWARD[wall], length, ROOM_HEIGHT_M, surfaces.wall, texel_m=WALL_TEXEL_M)
    right = plain.edge_s_m / length
    taken, hole = [], None
    for door in doors:
        if door.axis == (wall + 1) % 2 and abs(np.dot(middle[:2] - [door.x_m, door.y_m], INWARD[wall][:2])) < WALL_M:
            at = float(np.dot(np.array([door.x_m, door.y_m, 0]) - plain.corner_m, right))
            taken.append((at - 0.5 * DOOR_WIDTH_M, at + 0.5 * DOOR_WIDTH_M))
            hole = (taken[0][0] / length, taken[0][1] / length, 1 - DOOR_HEIGHT_M / ROOM_HEIGHT_M, 1.01)
    quads = [replace(plain, hole=hole)]
    frames = [] if hole else window_places(rng, length, taken)
    for item in frames + picture_places(rng, length, taken):
        base = 1.5 - 0.5 * item.height_m + rng.uniform(-0.1, 0.2)
        pose = wall_frame(middle, INWARD[wall], right, item.at_m - 0.5 * length, base)
        quads += [quad.moved(pose) for quad in item.quads]
    return quads


def window_places(rng: np.random.Generator, length_m: float, taken: list[tuple[float, float]]) -> list[Hanging]:
    """Return one window for about half of the walls; `taken`, (from, to) along the wall, grows by it."""
    if rng.random() < 0.5:
        return []
    width, at = rng.uniform(1.0, 1.5), rng.uniform(0.3, 0.7) * length_m
    taken.append((at - 0.5 * width, at + 0.5 * width))
    return [Hanging(at, width, rng.uniform(1.0, 1.3), prints.window, 0.55)]


def picture_places(rng: np.random.Generator, length_m: float, taken: list[tuple[float, float]]) -> list[Hanging]:
    """Return pictures that keep clear of what is there; `taken` grows by them."""
    places = []
    for _ in range(14):
        width, at = rng.uniform(0.35, 1.0), rng.uniform(0.3, length_m - 0.3)
        inside = 0.15 < at - 0.5 * width and at + 0.5 * width < length_m - 0.15
        if inside and all(at + 0.5 * width + 0.12 < low or at - 0.5 * width - 0.12 > high for low, high in taken):
            taken.append((at - 0.5 * width, at + 0.5 * width))
            painter = prints.PICTURES[int(rng.integers(len(prints.PICTURES)))]
            places.append(Hanging(at, width, width * rng.uniform(0.7, 1.35), painter))
    return places


def wall_frame(middle_m: np.ndarray, inward: np.ndarray, right: np.ndarray, at_m: float, base_m: float) -> np.ndarray:
    """Return the 4x4 pose of something that hangs `at_m` right of a wall's middle at height `base_m`, facing the
    room."""
    frame = np.eye(4)
    frame[:3, 0], frame[:3, 1], frame[:3, 3] = right, -inward, middle_m + at_m * right
    frame[2, 3] = base_m
    return frame


def passage(door: Door) -> list[Quad]:
    """Return floor, lintel and jambs inside a door's wall, made for a door that one walks through along x and then
    turned."""
    half_wall, half_door = 0.5 * WALL_M, 0.5 * DOOR_WIDTH_M
    middle = 0.5 * DOOR_HEIGHT_M
    quads = [level(np.array([0, 0, 0.0]), WALL_M, DOOR_WIDTH_M, prints.stone),
             level(np.array([0, 0, DOOR_HEIGHT_M]), WALL_M, DOOR_WIDTH_M, prints.wood, faces_up=False),
             upright(np.array([0, half_door, middle]), np.array([0, -1.0, 0]), 2 * half_wall, DOOR_HEIGHT_M,
                     prints.wood),
             upright(np.array([0, -half_door, middle]), np.array([0, 1.0, 0]), 2 * half_wall, DOOR_HEIGHT_M,
                     prints.wood)]
    return turned(quads, door.x_m, door.y_m, 0.0, 0.0 if door.axis == 0 else 0.5 * np.pi)


def rug(rng: np.random.Generator, room: Room) -> list[Quad]:
    """Return a rug somewhere near the middle of the floor, turned at random."""
    size = room.size_m * rng.uniform(0.28, 0.5, 2)
    place = room.centre_m + rng.uniform(-0.4, 0.4, 2)
    quads = [level(np.zeros(3), size[0], size[1], surfaces.rug, texel_m=0.003)]
    return turned(quads, place[0], place[1], 0.006, rng.normal(0, 0.2))
