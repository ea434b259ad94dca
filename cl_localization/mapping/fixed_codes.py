"""Codes that were learned from what has turned out to be fixed to the camera."""

from __future__ import annotations

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.features.frame_encoder import FixedRegions, FrameEncoder
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode


class FixedCodes:
    """Learns from keyframes what is fixed to the camera, and removes its codes from the map."""

    def __init__(self, map_code: MapCode, frames: FrameEncoder) -> None:
        self._map, self._frames = map_code, frames
        self._keyframes: list[int] = []

    def add(self, frame: Frame, view: View) -> None:
        """Compare a keyframe with one before, and remove the codes of what turns out to be fixed."""
        self._keyframes.append(view.keyframe)
        if self._frames.observe(frame, view.given_world_T_cam, "map", frame.depth_m):
            self._map.remove(codes_fixed_to_camera(self._map, np.array(self._keyframes), self._frames.regions,
                                                   frame.camera))

    def end_sequence(self) -> None:
        """Leave the keyframes so far as they are from now on."""
        self._keyframes = []


def codes_fixed_to_camera(map_code: MapCode, keyframes: np.ndarray, regions: FixedRegions,
                          camera: Camera) -> np.ndarray:
    """Return the codes (N,) first seen from one of the keyframes (K,) of a camera, in a region of its image that was
    fixed then."""
    rows = map_code.codes.rows()
    anchors = map_code.codes["anchors"][rows]
    fixed = [np.zeros(0, np.int64)]
    for keyframe in np.intersect1d(keyframes, map_code.keyframes.rows()):
        of_keyframe, world_T_cam = rows[anchors == keyframe], map_code.pose_of(keyframe)
        points_cam = se3.transform(se3.inverse(world_T_cam), map_code.codes["positions_m"][of_keyframe])
        of_keyframe, points_cam = of_keyframe[points_cam[:, 2] > 0], points_cam[points_cam[:, 2] > 0]
        stamp_ns = int(map_code.keyframes["keyframe_stamps_ns"][keyframe])
        fixed.append(of_keyframe[regions.hides(camera.project(points_cam), camera, stamp_ns)])
    return np.concatenate(fixed)
