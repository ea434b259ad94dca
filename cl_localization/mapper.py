"""Mapping: posed images in, codes into the map, online and within a budget."""

from __future__ import annotations

import time

import numpy as np

from cl_localization.config import MapperConfig, TriangulationConfig
from cl_localization.data.frame import Frame
from cl_localization.features import Encoder
from cl_localization.features.frame_encoder import FrameEncoder
from cl_localization.features.shared import shared_encoder
from cl_localization.geometry import se3
from cl_localization.localization.covariance_calibration import factor_of_keyframe
from cl_localization.map.map_code import MapCode
from cl_localization.map.pose_correction import corrected_keyframes
from cl_localization.mapping.audit.health import MapHealth
from cl_localization.mapping.audit.pose_audit import PoseAudit
from cl_localization.mapping.depth_mapper import DepthMapper
from cl_localization.mapping.depth_points import depths_of
from cl_localization.mapping.fixed_codes import FixedCodes
from cl_localization.mapping.given_pose import checked_pose, map_to_extend
from cl_localization.mapping.keyframe_selection import KeyframeSelector
from cl_localization.mapping.learned import make_learner
from cl_localization.mapping.learned.options import LearnedCodesConfig
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.mapping.slam.window_mapper import WindowMapper
from cl_localization.mapping.triangulating_mapper import TriangulatingMapper
from cl_localization.places.map_places import place_descriptor

__all__ = ["Mapper", "MappingResult"]


class Mapper:
    """Builds a map, or continues one, from posed frames: with depth where frames have it, else by triangulation.

    Attributes:
        encoder, frames: what encodes images, and frames by it, without what is fixed to the camera.
        map_code: the map.
        learner: of codes beside the map; None if none are learned.
        without_scale: names of the scenes whose unit of length is not known to be the metre: nothing metric told it.
        apart: names of the scenes that were begun in coordinate frames of their own, until they are joined to others.
    """

    def __init__(self, config: MapperConfig = MapperConfig(), encoder: Encoder | None = None,
                 map_code: MapCode | None = None, learned: LearnedCodesConfig | None = None) -> None:
        """Make a mapper of an empty map or of `map_code`, which it changes; with options for codes that are learned
        beside, it learns them.

        Raises:
            MapError: `map_code` was made by another encoder, or its codes are learned.
            DataError: the mask cannot be read.
        """
        self.config = config
        self.encoder = encoder or shared_encoder(config.encoder)
        self.map_code = map_to_extend(map_code, config.map_code, self.encoder)
        self.frames = FrameEncoder(self.encoder, config.mask)
        self.use_scene(config.scene)
        self._fixed = FixedCodes(self.map_code, self.frames)
        self._with_depth = DepthMapper(self.map_code, config.depth)
        self._without_depth: TriangulatingMapper = TriangulatingMapper(self.map_code, config.triangulation)
        self._selector = KeyframeSelector(self.map_code, config, self.frames.encode, lambda: self._without_depth)
        self._audit = PoseAudit(self.map_code)
        self.without_scale, self.apart = self._audit.without_scale, self._audit.apart
        self.learner = make_learner(self.map_code, learned)

    @property
    def made(self) -> MapCode:
        """The map for localizers: `map_code`, or the map of codes that are learned from it."""
        return self.map_code if self.learner is None else self.learner.map_code

    def use_scene(self, name: str) -> None:
        """Have what is learned from now on belong to a scene; it may lie over others in the same coordinates.

        Raises:
            MapError: see `MapCode.scene_number`.
        """
        self._scene = self.map_code.scene_number(name)

    def find_own_poses(self, config: TriangulationConfig) -> None:
        """From now on poses that come without depth are those that the map gave to the images: they are adjusted
        freely, a window of keyframes at a time, and learned from with other options."""
        self._without_depth = WindowMapper(self.map_code, config)

    def add(self, frame: Frame) -> MappingResult:
        """Learn from a frame if it shows something new.

        Raises:
            DataError: the frame has no pose, or one too far from the origin.
            EncoderError: its image cannot be encoded.
        """
        started_s = time.perf_counter()
        world_T_cam = checked_pose(frame)
        has_depth = frame.depth_m is not None and bool(np.any(frame.depth_m > 0))
        decision = self._selector.decide(frame, world_T_cam, self._scene, has_depth)
        if not decision.is_keyframe:
            return self._result(decision.reason, started_s)
        view, features = decision.view, decision.features
        factor = factor_of_keyframe(self.map_code, view, has_depth)
        view.keyframe = self.map_code.add_keyframe(world_T_cam, frame.stamp_ns, self._scene, factor,
                                                   place_descriptor(features.descriptors))
        self._selector.note_keyframe(view.keyframe)
        if has_depth:
            inserted, merged = self._with_depth.add(view, features.keypoints_px, frame.depth_m, decision.changed)
        else:
            view.odom_T_cam = frame.odom_T_cam
            inserted, merged = self._without_depth.add(view)
        depths_m = depths_of(frame, features, self.config.depth.max_depth_m)
        self._audit.add(view, depths_m)
        self._fixed.add(frame, view)
        evicted = self.map_code.evict_to_budget()
        self._without_depth.forget_removed()
        self._audit.forget_removed()
        if self.learner is not None:
            self.learner.observe(view, depths_m)
        return self._result(decision.reason, started_s, inserted, merged, evicted, view.keyframe)

    def correct(self, stamps_ns: np.ndarray, world_T_cam: np.ndarray) -> int:
        """Take over poses (P, 4, 4) that a SLAM has corrected, of images with stamps (P,); return how many keyframes
        moved by it. Their codes move with them. The same poses once more change nothing."""
        keyframes = self.map_code.keyframes.rows()
        given = self._without_depth.given_poses(keyframes)
        which, now_given = corrected_keyframes(self.map_code.keyframes["keyframe_stamps_ns"][keyframes], given,
                                               stamps_ns, world_T_cam)
        if len(which):
            moved = now_given @ se3.inverse(given[which]) @ self.map_code.keyframe_world_T_cam[which]
            self.map_code.move_keyframes(keyframes[which], moved)
            self._without_depth.keyframes_moved(keyframes[which], now_given)
        return len(which)

    def finish(self) -> None:
        """End a sequence: refine what was triangulated over all views at once."""
        self._fixed.end_sequence()
        self._without_depth.finish()
        self._with_depth.finish()
        if self.learner is not None:
            self.learner.finish()
        self._audit.end_sequence()

    def examine(self) -> MapHealth:
        """Return whether what was given with the images can be true, as far as they tell; the map takes note of it."""
        health = self._audit.health(self._without_depth)
        self.made.health = self.map_code.health
        return health

    def _result(self, reason: str, started_s: float, inserted: int = 0, merged: int = 0, evicted: int = 0,
                keyframe: int | None = None) -> MappingResult:
        return MappingResult(keyframe is not None, reason, inserted, merged, evicted, keyframe, self.map_code.version,
                             time.perf_counter() - started_s)
