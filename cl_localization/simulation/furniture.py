"""The furniture: each maker draws sizes and clutter from a seeded generator and returns one piece.

In a piece's own frame the floor is z = 0, the origin is the middle of the footprint, the front faces -y and the back,
+y, goes to a wall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cl_localization.simulation import prints
from cl_localization.simulation.quads import Quad, Solid, both_sides, box, level, prism


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece of furniture in its own frame.

    Attributes:
        name: its kind.
        width_m, depth_m, height_m: what it takes up, along x, y and z.
        quads: its faces.
        at_wall: whether it stands with its back to a wall; else free in the room.
    """

    name: str
    width_m: float
    depth_m: float
    height_m: float
    quads: list[Quad]
    at_wall: bool = True

    @property
    def solid(self) -> Solid:
        """The box that casts this piece's shadow."""
        half = 0.5 * np.array([self.width_m, self.depth_m, self.height_m])
        return Solid(np.array([0.0, 0.0, half[2]]), half * [0.9, 0.9, 1.0])


def cupboard(rng: np.random.Generator) -> Piece:
    """Return a tall cupboard with cartons on top."""
    width, depth, height = rng.uniform(0.8, 1.3), rng.uniform(0.4, 0.55), rng.uniform(1.4, 2.0)
    quads = box((0, 0), 0, (width, depth, height), prints.wood, prints.cupboard)
    quads += clutter(rng, width, depth, height, 2)
    return Piece("cupboard", width, depth, height, quads)


def bookcase(rng: np.random.Generator) -> Piece:
    """Return a book case."""
    width, depth, height = rng.uniform(0.8, 1.5), rng.uniform(0.28, 0.36), rng.uniform(1.5, 2.1)
    return Piece("bookcase", width, depth, height, box((0, 0), 0, (width, depth, height), prints.wood, prints.books))


def sideboard(rng: np.random.Generator) -> Piece:
    """Return a low cupboard with things on it."""
    width, depth, height = rng.uniform(1.0, 1.6), rng.uniform(0.4, 0.5), rng.uniform(0.7, 0.9)
    quads = box((0, 0), 0, (width, depth, height), prints.wood, prints.cupboard)
    quads += clutter(rng, width, depth, height, 4)
    return Piece("sideboard", width, depth, height + 0.2, quads)


def machine(rng: np.random.Generator) -> Piece:
    """Return an appliance: a refrigerator or the like."""
    width, depth, height = rng.uniform(0.6, 0.8), rng.uniform(0.6, 0.7), rng.uniform(0.85, 1.8)
    quads = box((0, 0), 0, (width, depth, height), prints.metal, prints.machine)
    quads += clutter(rng, width, depth, height, 1)
    return Piece("machine", width, depth, height, quads)


def sofa(rng: np.random.Generator) -> Piece:
    """Return a sofa with cushions."""
    width, depth = rng.uniform(1.4, 2.0), rng.uniform(0.75, 0.9)
    cover = prints.fabric
    quads = box((0, -0.1), 0, (width - 0.3, depth - 0.2, 0.42), cover)
    quads += box((0, 0.5 * depth - 0.1), 0, (width, 0.2, 0.85), cover)
    for side in (-1, 1):
        quads += box((side * (0.5 * width - 0.09), -0.1), 0, (0.18, depth - 0.2, 0.6), cover)
        quads += turned(box((0, 0), 0, (0.4, 0.14, 0.36), cover), side * 0.3 * width, 0.12, 0.43, rng.normal(0, 0.2))
    return Piece("sofa", width, depth, 0.7, quads)


def desk(rng: np.random.Generator) -> Piece:
    """Return a desk with a monitor and papers."""
    width, depth, height = rng.uniform(1.1, 1.6), rng.uniform(0.6, 0.75), 0.74
    quads = tabletop(width, depth, height)
    quads += box((-0.5 * width + 0.25, 0), 0.05, (0.4, depth - 0.08, height - 0.1), prints.wood, prints.cupboard)
    quads += turned(box((0, 0), height + 0.1, (0.55, 0.05, 0.34), prints.metal, prints.screen, glow=0.35), 0.1, 0.15, 0,
                    rng.normal(0, 0.3))
    quads += box((0.1, 0.17), height, (0.2, 0.12, 0.11), prints.metal)
    quads += clutter(rng, width, 0.4 * depth, height, 3, -0.2)
    return Piece("desk", width, depth, height + 0.3, quads)


def table(rng: np.random.Generator) -> Piece:
    """Return a table with things on it, free in the room."""
    width, depth, height = rng.uniform(1.0, 1.5), rng.uniform(0.7, 0.9), rng.uniform(0.6, 0.76)
    quads = tabletop(width, depth, height) + clutter(rng, width, depth, height, 5)
    return Piece("table", width, depth, height, quads, at_wall=False)


def chair(rng: np.random.Generator) -> Piece:
    """Return a chair, free in the room."""
    quads = box((0, 0), 0.41, (0.44, 0.44, 0.06), prints.wood, top=prints.fabric)
    quads += box((0, 0.2), 0.55, (0.44, 0.04, 0.4), prints.wood, prints.fabric)
    quads += legs(0.42, 0.42, 0.41, 0.04)
    return Piece("chair", 0.46, 0.46, 0.7, quads, at_wall=False)


