"""Plan, furniture and surfaces of a house."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.simulation.floor_grid import FloorGrid
from cl_localization.simulation.furniture import MAKERS
from cl_localization.simulation.house import build_house, texture_size
from cl_localization.simulation.lighting import LIGHTS, lamp_points_m, light_map
from cl_localization.simulation.placing import door_zones, furnish
from cl_localization.simulation.plan import make_plan
from cl_localization.simulation.prints import wood
from cl_localization.simulation.quads import Solid, box, level, prism, upright


def house(seed: int = 7, rooms: int = 2, moved: float = 0.0):
    return build_house(seed, rooms, moved, "day", 0.0)


def test_rooms_do_not_overlap_and_doors_join_each_to_the_next() -> None:
    for count in range(1, 13):
        plan = make_plan(3, count)
        for number, room in enumerate(plan.rooms):
            for other in plan.rooms[number + 1:]:
                assert (np.abs(room.centre_m - other.centre_m) > 0.5 * (room.size_m + other.size_m)).any(), count
        joined = {frozenset(door.rooms) for door in plan.doors}
        assert all(frozenset((number, number + 1)) in joined for number in range(count - 1)), count


def test_a_house_of_six_rooms_is_a_loop() -> None:
    assert frozenset((0, 5)) in {frozenset(door.rooms) for door in make_plan(1, 6).doors}


def test_a_place_belongs_to_the_room_around_it() -> None:
    plan = make_plan(5, 6)
    assert [plan.room_at(*room.centre_m) for room in plan.rooms] == list(range(6))


def test_a_piece_stays_on_its_footprint() -> None:
    def stays(piece) -> bool:
        corners = np.stack([quad.corner_m + a * quad.edge_s_m + b * quad.edge_t_m
                            for quad in piece.quads for a in (0, 1) for b in (0, 1)])
        reach_m = 0.5 * np.array([piece.width_m, piece.depth_m]) + 0.08
        return corners[:, 2].min() > -0.02 and (piece.name == "plant" or (np.abs(corners[:, :2]) < reach_m).all())

    assert [maker.__name__ for maker in MAKERS if not stays(maker(np.random.default_rng(2)))] == []


def test_the_faces_of_bodies_look_outwards() -> None:
    for quads in (box((0, 0), 1.0, (1, 2, 3), wood), prism((0, 0), 1.0, 0.5, 3.0, wood)):
        middle = np.array([0, 0, 2.5])
        for quad in quads:
            centre = quad.corner_m + 0.5 * (quad.edge_s_m + quad.edge_t_m)
            assert np.dot(quad.normal, centre - middle) > 0


def test_twin_rooms_have_the_same_size_and_furniture_and_look_alike() -> None:
    twins = build_house(7, 3, 0.0, "day", 0.0, twins=True)
    assert np.allclose([room.size_m for room in twins.plan.rooms], twins.plan.rooms[0].size_m)
    places = [{(item.number, *np.round([item.x_m - room.x0_m, item.y_m - room.y0_m], 6)) for item in twins.furniture
               if item.room == number} for number, room in enumerate(twins.plan.rooms)]
    assert all(len(places[0] & other) >= 5 for other in places[1:])
    seeds = [{tuple(seed) for seed, room in zip(twins.texture_seeds, twins.rooms) if room == number}
             for number in range(3)]
    assert len(seeds[0] & seeds[1]) > 0.7 * len(seeds[0])
    others = house(rooms=3).texture_seeds
    assert len({tuple(seed) for seed in others}) == len(others)


def test_furniture_stands_in_rooms_keeps_apart_and_leaves_doors_free() -> None:
    plan = make_plan(11, 4)
    grid = FloorGrid(plan)
    placed = furnish(11, plan, grid)
    assert len(placed) >= 4 * 6
    assert grid.taken.max() == 1
    assert not ((grid.taken > 0) & (door_zones(plan, FloorGrid(plan)) > 0) & (FloorGrid(plan).taken == 0)).any()
    for item in placed:
        room = plan.rooms[item.room]
        assert (item.corners_m >= [room.x0_m, room.y0_m]).all() and (item.corners_m <= [room.x1_m, room.y1_m]).all()


def test_the_same_seed_gives_the_same_house_and_another_seed_another() -> None:
    first, again = house(7, rooms=1), build_house.__wrapped__(7, 1, 0.0, "day", 0.0)
    assert [(item.piece.name, item.x_m, item.y_m) for item in first.furniture] == [
        (item.piece.name, item.x_m, item.y_m) for item in again.furniture]
    assert (first.atlas.picture == again.atlas.picture).all()
    other = house(8, rooms=1)
    assert [item.x_m for item in other.furniture][:3] != [item.x_m for item in first.furniture][:3]


def test_the_asked_share_of_furniture_moves_and_keeps_its_texture() -> None:
    before, after = house(7, moved=0.0), house(7, moved=0.3)
    moved = [np.hypot(a.x_m - b.x_m, a.y_m - b.y_m) > 0.5 for a, b in zip(before.furniture, after.furniture)]
    assert 0.15 <= np.mean(moved) <= 0.3 + 1e-9
    assert [a.number for a in before.furniture] == [b.number for b in after.furniture]
    assert before.texture_seeds == after.texture_seeds
    assert [texture_size(quad) for quad in before.quads] == [texture_size(quad) for quad in after.quads]


def test_no_two_large_textures_are_alike() -> None:
    built = house(7)
    large = np.flatnonzero(built.atlas.sizes.min(axis=1) > 100)
    patches = []
    for number in large:
        left, top = built.atlas.origins[number].astype(int) + 20
        patch = built.atlas.picture[top:top + 60, left:left + 60].astype(float).mean(axis=2).ravel()
        patches.append((patch - patch.mean()) / (patch.std() + 1e-6))
    correlation = np.stack(patches) @ np.stack(patches).T / 3600
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 0.9


def test_a_surface_under_a_box_lies_in_its_shadow() -> None:
    plan = make_plan(1, 1)
    lamp = lamp_points_m(plan.rooms[0], 0.0)
    under = level(np.array([*plan.rooms[0].centre_m, 0]), 0.5, 0.5, wood)
    cover = Solid(np.array([*plan.rooms[0].centre_m, 1.0]), np.array([1.0, 1.0, 0.1]))
    assert light_map(under, lamp, [cover], LIGHTS["day"]).max() == pytest.approx(0.64)
    assert light_map(under, lamp, [], LIGHTS["day"]).min() > 0.9


def test_glowing_things_need_no_lamp_and_night_is_darker_than_day() -> None:
    plan = make_plan(1, 1)
    lamp = lamp_points_m(plan.rooms[0], 0.0)
    wall = upright(np.array([*plan.rooms[0].centre_m, 1.0]), np.array([1.0, 0, 0]), 1, 1, wood)
    glowing = upright(np.array([*plan.rooms[0].centre_m, 1.0]), np.array([1.0, 0, 0]), 1, 1, wood, glow=1.0)
    day, night = (light_map(wall, lamp, [], LIGHTS[name]).mean() for name in ("day", "night"))
    assert night < 0.5 * day
    assert light_map(glowing, lamp, [], LIGHTS["day"]) == pytest.approx(1.15)
