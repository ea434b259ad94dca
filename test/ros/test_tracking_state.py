"""LOST, RELOCALIZED, TRACKING."""

from __future__ import annotations

from cl_localization.ros.tracking_state import State, TrackingState

SECOND = 10**9


def test_the_first_trusted_pose_relocalizes_and_the_next_tracks() -> None:
    state = TrackingState(1.0)
    assert [state.update(accepted, stamp * SECOND) for stamp, accepted in enumerate([False, True, True])] == [
        State.LOST, State.RELOCALIZED, State.TRACKING]


def test_a_short_gap_is_bridged_and_a_long_one_is_lost() -> None:
    state = TrackingState(1.0)
    state.update(True, 0)
    assert state.update(False, SECOND) == State.TRACKING
    assert state.update(False, SECOND + 1) == State.LOST
    assert state.update(True, 2 * SECOND) == State.RELOCALIZED


def test_a_clock_that_jumps_back_does_not_keep_an_old_pose_alive() -> None:
    state = TrackingState(1.0)
    state.update(True, 100 * SECOND)
    assert state.update(False, 0) == State.LOST


def test_a_reset_forgets_where_we_were() -> None:
    state = TrackingState(1.0)
    state.update(True, 0)
    state.reset()
    assert state.state == State.LOST
