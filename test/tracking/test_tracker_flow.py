"""Poses that flow carries: they continue a track, but are no evidence, neither for it nor against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.config import TrackerConfig
from cl_localization.localization.result import Localization
from cl_localization.tracking.tracker import State, Track, Tracker
from tracking_makers import SECOND, START_NS, at, found

PERIOD_NS = SECOND // 30
OVERWHELMING = TrackerConfig().overwhelming_support
LOST_AFTER_NS = round(TrackerConfig().lost_after_s * SECOND)


def carried(map_T_cam: np.ndarray, stamp_ns: int, looked_ns: int, support: float = 60.0) -> Localization:
    """Return a pose that flow carried from the full localization of an image."""
    return replace(found(map_T_cam, stamp_ns, support), carried_ns=stamp_ns - looked_ns)


def tracking_at(map_T_cam: np.ndarray) -> Tracker:
    """Return a tracker that trusts a full localization at `START_NS`."""
    tracker = Tracker()
    assert tracker.update(found(map_T_cam, START_NS, OVERWHELMING), None).trusted
    return tracker


def test_a_carried_pose_continues_the_track_and_says_so():
    track = tracking_at(at(0)).update(carried(at(0.02), START_NS + PERIOD_NS, START_NS), None)
    assert (track.state, track.trusted, track.agreeing) == (State.TRACKING, True, 1)
    assert track.reason.startswith("within the gate: 0.02 m") and track.reason.endswith("carried by flow for 0.03 s")


def test_a_carried_pose_outside_the_gate_is_not_trusted_and_moves_nothing():
    tracker = tracking_at(at(0))
    track = tracker.update(carried(at(2), START_NS + PERIOD_NS, START_NS), None)
    assert (track.state, track.trusted) == (State.TRACKING, False) and "outside the gate: 2.00 m" in track.reason
    assert tracker.update(carried(at(0.02), START_NS + 2 * PERIOD_NS, START_NS), None).trusted


def test_a_pose_carried_from_a_full_localization_that_was_not_trusted_is_not_trusted_either():
    tracker = tracking_at(at(0))
    assert not tracker.update(found(at(5), START_NS + PERIOD_NS), None).trusted
    track = tracker.update(carried(at(0.02), START_NS + 2 * PERIOD_NS, START_NS + PERIOD_NS), None)
    assert not track.trusted and "from a pose that is not trusted" in track.reason


def test_carried_poses_that_agree_with_each_other_confirm_nothing():
    tracker = Tracker()
    assert not tracker.update(found(at(0), START_NS), None).trusted
    for number in range(1, 10):
        track = tracker.update(carried(at(0), START_NS + number * PERIOD_NS, START_NS, OVERWHELMING), None)
        assert not track.trusted and "from a pose that is not trusted" in track.reason and tracker.state == State.LOST
    assert tracker.update(found(at(0), START_NS + SECOND // 2), None).agreeing == 2


def test_a_full_localization_counts_once_when_flow_has_carried_it_to_a_newer_image():
    tracker = Tracker()
    assert not tracker.update(carried(at(0), START_NS + PERIOD_NS, START_NS), None).trusted
    track = tracker.update(carried(at(0.1), START_NS + 4 * PERIOD_NS, START_NS + 2 * PERIOD_NS), None)
    assert (track.state, track.trusted, track.agreeing) == (State.RELOCALIZED, True, 2)
    track = tracker.update(carried(at(0.1), START_NS + 5 * PERIOD_NS, START_NS + 2 * PERIOD_NS), None)
    assert (track.state, track.trusted) == (State.TRACKING, True)


def test_full_localizations_that_contradict_the_track_win_though_flow_goes_on():
    tracker = tracking_at(at(0))

    def update(place_m: float, number: int, looked: int) -> Track:
        return tracker.update(carried(at(place_m), START_NS + number * PERIOD_NS, START_NS + looked * PERIOD_NS), None)

    assert update(0, 1, 0).trusted
    assert not update(5, 5, 2).trusted
    assert update(0, 6, 0).trusted  # the old track still counts until a second one agrees with the first
    track = update(5, 10, 7)
    assert (track.state, track.trusted, track.agreeing) == (State.RELOCALIZED, True, 2)
    assert not update(0, 11, 0).trusted and update(5, 12, 7).trusted


def test_a_carried_pose_of_before_time_jumped_back_is_not_trusted():
    tracker = tracking_at(at(0))
    assert not tracker.update(carried(at(0), START_NS - 100 * SECOND, START_NS - 101 * SECOND), None).trusted


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["flow", "look", "no pose", "elsewhere"]),
                          st.integers(0, 6)), min_size=1, max_size=60), st.booleans())
def test_a_track_never_outlives_its_last_full_localization_that_agreed(images, has_odometry):
    """Whatever comes between, a trusted pose rests on a full localization of the last `lost_after_s` seconds."""
    tracker = tracking_at(at(0))
    odom_T_cam = np.eye(4) if has_odometry else None
    now_ns = looked_ns = agreed_ns = START_NS
    for periods, kind, delay in images:
        now_ns += periods * PERIOD_NS
        new_ns = now_ns - delay * PERIOD_NS
        if kind == "flow":
            track = tracker.update(carried(at(0), now_ns, agreed_ns), odom_T_cam)
        elif kind == "no pose":
            track = tracker.update(found(None, now_ns), odom_T_cam)
        else:
            if new_ns <= looked_ns:
                continue
            looked_ns = new_ns
            place = at(0) if kind == "look" else at(50.0 + now_ns % 977)
            track = tracker.update(carried(place, now_ns, looked_ns), odom_T_cam)
            agreed_ns = looked_ns if track.trusted else agreed_ns
        if track.trusted:
            assert now_ns - agreed_ns <= LOST_AFTER_NS
        if kind != "look" and now_ns - agreed_ns > LOST_AFTER_NS:
            assert tracker.state == State.LOST
