"""LOST, RELOCALIZED, TRACKING: which poses are trusted, and what is done about time and odometry that misbehave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.config import TrackerConfig
from cl_localization.localization.result import Localization
from cl_localization.tracking.tracker import State, Track, Tracker
from tracking_makers import PERIOD_NS, SECOND, START_NS, at, found, odometry

LOST, RELOCALIZED, TRACKING = State.LOST, State.RELOCALIZED, State.TRACKING
OVERWHELMING = TrackerConfig().overwhelming_support


def stamps(count: int, period_ns: int = PERIOD_NS, start_ns: int = START_NS) -> list[int]:
    return [start_ns + i * period_ns for i in range(count)]


def tracks(tracker: Tracker, poses: list, odometry: list | None = None, start_ns: int = START_NS,
           period_ns: int = PERIOD_NS,
           **evidence: float) -> list[Track]:
    """Show poses at an even rate and return what the tracker makes of them."""
    odometry = [None] * len(poses) if odometry is None else odometry
    return [tracker.update(found(pose, stamp, **evidence), odom)
            for pose, odom, stamp in zip(poses, odometry, stamps(len(poses), period_ns, start_ns))]


def states(made: list[Track]) -> list[State]:
    return [track.state for track in made]


def tracking_at(place: np.ndarray, odom: np.ndarray | None = np.eye(4),
                config: TrackerConfig = TrackerConfig()) -> Tracker:
    """Return a tracker that has seen two poses; the next image is the third."""
    tracker = Tracker(config)
    assert states(tracks(tracker, [place] * 2, [odom] * 2, support=OVERWHELMING)) == [RELOCALIZED, TRACKING]
    return tracker


NEXT_NS = START_NS + 2 * PERIOD_NS


def test_a_first_pose_waits_for_a_second_that_agrees():
    made = tracks(Tracker(), [at(0), at(0.05), at(0.1)])
    assert states(made) == [LOST, RELOCALIZED, TRACKING] and [track.trusted for track in made] == [False, True, True]
    assert (
        made[0].reason == "1 of 2 poses needed agree" and made[1].reason == "2 poses agree" and made[1].agreeing == 2
    )
    assert made[2].reason.startswith("within the gate: 0.05 m")


def test_an_overwhelming_first_pose_is_trusted_at_once():
    track, = tracks(Tracker(), [at(0)], support=OVERWHELMING)
    assert (track.state, track.trusted, track.at_once) == (RELOCALIZED, True, True) and "overwhelming" in track.reason


def test_poses_that_do_not_agree_are_never_trusted():
    made = tracks(Tracker(), [at(0), at(5), at(0, 5), at(5, 5), at(-5)])
    assert set(states(made)) == {LOST} and not any(track.trusted for track in made)


def test_two_right_poses_with_a_wrong_one_between_them_are_enough():
    made = tracks(Tracker(), [at(0), at(7), at(0.1)])
    assert states(made) == [LOST, LOST, RELOCALIZED]


def test_what_was_not_trusted_before_a_pose_was_speaks_for_no_later_pose():
    tracker = Tracker()
    made = tracks(tracker, [at(4), at(0), at(0), at(4), at(0)], [at(0)] * 5)
    assert states(made) == [LOST, LOST, RELOCALIZED, TRACKING, TRACKING]
    assert [track.trusted for track in made] == [False, False, True, False, True] and made[3].agreeing == 1


def test_odometry_tells_poses_apart_that_speed_alone_would_let_agree():
    poses = [at(0), at(0.3), at(0.6)]
    assert states(tracks(Tracker(), poses)) == [LOST, RELOCALIZED, TRACKING]
    assert states(tracks(Tracker(), poses, [at(0)] * 3)) == [LOST, LOST, LOST]


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_as_many_poses_must_agree_as_the_config_says(frames: int):
    made = tracks(Tracker(TrackerConfig(confirm_frames=frames)), [at(0)] * 6)
    assert states(made).index(RELOCALIZED) == frames - 1


def test_poses_too_far_apart_in_time_do_not_confirm_each_other():
    made = tracks(Tracker(TrackerConfig(confirm_window_s=2.0)), [at(0)] * 4, period_ns=3 * SECOND)
    assert set(states(made)) == {LOST}


def test_a_pose_that_contradicts_the_track_is_not_trusted_and_changes_nothing():
    tracker = tracking_at(at(0))
    made = tracks(tracker, [at(4), at(0), at(0)], [at(0)] * 3, NEXT_NS, support=1000.0)
    assert states(made) == [TRACKING] * 3 and [track.trusted for track in made] == [False, True, True]
    assert "outside the gate: 4.00 m" in made[0].reason and made[0].innovation.distance_m == pytest.approx(4)


def test_several_contradicting_poses_that_agree_mean_that_the_robot_was_carried_away():
    made = tracks(tracking_at(at(0)), [at(4), at(4.05), at(4.1)], [at(0), at(0.05), at(0.1)], NEXT_NS)
    assert states(made) == [TRACKING, RELOCALIZED, TRACKING] and [track.trusted for track in made] == [
        False,
        True,
        True,
    ]
    assert made[1].at_once and not made[2].at_once


def test_images_without_a_pose_are_bridged_for_a_while_and_then_it_is_lost():
    tracker = tracking_at(at(0))
    made = tracks(tracker, [None] * 12, [at(0)] * 12, NEXT_NS)
    assert states(made) == [TRACKING] * 10 + [LOST] * 2
    assert (
        made[0].reason == "12 inliers, 30 needed"
        and made[10].reason == "no trusted pose for 1.1 s; 12 inliers, 30 needed"
    )
    assert made[11].reason == "12 inliers, 30 needed"


def test_contradicting_poses_also_end_in_lost():
    poses = [at(4 + 3 * i) for i in range(12)]
    assert states(tracks(tracking_at(at(0)), poses, [at(0)] * 12, NEXT_NS))[-1] == LOST


def test_after_lost_one_pose_is_enough_where_odometry_leads_from_the_last_trusted_one():
    for odom, expected in ((at(0), [LOST, RELOCALIZED]), (None, [LOST, LOST])):
        tracker = tracking_at(at(0), odom)
        assert states(tracks(tracker, [None, at(0.02)], [odom] * 2, NEXT_NS + SECOND)) == expected


def test_a_pause_in_processing_is_no_loss_while_odometry_bridges_it():
    tracker = tracking_at(at(0))
    track, = tracks(tracker, [at(2.0)], [at(2.0)], NEXT_NS + 5 * SECOND)
    assert (track.state, track.trusted) == (TRACKING, True)
    track, = tracks(tracking_at(at(0), None), [at(2.0)], None, NEXT_NS + 5 * SECOND)
    assert (track.state, track.trusted) == (LOST, False)


def test_time_without_images_ends_in_lost_once():
    tracker = tracking_at(at(0))
    assert tracker.elapse(NEXT_NS) is None and tracker.state == TRACKING
    lost = tracker.elapse(NEXT_NS + SECOND)
    assert lost.state == tracker.state == LOST and lost.reason == "no trusted pose for 1.1 s"
    assert tracker.elapse(NEXT_NS + 2 * SECOND) is None


def test_a_reset_forgets_all_poses():
    tracker = tracking_at(at(0))
    tracker.reset()
    assert tracker.state == LOST
    assert states(tracks(tracker, [at(0)] * 2, [at(0)] * 2, NEXT_NS)) == [LOST, RELOCALIZED]


@pytest.mark.parametrize("stamp_ns, why", [
    (0, "has no timestamp; the driver must set header.stamp"), (-5, "has no timestamp"),
    (START_NS + PERIOD_NS, "the timestamp is the same as that of the last image"),
    (START_NS, "is 0.100 s older than the last one"),
])
def test_invalid_timestamps_are_refused_with_a_reason_and_change_nothing(stamp_ns: int, why: str):
    tracker = tracking_at(at(0))
    for _ in range(3):
        track = tracker.update(found(at(9), stamp_ns, support=1000.0), at(9))
        assert (
            why in track.reason
            and why in tracker.refusal(stamp_ns)
            and (track.state, track.trusted) == (TRACKING, False)
        )
    assert tracks(tracker, [at(0)], [at(0)], NEXT_NS)[0].trusted


def test_a_bag_that_loops_is_a_restart_and_goes_on_at_once():
    tracker = tracking_at(at(0))
    early_ns = START_NS - 60 * SECOND
    assert tracker.refusal(early_ns) == "" and tracker.restarts(early_ns)
    made = tracks(tracker, [at(3), at(3)], [at(1), at(1)], early_ns)
    assert states(made) == [LOST, RELOCALIZED]
    assert made[0].reason.startswith("time jumped back: tracking restarts; 1 of 2")
    assert not tracker.restarts(early_ns + PERIOD_NS)


def test_odometry_that_is_reset_does_not_end_the_track_but_the_correction_jumps():
    made = tracks(tracking_at(at(0)), [at(0.05), at(0.1)], [at(50, 20, 90), at(50, 20.05, 90)], NEXT_NS)
    assert states(made) == [TRACKING] * 2 and [track.at_once for track in made] == [True, False]
    assert not made[0].innovation.by_odometry and made[1].innovation.by_odometry


def test_odometry_that_freezes_on_a_quick_robot_is_rejected_and_does_not_lock_it_out():
    third_ns, poses = SECOND // 3, [at(0.35 * i) for i in range(1, 25)]
    made = tracks(tracking_at(at(0)), poses, [at(0)] * len(poses), START_NS + PERIOD_NS + SECOND // 3, third_ns)
    first = next(i for i, track in enumerate(made) if track.trusted)
    assert first * third_ns <= 2 * SECOND and "not with the odometry" in made[first].reason
    assert all(track.trusted and track.at_once for track in made[first:])


def test_odometry_that_drifts_as_odometry_does_never_contradicts():
    poses = [at(2 * np.cos(t), 2 * np.sin(t), np.rad2deg(t) + 90) for t in np.arange(0, 12, 0.04)]
    made = tracks(Tracker(), poses, odometry(poses, at(7, 3, 40), scale=1.03))
    assert all(track.trusted for track in made[1:]) and set(states(made[2:])) == {TRACKING}


def test_poses_that_are_no_numbers_are_not_trusted():
    broken = found(at(0), START_NS, support=1000.0)
    for bad in (replace(broken, world_T_cam=np.full((4, 4), np.nan)),
                replace(broken, covariance=np.full((6, 6), np.inf))):
        track = Tracker().update(bad, None)
        assert not track.trusted and "not finite" in track.reason


def test_live_values_hold_from_the_next_image_on():
    tracker = Tracker()
    tracker.config = TrackerConfig(confirm_frames=1)
    assert tracks(tracker, [at(0)])[0].trusted


@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(-20, 20)), st.one_of(st.none(), st.floats(-1e6, 1e6)),
                          st.integers(-3 * SECOND, 3 * SECOND), st.floats(0, 200)), max_size=60))
def test_whatever_comes_only_accepted_poses_of_admitted_images_are_trusted_and_memory_is_bounded(images):
    tracker, stamp_ns = Tracker(), START_NS
    for x_m, odom_m, step_ns, support in images:
        stamp_ns += step_ns
        refused = tracker.refusal(stamp_ns)
        before = tracker.state
        image: Localization = found(None if x_m is None else at(x_m), stamp_ns, support)
        track = tracker.update(image, None if odom_m is None else at(odom_m))
        assert track.reason and track.state == tracker.state
        assert not track.trusted or (not refused and image.accepted and track.state != LOST)
        assert not refused or track.state == before
        assert not (track.state == RELOCALIZED and not track.trusted and not refused)
        assert len(tracker._candidates) <= 32


@pytest.mark.parametrize("period_s", [1.1, 1.9, 2.1, 3.0, 8.0])
def test_images_that_come_seldom_are_tracked_where_there_is_odometry(period_s):
    poses = [at(0.3 * number) for number in range(10)]
    tracker = Tracker()
    made = tracks(tracker, poses, odometry(poses), period_ns=round(period_s * SECOND))
    assert states(made) == [LOST, RELOCALIZED] + [TRACKING] * 8
    late_ns = stamps(10, round(period_s * SECOND))[-1] + round(1.5 * period_s * SECOND)
    assert tracker.elapse(late_ns) is None and tracker.elapse(late_ns + round(1.1 * period_s * SECOND)) is not None


def test_images_that_come_seldom_do_not_confirm_each_other_without_odometry_and_that_is_said():
    made = tracks(Tracker(), [at(0)] * 5, period_ns=3 * SECOND)
    assert set(states(made)) == {LOST}
    assert made[-1].reason == ("1 of 2 poses needed agree; images come every 3.0 s, too seldom for poses to confirm "
                               "each other within confirm_window_s (2 s) without odometry")
    assert states(tracks(Tracker(), [at(0)] * 2, period_ns=3 * SECOND, support=OVERWHELMING)) == [RELOCALIZED] * 2
