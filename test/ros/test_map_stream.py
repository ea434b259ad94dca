"""Snapshots and deltas: late, lost, repeated, from another map."""

from __future__ import annotations

from collections import deque

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from hypothesis import given
from hypothesis import strategies as st
from map_makers import DIM, assert_same_map, empty_map, grow

from cl_localization.errors import MapError
from cl_localization.ros.map_stream import HISTORY, SNAPSHOT_EVERY, Followed, MapFollower, MapStream


def test_a_follower_from_the_start_follows_every_change() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    stream = MapStream(map_code)
    for step in range(1, 2 * SNAPSHOT_EVERY):
        grow(map_code)
        for delta in stream.changes():
            follower.take(delta, step)
        assert follower.map_code.version == map_code.version
    assert_same_map(follower.map_code, map_code)


def test_nothing_is_said_while_nothing_changes() -> None:
    map_code = empty_map()
    stream = MapStream(map_code)
    grow(map_code)
    assert len(stream.changes()) == 1
    assert stream.changes() == []


@given(st.integers(1, 3 * HISTORY))
def test_what_dds_keeps_always_holds_the_whole_map(steps: int) -> None:
    map_code, history = empty_map(), deque(maxlen=HISTORY)
    stream = MapStream(map_code)
    for step in range(steps):
        grow(map_code, count=1)
        history.extend((delta, step) for delta in stream.changes())
    follower = MapFollower("xfeat", DIM)
    for delta, step in history:
        follower.take(delta, step)
    assert not follower.out_of_sync
    assert_same_map(follower.map_code, map_code)


def test_a_lost_change_is_noticed_and_the_history_mends_it() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    stream, history = MapStream(map_code), []
    for step in range(5):
        grow(map_code)
        history += [(delta, step) for delta in stream.changes()]
    results = [follower.take(*message) for index, message in enumerate(history) if index != 3]
    assert results[-1] == Followed.MISSED and follower.out_of_sync
    for message in history:
        follower.take(*message)
    assert not follower.out_of_sync
    assert_same_map(follower.map_code, map_code)


def test_repeated_and_old_messages_change_nothing() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    stream, history = MapStream(map_code), []
    for step in range(3):
        grow(map_code)
        history += [(delta, step) for delta in stream.changes()]
    for message in history:
        follower.take(*message)
    held = follower.map_code
    assert [follower.take(*message) for message in history] == [Followed.UNCHANGED] * len(history)
    assert follower.map_code is held


def test_a_reset_mapper_takes_its_followers_along_even_while_its_map_is_empty() -> None:
    first, second, follower = empty_map(), empty_map(), MapFollower("xfeat", DIM)
    grow(first)
    for map_code, step in ((first, 1), (second, 2)):
        for delta in MapStream(map_code).changes():
            assert follower.take(delta, step) == Followed.REPLACED
    assert follower.map_code.map_id == second.map_id and len(follower.map_code) == 0


def test_a_mapper_that_went_back_to_a_saved_map_takes_its_followers_along() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    grow(map_code)
    saved = map_code.delta_since(0)
    grow(map_code)
    follower.take(map_code.delta_since(0), 10)
    assert follower.take(saved, 10) == Followed.UNCHANGED
    assert follower.take(saved, 11) == Followed.REPLACED
    assert follower.map_code.version == saved.version


def test_a_map_from_a_file_grows_on_with_the_deltas_of_the_same_map() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    grow(map_code)
    follower.use(type(map_code).from_snapshot(map_code.delta_since(0), map_code.config))
    version = map_code.version
    grow(map_code)
    assert follower.take(map_code.delta_since(version), 1) == Followed.GREW
    assert_same_map(follower.map_code, map_code)


def test_a_map_of_another_encoder_is_refused_with_what_to_do() -> None:
    with pytest.raises(MapError, match="must be of encoder xfeat with 8 dimensions, found other with 8; start mapper and localizer"):
        MapFollower("xfeat", DIM).take(empty_map("other").delta_since(0), 1)
