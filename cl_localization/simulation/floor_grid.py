"""Where a robot can stand: the house from above as a grid of free and taken cells."""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.simulation.plan import Plan

CELL_M = 0.05
ROBOT_RADIUS_M = 0.3
"""The camera's axis keeps this far from everything."""
BORDER_M = 0.5
CONNECTED_SHARE = 0.94
"""Of what the robot can reach, so much must stay in one piece; small nooks may be lost."""


class FloorGrid:
    """Cells of `CELL_M` over the whole house; row = y, column = x.

    Attributes:
        origin_m: (2,) x and y of the grid's first corner.
        taken: (rows, columns) uint8, how many things stand on a cell; walls count as one.
    """

    def __init__(self, plan: Plan) -> None:
        low, high = plan.bounds_m
        self.origin_m = low - BORDER_M
        columns, rows = np.ceil((high - low + 2 * BORDER_M) / CELL_M).astype(int)
        self.taken = np.ones((rows, columns), np.uint8)
        for room in plan.rooms:
            self._clear(room.x0_m, room.y0_m, room.x1_m, room.y1_m)
        for door in plan.doors:
            self._clear(*(np.array([door.x_m, door.y_m]) - door.half_m - CELL_M),
                        *(np.array([door.x_m, door.y_m]) + door.half_m + CELL_M))

    def _clear(self, x0_m: float, y0_m: float, x1_m: float, y1_m: float) -> None:
        (left, top), (right, bottom) = self.cells(np.array([[x0_m, y0_m], [x1_m, y1_m]]))
        self.taken[top:bottom + 1, left:right + 1] = 0

    def cells(self, places_m: np.ndarray) -> np.ndarray:
        """Return column and row (N, 2) int of places (N, 2), clipped to the grid."""
        cells = np.floor((np.asarray(places_m) - self.origin_m) / CELL_M).astype(int)
        return np.clip(cells, 0, np.array(self.taken.shape[::-1]) - 1)

    def places_m(self, cells: np.ndarray) -> np.ndarray:
        """Return the middles (N, 2) of cells given as column and row (N, 2)."""
        return self.origin_m + (np.asarray(cells) + 0.5) * CELL_M

    def footprint(self, corners_m: np.ndarray) -> np.ndarray:
        """Return a mask (rows, columns) uint8 of the convex polygon with corners (N, 2)."""
        mask = np.zeros_like(self.taken)
        cv2.fillConvexPoly(mask, self.cells(corners_m).astype(np.int32), 1)
        return mask

    def clearance_m(self, extra: np.ndarray | None = None) -> np.ndarray:
        """Return the distance (rows, columns) of every cell from the next thing or wall; `extra` is a mask taken
        besides."""
        taken = self.taken if extra is None else self.taken + extra
        return cv2.distanceTransform((taken == 0).astype(np.uint8), cv2.DIST_L2, 5) * CELL_M

    def stays_connected(self, extra: np.ndarray) -> bool:
        """Return whether the robot still gets everywhere, or nearly so, when the mask `extra` is taken too."""
        drivable = (self.clearance_m(extra) > ROBOT_RADIUS_M + CELL_M).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(drivable, connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA]
        return len(areas) > 0 and areas.max() >= CONNECTED_SHARE * areas.sum()

    def drivable(self) -> np.ndarray:
        """Return the largest connected area (rows, columns) bool that the robot's axis can reach."""
        return largest_area(self.clearance_m() > ROBOT_RADIUS_M)


def largest_area(free: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask (rows, columns) bool; cells are connected along their edges."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(free.astype(np.uint8), connectivity=4)
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
