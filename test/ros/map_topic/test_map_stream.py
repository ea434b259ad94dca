"""Snapshots and deltas: late, lost, repeated, from another map."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from cl_localization.errors import LocalizationError, MapError
from cl_localization.ros.conversions import stamp_ns
from cl_localization.ros.map_topic.map_messages import checksum, map_delta, map_message
from cl_localization.ros.map_topic.map_stream import HISTORY, SNAPSHOT_EVERY, Followed, MapFollower, MapStream
from map_makers import DIM, assert_same_map, empty_map, grow
from ros_garbage import spoiled


def test_a_follower_from_the_start_follows_every_change() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    stream = MapStream(map_code)
    for step in range(1, 2 * SNAPSHOT_EVERY):
        grow(map_code)
        for delta in stream.changes():
            follower.take(delta, step)
        assert follower.map_code.version == map_code.version
    assert_same_map(follower.map_code, map_code)


def test_nothing_is_published_while_nothing_changes() -> None:
    map_code = empty_map()
    stream = MapStream(map_code)
    grow(map_code)
    assert len(stream.changes()) == 1
    assert stream.changes() == []


def test_reminders_of_the_version_come_at_growing_intervals_and_reveal_a_lost_last_delta() -> (
    None
):
    map_code, follower, now_s, told_s = empty_map(), MapFollower("xfeat", DIM), 0.0, []
    stream, history = MapStream(map_code, lambda: now_s), deque(maxlen=HISTORY)
    grow(map_code)
    for delta in stream.changes():
        follower.take(delta, 0)
    grow(map_code)
    stream.changes()
    while now_s < 8000:
        now_s += 0.5
        said = stream.changes()
        history.extend(said)
        told_s += [now_s] * len(said)
        if len(told_s) == 1 and said:
            assert follower.take(said[0], 1) == Followed.MISSED and follower.wants_history
    assert told_s[:4] == [2.0, 6.0, 14.0, 30.0] and told_s[-1] - told_s[-3] <= 128
    late = MapFollower("xfeat", DIM)
    for delta in history:
        late.take(delta, 0)
    assert_same_map(late.map_code, map_code)


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


def test_the_clock_of_a_mapper_that_has_ended_says_nothing_of_the_next_one_s_messages() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    grow(map_code)
    saved = map_code.delta_since(0)
    grow(map_code)
    assert follower.take(map_code.delta_since(0), 1000, "first") == Followed.REPLACED
    assert follower.take(map_code.delta_since(0), 10, "second") == Followed.REPLACED
    assert follower.take(saved, 11, "second") == Followed.REPLACED


def test_a_map_from_a_file_grows_on_with_the_deltas_of_the_same_map() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    grow(map_code)
    follower.use(type(map_code).from_snapshot(map_code.delta_since(0), map_code.config))
    version = map_code.version
    grow(map_code)
    assert follower.take(map_code.delta_since(version), 1) == Followed.GREW
    assert_same_map(follower.map_code, map_code)


def test_a_map_of_another_encoder_is_refused_with_what_to_do() -> None:
    with pytest.raises(MapError, match="must be of encoder xfeat with 8 dimensions, found other with 8; start mapper "
                                       "and localizer"):
        MapFollower("xfeat", DIM).take(empty_map("other").delta_since(0), 1)


class Mappers:
    """How many publish a map, as DDS would tell."""

    def __init__(self) -> None:
        self.count = 1

    def __call__(self) -> int:
        return self.count


def test_while_two_mappers_publish_the_follower_stays_with_the_one_it_heard_first() -> None:
    mappers, mine, other = Mappers(), empty_map(), empty_map()
    follower = MapFollower("xfeat", DIM, mappers)
    streams = {"mine": MapStream(mine), "other": MapStream(other)}
    mappers.count, results = 2, []
    for step in range(1, 2 * HISTORY):
        for source, map_code in (("mine", mine), ("other", other)):
            grow(map_code, count=1)
            results += [follower.take(delta, step, source) for delta in streams[source].changes()]
    assert results.count(Followed.REPLACED) == 1 and Followed.IGNORED in results
    assert_same_map(follower.map_code, mine)


def test_when_its_mapper_has_gone_the_follower_asks_for_the_history_of_the_one_that_is_left() -> None:
    mappers, mine, other = Mappers(), empty_map(), empty_map()
    follower = MapFollower("xfeat", DIM, mappers)
    grow(mine)
    grow(other)
    follower.take(mine.delta_since(0), 2, "mine")
    mappers.count = 2
    snapshot = other.delta_since(0)
    assert follower.take(snapshot, 1, "other") == Followed.IGNORED and not follower.wants_history
    mappers.count = 1
    assert follower.wants_history
    follower.ask_again()
    assert not follower.wants_history
    assert follower.take(snapshot, 1, "other") == Followed.REPLACED
    assert_same_map(follower.map_code, other)


@pytest.mark.parametrize("versions_ahead", [-2, 0, 2])
def test_a_mapper_that_starts_anew_with_the_same_map_is_followed_from_its_snapshot_whatever_the_version(
    versions_ahead: int,
) -> None:
    before, follower = empty_map(), MapFollower("xfeat", DIM)
    for _ in range(3):
        grow(before)
    follower.take(before.delta_since(0), 100, "first start")
    after = type(before).from_snapshot(before.delta_since(0), before.config)
    after.version += versions_ahead
    grow(after, seed=7)
    early = after.version
    snapshot = after.delta_since(0)
    grow(after, seed=8)
    assert follower.take(after.delta_since(early), 3, "second start") == Followed.MISSED and follower.wants_history
    assert follower.take(snapshot, 2, "second start") == Followed.REPLACED
    assert follower.take(after.delta_since(early), 3, "second start") == Followed.GREW
    assert_same_map(follower.map_code, after)


def test_a_mapper_with_another_map_is_followed_when_it_takes_the_place_of_the_first() -> None:
    before, after, follower = empty_map(), empty_map(), MapFollower("xfeat", DIM)
    for map_code, source in ((before, "first start"), (after, "second start")):
        grow(map_code)
        assert follower.take(map_code.delta_since(0), 1, source) == Followed.REPLACED
        assert_same_map(follower.map_code, map_code)


def test_an_empty_delta_of_an_unchanged_map_is_accepted() -> None:
    map_code, follower = empty_map(), MapFollower("xfeat", DIM)
    grow(map_code)
    follower.take(map_code.delta_since(0), 1)
    nothing = map_code.delta_since(map_code.version)
    assert follower.take(nothing, 2) == Followed.UNCHANGED
    copy = type(map_code).from_snapshot(map_code.delta_since(0), map_code.config)
    copy.apply(nothing)
    assert_same_map(copy, map_code)


@given(st.integers(0, 2**32 - 1), st.integers(1, 2 * HISTORY))
def test_whatever_is_lost_doubled_or_late_asking_for_the_history_ends_with_the_same_map_and_never_goes_back(
    seed: int, steps: int
) -> None:
    random, map_code, follower = np.random.default_rng(seed), empty_map(), MapFollower("xfeat", DIM)
    stream, history, versions = MapStream(map_code), deque(maxlen=HISTORY), [0]

    def hear(messages: list) -> None:
        for delta, step in messages:
            for _ in range(random.choice([0, 1, 1, 1, 2])):
                follower.take(delta, step, "mapper")
                versions.append(follower.map_code.version if follower.map_code else 0)

    for step in range(steps):
        grow(map_code, count=1)
        new = [(delta, step) for delta in stream.changes()]
        history.extend(new)
        hear(new)
        if step % 7 == 0 and follower.wants_history:
            hear(list(history))
    for _ in range(500):
        if follower.map_code is not None and follower.map_code.version == map_code.version:
            break
        hear(list(history))
    assert_same_map(follower.map_code, map_code)
    assert versions == sorted(versions)


@given(st.integers(0, 2**32 - 1))
def test_inconsistent_messages_of_the_followed_mapper_are_refused_or_followed_until_it_restarts(seed: int) -> None:
    random, map_code, follower = np.random.default_rng(seed), empty_map(), MapFollower("xfeat", DIM)
    grow(map_code)
    follower.take(map_code.delta_since(0), 1, "mapper")
    for step in range(2, 12):
        version = map_code.version
        grow(map_code)
        message = spoiled(map_message(map_code.delta_since(random.choice([0, version])), step, "mapper"), random)
        if isinstance(message, bytes):
            continue
        message.checksum = checksum(message)
        with contextlib.suppress(LocalizationError):
            follower.take(map_delta(message), stamp_ns(message.header.stamp), "mapper")
        assert np.isfinite(follower.map_code.positions_m).all() and len(follower.map_code.codes.live) < 2_000_000
    follower.take(map_code.delta_since(0), 1, "the next mapper")
    assert_same_map(follower.map_code, map_code)
