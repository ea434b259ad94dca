"""What everything in the house is made of: flat, textured parallelograms, and bodies put together from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Painter = Callable[[np.random.Generator, int, int], np.ndarray]
"""Makes a texture: (generator, height, width in texels) -> (H, W, 3) uint8 RGB."""

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Quad:
    """A textured parallelogram, seen from one side: where `edge_s_m` runs to the right and `edge_t_m` down.

    Attributes:
        corner_m: (3,) where the texture's first row and column meet.
        edge_s_m, edge_t_m: (3,) edges along the texture's columns and rows.
        painter: makes the texture.
        texel_m: edge of a texel.
        hole: (s0, s1, t0, t1), a part of the surface that is missing, in 0..1 along the edges; or None.
        is_round: only the ellipse inside the parallelogram exists.
        glow: share of the light that it gives off by itself, whatever the lamps do.
    """

    corner_m: np.ndarray
    edge_s_m: np.ndarray
    edge_t_m: np.ndarray
    painter: Painter
    texel_m: float = 0.003
    hole: tuple[float, float, float, float] | None = None
    is_round: bool = False
    glow: float = 0.0

    @property
    def size_m(self) -> tuple[float, float]:
        """Lengths of the edges s and t."""
        return float(np.linalg.norm(self.edge_s_m)), float(np.linalg.norm(self.edge_t_m))

    @property
    def normal(self) -> np.ndarray:
        """Unit vector (3,) towards the side from which the quad is seen."""
        cross = np.cross(self.edge_t_m, self.edge_s_m)
        return cross / np.linalg.norm(cross)

    def moved(self, world_T_body: np.ndarray) -> Quad:
        """Return the quad of a body frame in the world frame."""
        rotation, offset = world_T_body[:3, :3], world_T_body[:3, 3]
        return replace(self, corner_m=rotation @ self.corner_m + offset, edge_s_m=rotation @ self.edge_s_m,
                       edge_t_m=rotation @ self.edge_t_m)


@dataclass(frozen=True, eq=False)
class Solid:
    """A box that blocks light, turned by `yaw_rad` about the vertical.

    Attributes:
        centre_m, half_m: (3,) centre and half edges.
    """

    centre_m: np.ndarray
    half_m: np.ndarray
    yaw_rad: float = 0.0


def upright(centre_m: np.ndarray, outward: np.ndarray, width_m: float, height_m: float, painter: Painter,
            **looks: Any) -> Quad:
    """Return a vertical rectangle about `centre_m` that faces the horizontal direction `outward` (3,)."""
    right = np.cross(-np.asarray(outward, float), UP)
    right /= np.linalg.norm(right)
    corner = np.asarray(centre_m, float) - 0.5 * width_m * right + 0.5 * height_m * UP
    return Quad(corner, right * width_m, -UP * height_m, painter, **looks)


def level(centre_m: np.ndarray, size_x_m: float, size_y_m: float, painter: Painter, faces_up: bool = True,
          **looks: Any) -> Quad:
    """Return a horizontal rectangle about `centre_m`, seen from above or from below."""
    y_sign = 1.0 if faces_up else -1.0
    corner = np.asarray(centre_m, float) + [-0.5 * size_x_m, 0.5 * y_sign * size_y_m, 0.0]
    return Quad(corner, np.array([size_x_m, 0, 0]), np.array([0, -y_sign * size_y_m, 0]), painter, **looks)


def box(centre_xy_m: tuple[float, float], base_m: float, size_m: tuple[float, float, float], side: Painter,
        front: Painter | None = None,
        top: Painter | None = None, **looks: Any) -> list[Quad]:
    """Return the faces of a box that stands at height `base_m`: four sides, the top, and the bottom if it hangs high.

    `front` is painted on the face towards -y.
    """
    (x, y), (dx, dy, dz) = centre_xy_m, size_m
    middle = base_m + 0.5 * dz
    quads = [
        upright(np.array([x, y - 0.5 * dy, middle]), np.array([0, -1.0, 0]), dx, dz, front or side, **looks),
        upright(np.array([x, y + 0.5 * dy, middle]), np.array([0, 1.0, 0]), dx, dz, side, **looks),
        upright(np.array([x - 0.5 * dx, y, middle]), np.array([-1.0, 0, 0]), dy, dz, side, **looks),
        upright(np.array([x + 0.5 * dx, y, middle]), np.array([1.0, 0, 0]), dy, dz, side, **looks),
        level(np.array([x, y, base_m + dz]), dx, dy, top or side, **looks)]
    if base_m > 0.5:
        quads.append(level(np.array([x, y, base_m]), dx, dy, side, faces_up=False, **looks))
    return quads


def prism(centre_xy_m: tuple[float, float], base_m: float, radius_m: float, height_m: float, side: Painter,
          top: Painter | None = None,
          sides: int = 10, **looks: Any) -> list[Quad]:
    """Return an upright column with a regular polygon for a base, closed by a disc."""
    x, y = centre_xy_m
    apothem, edge = radius_m * np.cos(np.pi / sides), 2 * radius_m * np.sin(np.pi / sides)
    quads = []
    for angle in 2 * np.pi * np.arange(sides) / sides:
        outward = np.array([np.cos(angle), np.sin(angle), 0])
        quads.append(upright(np.array([x, y, base_m + 0.5 * height_m]) + apothem * outward, outward, edge, height_m,
                             side, **looks))
    quads.append(level(np.array([x, y, base_m + height_m]), 2 * apothem, 2 * apothem, top or side, is_round=True,
                       **looks))
    return quads


def both_sides(quad: Quad) -> list[Quad]:
    """Return a thin sheet: the quad and its back."""
    return [quad, replace(quad, corner_m=quad.corner_m + quad.edge_s_m, edge_s_m=-quad.edge_s_m)]
