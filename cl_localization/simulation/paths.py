"""What the robot does: the paths `mapping`, `tracking` and `kidnap`, as places and headings of its planar base."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from cl_localization.simulation.house import House
from cl_localization.simulation.routes import STEP_M, Router

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
