"""What the robot does: the paths `mapping`, `tracking` and `kidnap`, as places and headings of its planar base.

Ways between places are the shortest over the floor that prefer the middle of the free space, made smooth.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from cl_localization.simulation.floor_grid import CELL_M, ROBOT_RADIUS_M, FloorGrid, largest_area
from cl_localization.simulation.house import House

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

MAPPING_TURN_M = 3.2
"""On the path `mapping` the robot, which can drive in any direction, turns once round itself in this distance."""
TURN_LEVER_M = 0.6
"""A turn by one radian takes as long as driving this far."""
RING_SHARE = 0.32
"""Size of the round through a room, as a share of the room's."""
MAX_DETOUR_M = 0.7
"""Points of the round that are further than this from where the robot can go are left out."""
TURN_SMOOTHING_M = 0.35
KIDNAP_OFF_PATH_M = 0.2
KIDNAP_CLEARANCE_M = 0.42
KIDNAP_SIGHT_M = 1.7
"""A kidnapped robot looks at something this far away, and to both sides at something at least half as far."""
SIGHT_RAYS = ((-0.5, 2.0), (-0.25, 1.0), (0.0, 1.0), (0.25, 1.0), (0.5, 2.0))
"""Angles from the heading [rad] in which the view must be open, and factors on how far it is."""


def mapping(house: House, seed: int, frames: int, place: int) -> np.ndarray:
    """Return base poses (frames, 3) x [m], y [m], yaw [rad]: a round through every room and back, looking to all
    sides."""
    way = mapping_way(house)
    turns = max(1, round(STEP_M * len(way) / MAPPING_TURN_M))
    return sampled(way, along(way)[0] + np.linspace(0, 2 * np.pi * turns, len(way)), frames)


def mapping_way(house: House) -> np.ndarray:
    """Return the way (N, 2) of the path `mapping`: round after round, each begun at the door one comes in by, and
    back."""
    rooms, router = house.plan.rooms, Router(house.grid)
    places: list[np.ndarray] = []
    for number, room in enumerate(rooms):
        came_from = rooms[number - 1].centre_m if number else rooms[min(1, len(rooms) - 1)].centre_m + [0, 0.1]
        begin = np.arctan2(*(came_from - room.centre_m)[::-1])
        turns = begin + 2 * np.pi * (np.arange(6) + 0.5) / 6
        ring = room.centre_m + RING_SHARE * room.size_m * np.stack([np.cos(turns), np.sin(turns)], 1)
        reached = [router.places_m[router.nearest(place)] for place in ring]
        places += [got for got, place in zip(reached, ring) if np.linalg.norm(got - place) < MAX_DETOUR_M]
    return router.way(places + places[:1])


def tracking(house: House, seed: int, frames: int, place: int) -> np.ndarray:
    """Return base poses (frames, 3): from random place to random place through all rooms, looking mostly ahead."""
    rng = np.random.default_rng([seed, 7, place])
    places = []
    for room in house.plan.rooms[::-1]:
        places += list(room.centre_m + rng.uniform(-0.35, 0.35, (3, 2)) * room.size_m)
    way = Router(house.grid).way(places)
    sway = np.deg2rad(25) * np.sin(np.arange(len(way)) * STEP_M * 2 * np.pi / 2.7 + rng.uniform(0, 6))
    return sampled(way, along(way) + sway, frames)


def kidnap(house: House, seed: int, frames: int, place: int) -> np.ndarray:
    """Return base poses (frames, 3): slow motion about one random place, number `place`, with a random heading."""
    rng = np.random.default_rng([seed, 8, place])
    router, known = Router(house.grid), mapping_way(house)
    chosen, heading = router.places_m[int(np.argmax(router.margin_m))], 0.0
    for _ in range(500):
        candidate = router.places_m[int(rng.integers(len(router.places_m)))] + rng.uniform(-0.04, 0.04, 2)
        heading = rng.uniform(-np.pi, np.pi)
        off_path_m = np.linalg.norm(known - candidate, axis=1).min()
        open_view = min(router.sight_m(candidate, heading + turn) * scale for turn,
                        scale in SIGHT_RAYS) > KIDNAP_SIGHT_M
        if (
            off_path_m > KIDNAP_OFF_PATH_M
            and open_view
            and router.clearance_at_m(candidate[None])[0] > KIDNAP_CLEARANCE_M
        ):
            chosen = candidate
            break
    phase = 2 * np.pi * np.arange(frames) / 75 * rng.choice([-1, 1])
    shift = 0.1 * np.stack([np.sin(phase), 1 - np.cos(phase)], axis=1)
    return np.column_stack([chosen + shift @ rotation(heading).T, heading + 0.25 * np.sin(phase)])


def rotation(angle_rad: float) -> np.ndarray:
    """Return the 2x2 rotation matrix."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, -sin], [sin, cos]])


def along(way_m: np.ndarray) -> np.ndarray:
    """Return the direction of motion (N,) along a way, smooth and without jumps of a full turn."""
    steps = np.gradient(way_m, axis=0)
    heading = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    return gaussian_filter1d(heading, TURN_SMOOTHING_M / STEP_M, mode="nearest")


def sampled(way_m: np.ndarray, heading_rad: np.ndarray, frames: int) -> np.ndarray:
    """Return poses (frames, 3) along a way (N, 2) with headings (N,), slower where the robot turns."""
    effort = np.hypot(np.linalg.norm(np.diff(way_m, axis=0), axis=1), TURN_LEVER_M * np.diff(heading_rad))
    clock = np.concatenate([[0], np.cumsum(effort)])
    at = np.linspace(0, clock[-1], frames)
    return np.column_stack([np.interp(at, clock, values) for values in (way_m[:, 0], way_m[:, 1], heading_rad)])


PATHS = {"mapping": (mapping, 140), "tracking": (tracking, 75), "kidnap": (kidnap, None)}
"""Name of each path: its maker, and its default number of frames for each room (None: `KIDNAP_FRAMES` in all)."""
KIDNAP_FRAMES = 30


def default_frames(path: str, rooms: int) -> int:
    """Return how many frames a path has when none are asked for."""
    per_room = PATHS[path][1]
    return KIDNAP_FRAMES if per_room is None else per_room * rooms


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
