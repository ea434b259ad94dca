"""Rendered views as frames, and a map that learns from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from live_makers import room_field, room_frames

from cl_localization.config import EncoderConfig, KeyframeConfig, LiveNerfConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.errors import DataError
from cl_localization.features.xfeat import XFeatEncoder
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from cl_localization.nerf.live import LiveField
from cl_localization.nerf.quality import psnr_db
from cl_localization.render_replay import rendered_frame, replay


def test_a_rendered_frame_shows_the_room_with_its_depth_and_pose() -> None:
    frames = room_frames(side_px=64)
    seen = rendered_frame(room_field(frames), frames[3].world_T_cam, frames[3].camera, 7)
    assert seen.stamp_ns == 7 and np.array_equal(seen.world_T_cam, frames[3].world_T_cam)
    assert psnr_db(torch.from_numpy(seen.image / 255.0), torch.from_numpy(frames[3].image / 255.0)) > 18
    known = seen.depth_m > 0
    assert known.mean() > 0.8 and np.median(np.abs(seen.depth_m - frames[3].depth_m)[known]) < 0.2


def test_a_pose_that_is_none_cannot_be_rendered() -> None:
    with pytest.raises(DataError, match="singular"):
        rendered_frame(room_field(), np.zeros((4, 4)), room_frames(side_px=64)[0].camera)


def test_a_map_made_of_rendered_views_alone_finds_where_a_photo_was_taken() -> None:
    frames = list(open_sequence("sim:7?rooms=1&frames=120")[index] for index in range(0, 8, 2))
    field, encoder = LiveField(LiveNerfConfig(field_mb=300.0, width_px=240, cell_size_m=0.04)), XFeatEncoder(EncoderConfig(device="cpu"))
    for frame in frames:
        field.add(frame)
        goal = field.steps + 4
        field.learn(np.inf, lambda: field.steps >= goal)
    mapper = Mapper(MapperConfig(keyframes=KeyframeConfig(0.0, 0.0)), encoder)
    results = replay(mapper, field, [frame.world_T_cam for frame in frames], frames[0].camera)
    assert [result.is_keyframe for result in results] == [True] * len(frames) and len(mapper.map_code) > 500
    found = Localizer(mapper.map_code, encoder=encoder).localize(frames[1])
    assert found.accepted and np.linalg.norm(found.world_T_cam[:3, 3] - frames[1].world_T_cam[:3, 3]) < 0.1
