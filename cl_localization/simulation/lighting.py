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
    points = points.reshape(-1, 3).astype(np.float32)
    direct = np.zeros(len(points), np.float32)
    for lamp in lamp_m:
        to_lamp = lamp - points
        distance = np.linalg.norm(to_lamp, axis=1)
        facing = np.maximum(to_lamp @ quad.normal.astype(np.float32), 0) / distance
        direct += facing / (0.6 + 0.35 * distance ** 2) * ~blocked(points, to_lamp, solids)
    factor = np.array(light.ambient) + (direct / len(lamp_m))[:, None] * light.lamp
    factor = factor * (1 - quad.glow) + 1.15 * light.glow * quad.glow
    return factor.reshape(rows, columns, 3).astype(np.float32)


def blocked(points_m: np.ndarray, to_lamp_m: np.ndarray, solids: list[Solid]) -> np.ndarray:
    """Return for points (N, 3) whether a solid cuts the segment to the lamp, bool (N,)."""
    hit = np.zeros(len(points_m), bool)
    for solid in solids:
        cos, sin = np.float32(np.cos(solid.yaw_rad)), np.float32(np.sin(solid.yaw_rad))
        rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)
        start = (points_m - solid.centre_m.astype(np.float32)) @ rotation
        step = to_lamp_m @ rotation
        step = np.where(np.abs(step) < 1e-6, np.float32(1e-6), step)
        first, second = (-solid.half_m - start) / step, (solid.half_m - start) / step
        enter, leave = np.minimum(first, second).max(1), np.maximum(first, second).min(1)
        hit |= (enter < leave) & (leave > 0.01) & (enter < 1) & (enter > 0.001)
    return hit


def lit(texture: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return a texture (H, W, 3) uint8 under the light of a coarse map (h, w, 3)."""
    fine = cv2.resize(factors, texture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(texture, fine, dtype=cv2.CV_8U)
