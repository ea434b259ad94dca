"""A whole simulated house: its plan, its furniture, and its surfaces ready to be seen by a camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

import numpy as np

from cl_localization.simulation.atlas import Atlas
from cl_localization.simulation.floor_grid import FloorGrid
from cl_localization.simulation.lighting import LIGHTS, lamp_points_m, light_map, lit
from cl_localization.simulation.placing import Placed, furnish, rearrange
from cl_localization.simulation.plan import Plan, make_plan
from cl_localization.simulation.quads import Quad, Solid
from cl_localization.simulation.shell import shell


@dataclass(frozen=True, eq=False)
class House:
    """What the simulator knows of a house.

    Attributes:
        plan: rooms and doors.
        furniture: what stands where.
        grid: where a robot can stand.
        quads: every surface; rooms: (Q,) the room each belongs to; texture_seeds: what each one's texture is painted
            from.
        light, lamp: as of `build_house`.
    """

    plan: Plan
    furniture: list[Placed]
    grid: FloorGrid
    quads: list[Quad]
    rooms: np.ndarray
    texture_seeds: list[list[int]]
    light: str
    lamp: float

    @cached_property
    def atlas(self) -> Atlas:
        """The textures of all quads under the house's light; painting them takes about a second a room."""
        atlas = Atlas([texture_size(quad) for quad in self.quads])
        lamps = [lamp_points_m(room, self.lamp) for room in self.plan.rooms]
        solids = [[world_solid(item) for item in self.furniture if item.room == number]
                  for number in range(len(self.plan.rooms))]
        for index, (quad, room) in enumerate(zip(self.quads, self.rooms)):
            texture = quad.painter(np.random.default_rng(self.texture_seeds[index]), *texture_size(quad))
            atlas.put(index, lit(texture, light_map(quad, lamps[room], solids[room], LIGHTS[self.light])))
        atlas.finish()
        return atlas


@lru_cache(maxsize=2)
def build_house(seed: int, rooms: int, moved: float, light: str, lamp: float, twins: bool = False) -> House:
    """Return the house of a seed; the same arguments give the same house, and the last few are kept.

    Args:
        moved: share of the furniture that has left its place.
        light: a key of `LIGHTS`.
        lamp: where the lamps hang, see `lamp_points_m`.
        twins: whether all rooms have the size, furniture and pictures of the first.
    """
    plan = make_plan(seed, rooms, twins)
    grid = FloorGrid(plan)
    furniture = furnish(seed, plan, grid, twins)
    if moved > 0:
        furniture = rearrange(seed, moved, furniture, plan, grid)
    seeds, room_of, quads = zip(*surfaces_of(seed, plan, furniture, twins))
    return House(plan, furniture, grid, list(quads), np.array(room_of), list(seeds), light, lamp)


def surfaces_of(seed: int, plan: Plan, furniture: list[Placed],
                twins: bool = False) -> list[tuple[list[int], int, Quad]]:
    """Return (seed of the texture, room, quad) of every surface; furniture keeps its texture wherever it stands."""
    keyed = []
    for number in range(len(plan.rooms)):
        if twins:
            parts = shell(lambda part: np.random.default_rng([seed, 4, 0, part]), plan, number)
            keyed += [([seed, 5, 0, part, k], number, quad) for part, quads in enumerate(parts)
                      for k, quad in enumerate(quads)]
        else:
            fixed = chain.from_iterable(shell(_same(np.random.default_rng([seed, 4, number])), plan, number))
            keyed += [([seed, 5, number, k], number, quad) for k, quad in enumerate(fixed)]
    for item in furniture:
        for k, quad in enumerate(item.piece.quads):
            keyed.append(([seed, 6, item.number, k], item.room, quad.moved(item.world_T_piece)))
    return keyed


def _same(rng: np.random.Generator) -> Callable[[int], np.random.Generator]:
    """Return a generator to draw all parts of a room from."""
    return lambda _: rng


def texture_size(quad: Quad) -> tuple[int, int]:
    """Return height and width of the quad's texture in texels."""
    width_m, height_m = quad.size_m
    return max(8, round(height_m / quad.texel_m)), max(8, round(width_m / quad.texel_m))


def world_solid(item: Placed) -> Solid:
    """Return the shadow box of a placed piece in the world."""
    solid = item.piece.solid
    return Solid(solid.centre_m + [item.x_m, item.y_m, 0], solid.half_m, item.yaw_rad)
