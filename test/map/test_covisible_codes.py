from __future__ import annotations

import numpy as np

from cl_localization.config import MapCodeConfig
from cl_localization.map.code_index import CodeIndex, CovisibleCodes
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import unit_vectors

DIM, CODES = 16, 30


def add_room(map_code: MapCode, x_m: float, scene: str = "house", seed: int = 0, keyframes: int = 3) -> list[int]:
    """Add keyframes within a metre, each with codes."""
    rng = np.random.default_rng(seed)
    added = []
    for number in range(keyframes):
        pose = np.eye(4)
        pose[0, 3] = x_m + 0.3 * number
        keyframe = map_code.add_keyframe(pose, 10**9 * (map_code.version + 1), map_code.scene_number(scene))
        positions_m = rng.uniform([x_m, 0, 2], [x_m + 2, 2, 4], (CODES, 3)).astype(np.float32)
        map_code.insert(NewCodes(unit_vectors(rng, CODES, DIM), positions_m, np.full(CODES, 0.01, np.float32)),
                        keyframe)
        added.append(keyframe)
    return added


def house() -> tuple[MapCode, list[list[int]]]:
    """A map of three rooms: two far apart, one that lies over the first but is another scene."""
    map_code = MapCode(MapCodeConfig(), "scene", DIM)
    return map_code, [add_room(map_code, 0.0, seed=1), add_room(map_code, 30.0, seed=2),
                      add_room(map_code, 0.0, "cellar", seed=3)]


def found_rows(search: object, map_code: MapCode) -> np.ndarray:
    """All rows that a search can find."""
    return np.unique(search.search(map_code.descriptors(map_code.codes.rows()), 4)[1])


def rows_of(map_code: MapCode, keyframes: list[int]) -> np.ndarray:
    rows = map_code.codes.rows()
    return rows[np.isin(map_code.codes["anchors"][rows], keyframes)]


def test_only_the_codes_of_the_room_are_searched() -> None:
    map_code, rooms = house()
    regions = CovisibleCodes(map_code)
    for room in rooms:
        np.testing.assert_array_equal(found_rows(regions.around(np.array(room[:1])), map_code), rows_of(map_code, room))


def test_from_the_border_of_a_region_the_one_beside_it_is_searched_too() -> None:
    map_code = MapCode(MapCodeConfig(), "scene", DIM)
    begun, border, beside, _ = (add_room(map_code, x_m, seed=seed, keyframes=1)
                                for seed, x_m in enumerate((0.0, 4.8, 5.3, 60.0)))
    regions = CovisibleCodes(map_code)
    for keyframe, members in ((begun, begun + border), (border, begun + border + beside)):
        np.testing.assert_array_equal(found_rows(regions.around(np.array(keyframe)), map_code),
                                      rows_of(map_code, members))


def test_what_several_rooms_find_is_what_all_of_them_together_find() -> None:
    map_code, rooms = house()
    queries = unit_vectors(np.random.default_rng(5), 20, DIM)
    similarity, rows = CovisibleCodes(map_code).around(np.array([rooms[0][0], rooms[2][0]])).search(queries, 4)
    members = rows_of(map_code, [*rooms[0], *rooms[2]])
    expected = np.sort(queries @ map_code.descriptors(members).T, axis=1)[:, ::-1][:, :4]
    np.testing.assert_allclose(similarity, expected, atol=1e-5)
    assert np.isin(rows, members).all()


def test_all_rooms_are_everything() -> None:
    map_code, rooms = house()
    assert CovisibleCodes(map_code).around(np.array([room[0] for room in rooms])) is None
    assert CovisibleCodes(map_code).around(np.zeros(0, np.int64)) is None


def test_rooms_that_grow_and_shrink_are_followed(monkeypatch) -> None:
    monkeypatch.setattr("cl_localization.map.code_index.MIN_CLUSTERED", 40)
    map_code, rooms = house()
    regions = CovisibleCodes(map_code)
    regions.around(np.array(rooms[1][:1])).search(unit_vectors(np.random.default_rng(0), 2, DIM), 4)
    rooms[1] += add_room(map_code, 31.0, seed=4, keyframes=1)
    map_code.remove(rows_of(map_code, rooms[1])[::3])
    found = found_rows(regions.around(np.array(rooms[1][:1])), map_code)
    assert np.isin(found, rows_of(map_code, rooms[1])).all() and len(found) > 0.8 * len(rows_of(map_code, rooms[1]))


def test_a_keyframe_that_is_moved_keeps_its_region_and_a_number_that_comes_again_gets_another() -> None:
    map_code, rooms = house()
    regions = CovisibleCodes(map_code)
    regions.around(np.array(rooms[0][:1]))
    pose = np.eye(4)
    pose[0, 3] = 20.0
    map_code.move_keyframes(np.array(rooms[0][:1]), pose[None])
    search = regions.around(np.array(rooms[0][1:2]))
    np.testing.assert_array_equal(found_rows(search, map_code), rows_of(map_code, rooms[0]))
    map_code.remove(rows_of(map_code, rooms[0][:1]))  # the others of the room stay, in its region
    map_code.keyframes.remove(np.array(rooms[0][:1]), map_code.version)
    again = add_room(map_code, 60.0, seed=8, keyframes=1)
    assert again == rooms[0][:1]
    np.testing.assert_array_equal(found_rows(regions.around(np.array(again)), map_code), rows_of(map_code, again))


def test_a_room_without_codes_finds_nothing() -> None:
    map_code, rooms = house()
    map_code.remove(rows_of(map_code, rooms[1]))
    similarity, rows = (
        CovisibleCodes(map_code).around(np.array(rooms[1][:1])).search(unit_vectors(np.random.default_rng(0), 3, DIM),
                                                                       4)
    )
    assert (rows == -1).all() and (similarity == -1).all() and rows.shape == (3, 4)


def test_an_index_without_members_of_its_own_is_of_all() -> None:
    map_code, _ = house()
    np.testing.assert_array_equal(found_rows(CodeIndex(map_code), map_code), map_code.codes.rows())
