"""What a field knows badly is new, wherever it is seen from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from live_makers import room_field, room_frames

from cl_localization.errors import DataError
from cl_localization.nerf.live import LiveField
from cl_localization.novelty_keyframes import NoveltyPolicy


def test_frames_are_new_until_they_are_learned_and_again_when_the_place_has_changed() -> None:
    frames = room_frames(4, side_px=64)
    field = room_field(frames)
    policy = NoveltyPolicy(field, 18.0)
    assert NoveltyPolicy(LiveField(), 18.0).is_new(frames[0])
    assert [policy.is_new(frame) for frame in frames] == [False] * 4
    assert policy.is_new(replace(frames[0], image=255 - frames[0].image))


def test_a_frame_without_a_pose_is_refused() -> None:
    with pytest.raises(DataError, match="must have a pose"):
        NoveltyPolicy(room_field(), 18.0).is_new(replace(room_frames(side_px=64)[0], world_T_cam=None))
