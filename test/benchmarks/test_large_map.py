"""The map of a building for the benchmark: as many codes as asked for, each copy in its place and looking different."""

from __future__ import annotations

import numpy as np

from benchmarks.large_map import SPACING_M, repeated
from map_makers import empty_map, grow


def test_a_building_has_the_room_and_copies_that_look_different() -> None:
    room = empty_map()
    for seed in range(3):
        grow(room, 40, seed)
    room.remove(room.codes.rows()[::3])
    building = repeated(room, 5)
    count = len(room)
    assert (len(building), len(building.keyframes)) == (5 * count, 15)
    np.testing.assert_array_equal(building.codes["keys"][:count], room.codes["keys"][room.codes.rows()])
    moved_m = building.positions_m.reshape(5, count, 3) - room.positions_m
    np.testing.assert_allclose(moved_m, np.broadcast_to(moved_m[:, :1], moved_m.shape), atol=1e-5)
    assert len({tuple(np.round(offset / SPACING_M).tolist()) for offset in moved_m[:, 0]}) == 5
    alike = (building.descriptors(np.arange(count)) * building.descriptors(count + np.arange(count))).sum(axis=1)
    assert np.abs(alike).mean() < 0.6
    anchors = building.keyframes["keyframe_poses"][building.codes["anchors"][building.codes.rows()], :3]
    np.testing.assert_allclose((anchors.reshape(5, count, 3) - anchors[:count])[:, 0], moved_m[:, 0], atol=1e-5)