def cartons(rng: np.random.Generator) -> Piece:
    """Return a stack of cartons."""
    quads, base, edge = [], 0.0, rng.uniform(0.45, 0.6)
    for _ in range(int(rng.integers(1, 4))):
        tall = rng.uniform(0.22, 0.42)
        quads += turned(box((0, 0), 0, (edge, edge * 0.8, tall), prints.carton), 0, 0, base, rng.normal(0, 0.15))
        base, edge = base + tall, edge * rng.uniform(0.75, 0.95)
    return Piece("cartons", 0.6, 0.6, base, quads, at_wall=bool(rng.random() < 0.6))


def plant(rng: np.random.Generator) -> Piece:
    """Return a pot plant with large leaves."""
    pot = rng.uniform(0.25, 0.45)
    quads = prism((0, 0), 0, 0.17, pot, prints.stone, prints.leaf)
    for angle in rng.uniform(0, 2 * np.pi, 14):
        outward = np.array([np.cos(angle), np.sin(angle), 0])
        tilt, length = rng.uniform(0.2, 1.3), rng.uniform(0.25, 0.5)
        along = length * (np.cos(tilt) * outward * 0.8 + np.sin(tilt) * np.array([0, 0, 1.0]))
        across = 0.4 * length * np.array([-np.sin(angle), np.cos(angle), 0.3 * rng.normal()])
        start = np.array([0, 0, pot + rng.uniform(0, 0.45)])
        quads += both_sides(Quad(start - 0.5 * across, along, across, prints.leaf, is_round=True))
    return Piece("plant", 0.5, 0.5, pot + 0.5, quads)


def waste_bin(rng: np.random.Generator) -> Piece:
    """Return a round bin."""
    height = rng.uniform(0.35, 0.7)
    return Piece("bin", 0.4, 0.4, height, prism((0, 0), 0, 0.18, height, prints.metal, prints.fabric, sides=12))


def standing_lamp(rng: np.random.Generator) -> Piece:
    """Return a standing lamp: foot, pole and a printed shade."""
    height = rng.uniform(1.3, 1.6)
    quads = prism((0, 0), 0, 0.16, 0.04, prints.metal) + prism((0, 0), 0.04, 0.02, height, prints.metal, sides=6)
    quads += prism((0, 0), height - 0.1, 0.2, 0.32, prints.fabric, sides=12, glow=0.5)
    return Piece("lamp", 0.42, 0.42, 0.05, quads)


def tabletop(width_m: float, depth_m: float, height_m: float) -> list[Quad]:
    """Return a board on four legs."""
    board = box((0, 0), height_m - 0.04, (width_m, depth_m, 0.04), prints.wood, top=prints.wood)
    return board + legs(width_m - 0.08, depth_m - 0.08, height_m - 0.04, 0.05)


def legs(width_m: float, depth_m: float, height_m: float, thick_m: float) -> list[Quad]:
    """Return four legs whose centres span width x depth, without tops."""
    half = 0.5 * (np.array([width_m, depth_m]) - thick_m)
    corners = [(sx * half[0], sy * half[1]) for sx in (-1, 1) for sy in (-1, 1)]
    return [quad for corner in corners for quad in box(corner, 0, (thick_m, thick_m, height_m), prints.wood)[:4]]


def clutter(rng: np.random.Generator, width_m: float, depth_m: float, height_m: float, count: int,
            y_m: float = 0.0) -> list[Quad]:
    """Return up to `count` small things side by side on a surface at `height_m`: cartons, books, pots, a lying
    paper."""
    quads, slot = [], width_m / max(count, 1)
    for k in range(count):
        x = -0.5 * width_m + (k + 0.5) * slot
        edge, tall = min(slot * 0.75, rng.uniform(0.14, 0.34)), rng.uniform(0.06, 0.3)
        deep = min(edge, 0.8 * depth_m)
        kind = rng.random()
        if kind < 0.45:
            quads += turned(box((0, 0), 0, (edge, deep * 0.7, tall), prints.carton, texel_m=0.002), x, y_m, height_m,
                            rng.normal(0, 0.35))
        elif kind < 0.75:
            pile = box((0, 0), 0, (edge, deep * 0.75, 0.3 * tall), prints.books, prints.books, prints.poster,
                       texel_m=0.002)
            quads += turned(pile, x, y_m, height_m, rng.normal(0, 0.5))
        elif kind < 0.9:
            quads += prism((x, y_m), height_m, 0.3 * deep, tall, prints.stone, prints.leaf, sides=8, texel_m=0.002)
        else:
            quads.append(level(np.array([x, y_m, height_m + 0.004]), edge, deep, prints.poster, texel_m=0.002))
    return quads


def turned(quads: list[Quad], x_m: float, y_m: float, z_m: float, yaw_rad: float) -> list[Quad]:
    """Return the quads turned about the vertical and then shifted."""
    return [quad.moved(stand(x_m, y_m, yaw_rad, z_m)) for quad in quads]


def stand(x_m: float, y_m: float, yaw_rad: float, z_m: float = 0.0) -> np.ndarray:
    """Return the 4x4 matrix of a frame that stands upright at a place."""
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([[cos, -sin, 0, x_m], [sin, cos, 0, y_m], [0, 0, 1, z_m], [0, 0, 0, 1.0]])


MAKERS: tuple[Callable[[np.random.Generator], Piece], ...] = (
    cupboard, bookcase, table, sideboard, sofa, machine, plant, desk, chair, cartons, waste_bin, standing_lamp)
"""Every kind; a room gets its furniture from here."""
