"""Kidnappings: how they are cut together, how they are counted, and that the tracker comes through them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.kidnapping import IMAGES_HZ, KidnapSummary, Seen, carried, followed, judged, look, stretches
from cl_localization.config import TrackerConfig
from cl_localization.data import open_sequence
from cl_localization.evaluation.run import map_frames
from cl_localization.geometry.se3 import inverse
from cl_localization.localizer import Localizer
from cl_localization.map.map_code import MapCode
from cl_localization.mapper import Mapper
from evaluation_fakes import FakeSequence
from tracking_makers import PERIOD_NS, START_NS, at, found


def seen_at(places: list[tuple[int, float, float | None]]) -> list[Seen]:
    """Return images at (number of the place, true x, x found or None), with odometry that stands still."""
    return [Seen(place, found(None if found_m is None else at(found_m), START_NS + i * PERIOD_NS), at(true_m), at(0))
            for i, (place, true_m, found_m) in enumerate(places)]


def test_stamps_and_odometry_go_on_while_the_robot_is_carried():
    frames = list(carried(stretches(3, 1, 3, 4), 0.1))
    assert [place for place, _ in frames] == [0] * 4 + [1] * 4 + [2] * 4
    images = [frame for _, frame in frames]
    assert {after.stamp_ns - before.stamp_ns for before, after in pairwise(images)} == {PERIOD_NS}
    for before, after in ((3, 4), (7, 8)):
        np.testing.assert_allclose(images[before].odom_T_cam, images[after].odom_T_cam, atol=1e-9)
        assert np.linalg.norm(images[before].world_T_cam[:3, 3] - images[after].world_T_cam[:3, 3]) > 0.1
    step = inverse(images[4].odom_T_cam) @ images[7].odom_T_cam
    np.testing.assert_allclose(step, inverse(images[4].world_T_cam) @ images[7].world_T_cam, atol=0.05)


def test_stretches_without_odometry_have_none():
    assert [frame.odom_T_cam for _, frame in carried([FakeSequence(2)], 0.1)] == [None, None]
    assert {frame.odom_T_cam for _, frame in carried(stretches(3, 1, 1, 2), 0.1, odometry=False)} == {None}


def test_the_same_seed_gives_the_same_places_and_another_gives_others():
    def path(seed: int) -> list[np.ndarray]:
        return [stretch.pose(0) for stretch in stretches(seed, 1, 4, 3)]

    np.testing.assert_array_equal(path(3), path(3))
    assert not np.allclose(path(3), path(4))


def test_a_kidnapping_is_recovered_at_the_first_trusted_right_pose():
    images = seen_at([(0, 0, 0), (0, 0, 0), (0, 0, 0), (1, 5, None), (1, 5, 5), (1, 5, 5), (1, 5, 5)])
    assert judged(images, TrackerConfig()) == KidnapSummary(2, 7, 2, 0, pytest.approx(0.15), pytest.approx(0.2))


def test_wrong_poses_that_are_trusted_are_counted_and_recover_nothing():
    images = seen_at([(0, 0, 3), (0, 0, 3), (0, 0, 3)])
    assert judged(images, TrackerConfig()) == KidnapSummary(1, 3, 0, 2, None, None)


def test_what_comes_after_a_second_is_not_in_time():
    images = seen_at([(0, 0, None)] * 9 + [(0, 0, 0)] * 2)
    summary = judged(images, TrackerConfig())
    assert (summary.in_time, summary.longest_s) == (0, pytest.approx(1.0)) and summary.kidnappings == 1


def test_a_slow_machine_looks_at_fewer_images():
    assert judged(seen_at([(0, 0, 0)] * 10), TrackerConfig(), every=3).images == 4


def mapped(seed: int, rooms: int, frames: int) -> MapCode:
    """Map a simulated house."""
    mapper = Mapper()
    map_frames(mapper, open_sequence(f"sim:{seed}?rooms={rooms}&path=mapping&frames={frames}"))
    return mapper.map_code


@pytest.fixture(scope="module")
def one_room() -> MapCode:
    """The map of the room of seed 7."""
    return mapped(seed=7, rooms=1, frames=40)


def test_a_robot_carried_about_in_a_room_knows_soon_where_it_is_and_never_believes_what_is_wrong(one_room):
    for odometry in (True, False):
        seen = look(Localizer(one_room), carried(stretches(7, 1, 6, 4), 0.1, odometry))
        summary = judged(seen, TrackerConfig())
        assert (summary.kidnappings, summary.in_time, summary.wrong) == (6, 6, 0)


def test_flow_between_full_localizations_carries_no_pose_along_when_the_robot_is_carried_away(one_room):
    hz = 3 * IMAGES_HZ
    for odometry in (True, False):
        frames = carried(stretches(7, 1, 6, 12, hz), 1 / hz, odometry)
        summary = followed(Localizer(one_room), frames, TrackerConfig(), look_s=0.1)
        assert (summary.kidnappings, summary.in_time, summary.wrong, summary.images) == (6, 6, 0, 72)


@pytest.mark.long
def test_a_hundred_kidnappings_in_a_house_of_six_rooms():
    localizer = Localizer(mapped(seed=11, rooms=6, frames=480))
    for odometry in (True, False):
        localizer.reset()
        seen = look(localizer, carried(stretches(11, 6, 100, 10), 0.1, odometry))
        for every, least in ((1, 100), (3, 97)):
            summary = judged(seen, TrackerConfig(), every)
            assert (summary.kidnappings, summary.wrong) == (100, 0) and summary.in_time >= least
