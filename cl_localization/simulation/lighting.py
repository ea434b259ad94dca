"""The light: what lamps give to every surface, with soft shadows, computed once for a house and multiplied into its
textures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cl_localization.simulation.plan import ROOM_HEIGHT_M, Room
from cl_localization.simulation.quads import Quad, Solid

GRID_M = 0.07
"""Distance of the points of a surface at which light is computed; between them it is interpolated."""
LAMP_RADIUS_M = 0.25
SAMPLES = 4
"""Points of the round lamp to which shadows are traced."""


@dataclass(frozen=True)
class Light:
    """How bright it is: RGB factors (three numbers) of light from everywhere, of the lamps, and of glowing things."""

    ambient: tuple[float, float, float]
    lamp: tuple[float, float, float]
    glow: float


LIGHTS = {
    "day": Light((0.62, 0.62, 0.64), (1.5, 1.48, 1.4), 1.0),
    "evening": Light((0.34, 0.30, 0.27), (2.2, 1.85, 1.4), 0.5),
    "night": Light((0.16, 0.17, 0.22), (0.5, 0.5, 0.62), 0.15),
}
"""Times of day that one may ask for."""


def lamp_points_m(room: Room, shift: float) -> np.ndarray:
    """Return points (SAMPLES, 3) of the room's ceiling lamp; `shift` in -1..1 takes it from the middle towards two
    corners."""
    centre = room.centre_m + 0.4 * shift * room.size_m
    angles = 2 * np.pi * (np.arange(SAMPLES) + 0.5) / SAMPLES
    ring = centre + LAMP_RADIUS_M * np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.concatenate([ring, np.full((SAMPLES, 1), ROOM_HEIGHT_M - 0.25)], axis=1).astype(np.float32)


def light_map(quad: Quad, lamp_m: np.ndarray, solids: list[Solid], light: Light) -> np.ndarray:
    """Return (h, w, 3) float32 factors over a coarse grid of the quad's surface."""
    columns, rows = (max(2, int(np.ceil(size / GRID_M))) for size in quad.size_m)
    s, t = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    points = quad.corner_m + s[..., None] * quad.edge_s_m + t[..., None] * quad.edge_t_m + 0.012 * quad.normal
    points = np.ascontiguousarray(points.reshape(-1, 3).T, np.float32)
    to_lamps = lamp_m.T[:, :, None] - points[:, None]
    distance = np.sqrt(np.sum(to_lamps ** 2, axis=0))
    facing = np.maximum(np.tensordot(quad.normal.astype(np.float32), to_lamps, 1), 0) / distance
    arriving = facing / (0.6 + 0.35 * distance ** 2)
    if arriving.any():  # half of the sides of furniture face away
        arriving *= ~blocked(points, to_lamps, solids)
    direct = arriving.sum(axis=0)
    factor = np.array(light.ambient) + (direct / len(lamp_m))[:, None] * light.lamp
    factor = factor * (1 - quad.glow) + 1.15 * light.glow * quad.glow
    return factor.reshape(rows, columns, 3).astype(np.float32)


def blocked(points_m: np.ndarray, to_lamps_m: np.ndarray, solids: list[Solid]) -> np.ndarray:
    """Return for points (3, N) whether a solid cuts the segment (3, L, N) to each lamp, bool (L, N)."""
    hit = np.zeros(to_lamps_m.shape[1:], bool)
    for solid in solids:
        starts = _turned(points_m - solid.centre_m.astype(np.float32)[:, None], solid.yaw_rad)
        enter, leave = np.full(hit.shape, -np.inf, np.float32), np.full(hit.shape, np.inf, np.float32)
        for start, step, half in zip(starts, _turned(to_lamps_m, solid.yaw_rad), solid.half_m.astype(np.float32)):
            inverse = 1 / np.where(np.abs(step) < 1e-6, np.float32(1e-6), step)
            first, second = (-half - start) * inverse, (half - start) * inverse
            np.maximum(enter, np.minimum(first, second), out=enter)
            np.minimum(leave, np.maximum(first, second), out=leave)
        hit |= (enter < leave) & (leave > 0.01) & (enter < 1) & (enter > 0.001)
    return hit


def _turned(vectors: np.ndarray, yaw_rad: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the axes of vectors (3, ...) seen from a body that is turned about the vertical."""
    cos, sin = np.float32(np.cos(yaw_rad)), np.float32(np.sin(yaw_rad))
    return vectors[0] * cos + vectors[1] * sin, vectors[1] * cos - vectors[0] * sin, vectors[2]


def lit(texture: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return a texture (H, W, 3) uint8 under the light of a coarse map (h, w, 3)."""
    fine = cv2.resize(factors, texture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(texture, fine, dtype=cv2.CV_8U)
