"""Puts furniture into rooms so that doors stay free and a robot still gets everywhere; moves some of it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.simulation.floor_grid import FloorGrid
from cl_localization.simulation.furniture import MAKERS, Piece, stand
from cl_localization.simulation.plan import Plan, Room

PIECES_PER_ROOM = 9
TRIES = 40
DOOR_KEEP_M = 0.75
"""Nothing stands within this distance of a door."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A piece of furniture at its place.

    Attributes:
        number: identity, by which it keeps its texture when it is moved.
        room: number of its room.
        x_m, y_m, yaw_rad: where it stands.
    """

    number: int
    piece: Piece
    room: int
    x_m: float
    y_m: float
    yaw_rad: float

    @property
    def world_T_piece(self) -> np.ndarray:
        """Pose (4, 4) of the piece's frame."""
        return stand(self.x_m, self.y_m, self.yaw_rad)

    @property
    def corners_m(self) -> np.ndarray:
        """Corners (4, 2) of its footprint."""
        half = 0.5 * np.array([self.piece.width_m, self.piece.depth_m])
        local = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        return local @ self.world_T_piece[:2, :2].T + [self.x_m, self.y_m]


def furnish(seed: int, plan: Plan, grid: FloorGrid, twins: bool = False) -> list[Placed]:
    """Return the furniture of all rooms and mark its cells in the grid; twins have the same, where doors leave room."""
    placed: list[Placed] = []
    keep = door_zones(plan, grid)
    for number, room in enumerate(plan.rooms):
        rng = np.random.default_rng([seed, 2, 0 if twins else number])
        order = np.concatenate([np.arange(3), 3 + rng.permutation(len(MAKERS) - 3)])[:PIECES_PER_ROOM]
        for kind in order:
            if twins:  # what a door keeps away must not change what comes after it
                rng = np.random.default_rng([seed, 2, 0, int(kind)])
            piece = MAKERS[int(kind)](rng)
            spot = find_spot(rng, piece, room, grid, keep)
            if spot is not None:
                placed.append(Placed(int(kind) if twins else len(placed), piece, number, *spot))
                grid.taken += grid.footprint(placed[-1].corners_m)
    return placed


def rearrange(seed: int, share: float, placed: list[Placed], plan: Plan, grid: FloorGrid) -> list[Placed]:
    """Return the furniture with about `share` of its pieces moved to other places; the grid follows."""
    rng = np.random.default_rng([seed, 3])
    keep, result = door_zones(plan, grid), list(placed)
    for index in rng.permutation(len(placed))[:round(share * len(placed))]:
        old = placed[index]
        grid.taken -= grid.footprint(old.corners_m)
        for number in [old.room, *rng.permutation(len(plan.rooms))]:
            spot = find_spot(rng, old.piece, plan.rooms[int(number)], grid, keep)
            if spot is not None and np.hypot(spot[0] - old.x_m, spot[1] - old.y_m) > 0.7:
                result[index] = Placed(old.number, old.piece, int(number), *spot)
                break
        grid.taken += grid.footprint(result[index].corners_m)
    return result


def door_zones(plan: Plan, grid: FloorGrid) -> np.ndarray:
    """Return a mask (rows, columns) of the cells before doors that must stay free."""
    zones = np.zeros_like(grid.taken)
    for door in plan.doors:
        reach = door.half_m + (DOOR_KEEP_M if door.axis == 0 else 0.05, DOOR_KEEP_M if door.axis == 1 else 0.05)
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        zones |= grid.footprint(np.array([door.x_m, door.y_m]) + signs * reach)
    return zones


def find_spot(rng: np.random.Generator, piece: Piece, room: Room, grid: FloorGrid,
              keep: np.ndarray) -> tuple[float, float, float] | None:
    """Return x, y and yaw where the piece fits in a room, or None if a number of tries found no place."""
    for _ in range(TRIES):
        spot = draw_at_wall(rng, piece, room) if piece.at_wall else draw_inside(rng, piece, room)
        mask = grid.footprint(Placed(0, piece, 0, *spot).corners_m)
        if not (mask & ((grid.taken > 0) | (keep > 0))).any() and grid.stays_connected(mask):
            return spot
    return None


def draw_at_wall(rng: np.random.Generator, piece: Piece, room: Room) -> tuple[float, float, float]:
    """Return a random pose with the back 6 cm from a wall, nearly parallel to it."""
    wall, jitter = int(rng.integers(4)), rng.normal(0, 0.015)
    gap = 0.5 * piece.depth_m + 0.06
    along_m = room.size_m[wall % 2]
    at = rng.uniform(0.5 * piece.width_m + 0.08, along_m - 0.5 * piece.width_m - 0.08)
    if wall == 0:
        return room.x0_m + at, room.y1_m - gap, jitter
    if wall == 1:
        return room.x0_m + gap, room.y0_m + at, 0.5 * np.pi + jitter
    if wall == 2:
        return room.x0_m + at, room.y0_m + gap, np.pi + jitter
    return room.x1_m - gap, room.y0_m + at, -0.5 * np.pi + jitter


def draw_inside(rng: np.random.Generator, piece: Piece, room: Room) -> tuple[float, float, float]:
    """Return a random pose anywhere in the room with any heading."""
    reach = 0.5 * np.hypot(piece.width_m, piece.depth_m) + 0.1
    low, high = np.array([room.x0_m, room.y0_m]) + reach, np.array([room.x1_m, room.y1_m]) - reach
    x, y = rng.uniform(low, high)
    return float(x), float(y), float(rng.uniform(-np.pi, np.pi))
