"""The floor plan: rooms in a grid of rows, a door between each room and the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

ROOM_HEIGHT_M = 2.6
WALL_M = 0.14
"""Thickness of the walls between rooms, hence length of the passage in a door."""
DOOR_WIDTH_M, DOOR_HEIGHT_M = 0.95, 2.05
DOOR_MARGIN_M = 0.7
"""Least distance of a door from a corner."""


@dataclass(frozen=True)
class Room:
    """A rectangular room; its number is its place in `Plan.rooms`."""

    x0_m: float
    y0_m: float
    x1_m: float
    y1_m: float

    @property
    def centre_m(self) -> np.ndarray:
        """Middle of the floor (2,)."""
        return 0.5 * np.array([self.x0_m + self.x1_m, self.y0_m + self.y1_m])

    @property
    def size_m(self) -> np.ndarray:
        """Lengths along x and y (2,)."""
        return np.array([self.x1_m - self.x0_m, self.y1_m - self.y0_m])


@dataclass(frozen=True)
class Door:
    """An opening in the wall between two rooms.

    Attributes:
        rooms: numbers of the two rooms, the one with the smaller x (or y) first.
        axis: 0 when one walks through it along x, 1 along y.
        x_m, y_m: its middle, in the middle of the wall.
    """

    rooms: tuple[int, int]
    axis: int
    x_m: float
    y_m: float

    @property
    def half_m(self) -> np.ndarray:
        """Half of the passage's size along x and y (2,)."""
        half = 0.5 * np.array([WALL_M, DOOR_WIDTH_M])
        return half if self.axis == 0 else half[::-1]

    @property
    def corners_m(self) -> np.ndarray:
        """The eight corners (8, 3) of the passage."""
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [0, 1], indexing="ij"), -1).reshape(-1, 3)
        return np.array([self.x_m, self.y_m, 0]) + signs * [*self.half_m, DOOR_HEIGHT_M]

    def encloses(self, position_m: np.ndarray, margin_m: float) -> bool:
        """Return whether a point (3,) is in the passage or within `margin_m` of it, seen from above."""
        return bool((np.abs(position_m[:2] - [self.x_m, self.y_m]) <= self.half_m + margin_m).all())


@dataclass(frozen=True)
class Plan:
    """Rooms and the doors between them."""

    rooms: list[Room]
    doors: list[Door]

    @property
    def bounds_m(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (2,) of the whole house."""
        low = np.min([[room.x0_m, room.y0_m] for room in self.rooms], axis=0)
        return low, np.max([[room.x1_m, room.y1_m] for room in self.rooms], axis=0)

    def room_at(self, x_m: float, y_m: float) -> int:
        """Return the number of the room that holds a place, or of the nearest one."""
        gaps = [max(room.x0_m - x_m, x_m - room.x1_m, 0) + max(room.y0_m - y_m, y_m - room.y1_m, 0)
                for room in self.rooms]
        return int(np.argmin(gaps))


def make_plan(seed: int, count: int, twins: bool = False) -> Plan:
    """Return the plan of a house of `count` rooms, numbered along a walk that goes to and fro through the rows; twins
    are of the same size."""
    rng = np.random.default_rng([seed, 1])
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    widths_m, lengths_m = rng.uniform(4.3, 5.6, columns), rng.uniform(4.2, 5.2, rows)
    if twins:
        widths_m[:], lengths_m[:] = widths_m[0], lengths_m[0]
    x_m = np.concatenate([[0], np.cumsum(widths_m + WALL_M)])
    y_m = np.concatenate([[0], np.cumsum(lengths_m + WALL_M)])
    cells = [cell_of(number, columns) for number in range(count)]
    rooms = [Room(x_m[i], y_m[j], x_m[i + 1] - WALL_M, y_m[j + 1] - WALL_M) for i, j in cells]
    pairs = [(number, number + 1) for number in range(count - 1)]
    if count > 2 and np.abs(np.subtract(cells[0], cells[-1])).sum() == 1:
        pairs.append((count - 1, 0))
    return Plan(rooms, [door_between(rng, rooms, *pair) for pair in pairs])


def cell_of(number: int, columns: int) -> tuple[int, int]:
    """Return column and row of a room; odd rows are walked backwards."""
    row, column = divmod(number, columns)
    return (column if row % 2 == 0 else columns - 1 - column), row


def door_between(rng: np.random.Generator, rooms: list[Room], first: int, second: int) -> Door:
    """Return a door at a random place of the wall that two neighbours share."""
    a, b = rooms[first], rooms[second]
    axis = 0 if a.y0_m == b.y0_m else 1
    if (a.x0_m, a.y0_m) > (b.x0_m, b.y0_m):
        first, second, a, b = second, first, b, a
    margin_m = DOOR_MARGIN_M + 0.5 * DOOR_WIDTH_M
    if axis == 0:
        return Door((first, second), 0, a.x1_m + 0.5 * WALL_M, rng.uniform(a.y0_m + margin_m, a.y1_m - margin_m))
    return Door((first, second), 1, rng.uniform(a.x0_m + margin_m, a.x1_m - margin_m), a.y1_m + 0.5 * WALL_M)
