"""Ways through the house: shortest paths over the floor that prefer the middle of the free space, made smooth."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from cl_localization.simulation.floor_grid import CELL_M, ROBOT_RADIUS_M, FloorGrid, largest_area

STRIDE = 2
"""Planning takes every second cell along each axis."""
STEP_M = 0.02
"""Distance of the points of a finished way."""
SMOOTHING_M = 0.28
COMFORT_M = 0.25
"""Beyond the robot's radius, clearance of this order halves the cost of a step."""
REACH_M = 6.0
"""Nothing is looked for beyond this distance."""
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


class Router:
    """Finds ways for the robot's axis; all places it returns keep about `ROBOT_RADIUS_M` from everything."""

    def __init__(self, grid: FloorGrid) -> None:
        self.grid = grid
        self.clearance_m = grid.clearance_m()
        drivable = largest_area(grid.drivable()[::STRIDE, ::STRIDE])
        self.nodes: np.ndarray = np.full(drivable.shape, -1)
        self.nodes[drivable] = np.arange(drivable.sum())
        rows, columns = np.nonzero(drivable)
        self.places_m = grid.places_m(np.stack([columns, rows], 1) * STRIDE)
        self.margin_m = self.clearance_m[::STRIDE, ::STRIDE][drivable] - ROBOT_RADIUS_M
        self.graph = self._graph()

    def _graph(self) -> csr_matrix:
        """Return the costs between neighbouring nodes."""
        starts, ends, costs = [], [], []
        cost = 1 + 1 / (1 + np.maximum(self.margin_m, 0) / COMFORT_M) ** 2 * 4
        tall, wide = self.nodes.shape
        for down, right in NEIGHBOURS:
            here = self.nodes[:tall - down, max(0, -right):wide - max(0, right)].ravel()
            there = self.nodes[down:, max(0, right):wide + min(0, right)].ravel()
            both = (here >= 0) & (there >= 0)
            starts.append(here[both])
            ends.append(there[both])
            costs.append(np.hypot(down, right) * 0.5 * (cost[here[both]] + cost[there[both]]))
        shape = (len(self.places_m),) * 2
        half = csr_matrix((np.concatenate(costs), (np.concatenate(starts), np.concatenate(ends))), shape)
        return half + half.T

    def nearest(self, place_m: np.ndarray, comfort: float = 0.6) -> int:
        """Return the node near a place (2,); `comfort` metres of detour are taken for a metre of clearance."""
        distance = np.linalg.norm(self.places_m - place_m, axis=1)
        return int(np.argmin(distance - comfort * np.minimum(self.margin_m, 0.5)))

    def way(self, places_m: list[np.ndarray]) -> np.ndarray:
        """Return a smooth way (N, 2) in steps of STEP_M that passes near all places in turn."""
        nodes = [self.nearest(place) for place in places_m]
        legs = [self._leg(start, end) for start, end in itertools.pairwise(nodes) if start != end]
        rough = resampled(np.concatenate([legs[0][:1], *[leg[1:] for leg in legs]]))
        for smoothing_m in (SMOOTHING_M, 0.5 * SMOOTHING_M, 0.25 * SMOOTHING_M):
            smooth = gaussian_filter1d(rough, smoothing_m / STEP_M, axis=0, mode="nearest")
            if self.clearance_at_m(smooth).min() > ROBOT_RADIUS_M - CELL_M:
                return resampled(smooth)
        return rough

    def _leg(self, start: int, end: int) -> np.ndarray:
        _, before = dijkstra(self.graph, indices=start, return_predecessors=True)
        nodes = [end]
        while nodes[-1] != start:
            nodes.append(int(before[nodes[-1]]))
        return self.places_m[nodes[::-1]]

    def clearance_at_m(self, places_m: np.ndarray) -> np.ndarray:
        """Return the distance (N,) of places (N, 2) from the next thing or wall."""
        columns, rows = self.grid.cells(places_m).T
        return self.clearance_m[rows, columns]

    def sight_m(self, place_m: np.ndarray, heading_rad: float) -> float:
        """Return how far it is from a place to the next thing or wall in a direction; `REACH_M` at most."""
        steps = np.arange(0, REACH_M, CELL_M)
        ray = place_m + steps[:, None] * [np.cos(heading_rad), np.sin(heading_rad)]
        columns, rows = self.grid.cells(ray).T
        blocked = np.flatnonzero(self.grid.taken[rows, columns] > 0)
        return float(steps[blocked[0]]) if len(blocked) else REACH_M


def resampled(way_m: np.ndarray) -> np.ndarray:
    """Return a polyline (N, 2) at equal steps of about STEP_M."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(way_m, axis=0), axis=1))])
    at = np.linspace(0, lengths[-1], max(2, round(lengths[-1] / STEP_M)))
    return np.stack([np.interp(at, lengths, way_m[:, axis]) for axis in (0, 1)], axis=1)
