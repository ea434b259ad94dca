"""Small live fields, and frames for them."""

from __future__ import annotations

from cl_localization.config import LiveNerfConfig
from cl_localization.data.frame import Frame
from cl_localization.nerf.live import LiveField
from nerf_makers import room_views

SMALL = LiveNerfConfig(views="field", width_px=32, cell_size_m=0.15, rays=512, settle_steps=3)


def room_frames(count: int = 8, side_px: int = 32) -> list[Frame]:
    """Frames with depth, from inside a box with coloured walls."""
    return [Frame(number, view.image, view.camera, view.depth, view.world_T_cam, name=view.name)
            for number, view in enumerate(room_views(count, side_px))]


def learned(frames: list[Frame], config: LiveNerfConfig = SMALL, steps: int = 10) -> LiveField:
    """A field that took the frames one by one, with some steps after each."""
    field = LiveField(config)
    for frame in frames:
        field.add(frame)
        for _ in range(steps):
            field.learn(0.0)
    return field


def room_field(frames: list[Frame] | None = None) -> LiveField:
    """A live field that took frames of the room, by default eight of them, to be looked at."""
    field = LiveField(LiveNerfConfig(width_px=48))
    for frame in room_frames(side_px=64) if frames is None else frames:
        field.add(frame)
    return field
