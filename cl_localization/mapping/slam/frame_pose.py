"""Which pose a frame has in the map so far, and whether to learn from it: near the predicted one first, else
anywhere."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project, robust_pose
from cl_localization.localization.hierarchical_search import PoseSearch
from cl_localization.localization.matching import best_pairs
from cl_localization.localization.refinement import MIN_SIMILARITY, pixels_in
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.depth_points import depth_sigmas
from cl_localization.mapping.slam.depth_pose import Look, SeenPose, pose_near, solved
from cl_localization.mapping.slam.old_place import alike, near_pose, pose_by
from cl_localization.mapping.slam.options import SlamConfig

MIN_INLIER_SHARE = 0.5
"""Of the matches near a tracked pose, this share must agree with it."""

CONFIRM_SUPPORT = 100.0
"""A pose found without a prediction is learned from at once with this much support, else when the next image agrees."""

NEAR_PX, KNOWN_PX = 80.0, 20.0
"""A point of the last frame appears this near to where a predicted pose, and one that is known, has it [px of a 640 px
wide image]."""


def pose_from_last(last: Look, world_T_last: np.ndarray, look: Look, predicted: np.ndarray, near_px: float,
                   config: PoseConfig) -> SeenPose | None:
    """Return the pose of a frame by what the last one, at a pose (4, 4), saw with depth; None with too few matches.

    Its covariance is that of the way between the two.

    Args:
        predicted: (4, 4) of the frame.
        near_px: how near to where that has them points are looked for [px of a 640 px wide image].
    """
    known = np.flatnonzero(last.depths_m > 0)
    depths_m = last.depths_m[known].astype(np.float64)
    rays = np.column_stack([last.pinhole.normalize(last.features.keypoints_px[known]), np.ones(len(known))])
    points_m = se3.transform(world_T_last, rays * depths_m[:, None])
    pixels, ahead_m = project(look.pinhole, se3.inverse(predicted), points_m)
    ahead = np.flatnonzero(ahead_m > 0)
    near = cKDTree(look.features.keypoints_px).sparse_distance_matrix(
        cKDTree(pixels[ahead]), pixels_in(look.pinhole, near_px), output_type="ndarray")
    features, row, _ = best_pairs(look.features.descriptors, last.features.descriptors[known[ahead]], near["i"],
                                  near["j"], MIN_SIMILARITY)
    if len(features) < config.min_inliers:
        return None
    points_m, depths_m = points_m[ahead[row]], depths_m[ahead[row]]
    first = robust_pose(look.pinhole, look.features.keypoints_px[features], points_m,
                        pixels_in(look.pinhole, config.inlier_threshold_px), config.max_iterations, config.seed)
    if first is None:
        return None
    agree = first.inliers
    return solved(look, first.cam_T_world, features[agree], points_m[agree], depth_sigmas(depths_m[agree]), config,
                  matches=len(features))


FREE_M, FREE_DEG = 0.5, 20.0
"""A pose may always be this far from the predicted one: stamps are not exact, and the camera may have stopped."""

CERTAIN_SHARE, CERTAIN_FEATURES = 0.8, 0.05
"""A pose with this share of the matches near it, and of the features of the image, needs no support by matches that
were not searched near it, if these lie as near to where they should be."""

CERTAIN_PX = 3.6
"""Median distance from there [px of a 640 px wide image]: right poses have 1.9 to 3.2 (RedKitchen 2.8 to 3.0, simulated
houses 1.9 to 3.2), wrong ones near which enough matches by chance 4 and more."""

LOOKS = 4
"""A pose near the predicted one is looked for again from where the last look leads, so often at most."""

GUIDED_M, GUIDED_DEG = 0.12, 3.0
"""Matches searched near a predicted pose speak for poses within this: farther away, patterns that repeat match by
chance."""

FEW_INLIERS = 15
"""Matches with the last frame that speak for a predicted pose: it is not chance when so many agree on just that."""

JUMP_AFTER_S = 1.0
"""A camera that was seen a shorter time ago has not been carried: a pose out of its reach is wrong."""


@dataclass(frozen=True, eq=False)
class FoundPose:
    """A trusted pose.

    Attributes:
        scene: number of the scene it is in.
        is_tracked: whether the camera can have come there from where it was.
        is_sure: whether to learn from it before another frame agrees.
    """

    seen: SeenPose
    scene: int
    is_tracked: bool
    is_sure: bool


class FramePoser:
    """Finds the poses of frames in a map that grows."""

    def __init__(self, map_code: MapCode, config: SlamConfig, localizer: LocalizerConfig,
                 without_scale: Set[str]) -> None:
        """Make a poser; `without_scale` are the names of scenes whose unit of length is unknown."""
        self._map, self._config, self._localizer = map_code, config, localizer
        self._without_scale = without_scale
        self._search = PoseSearch(map_code, localizer)

    def find(self, look: Look, predicted: list[np.ndarray], scene: int, seconds: float,
             last: tuple[Look, np.ndarray] | None = None) -> FoundPose | None:
        """Return the pose of a frame; None where none can be trusted.

        Args:
            predicted: poses (4, 4) that it may have in a scene, the likeliest first; none where nothing is known.
            seconds: since the last trusted pose.
            last: the last frame with one, and that (4, 4).
        """
        if len(self._map) == 0 or len(look.features) < self._config.min_inliers:
            return None
        for start in predicted:
            seen = self._guided(look, start, scene)
            if seen is not None and self._is_within_reach(seen, predicted[0], seconds):
                return FoundPose(seen, scene, True, True)
        if last is not None and seconds < JUMP_AFTER_S:
            seen = pose_from_last(*last, look, predicted[0], NEAR_PX, self._localizer.pose)
            if seen is not None and self._is_bridge(seen, predicted[0], seconds):
                return FoundPose(seen, scene, True, True)
            seen = None if look.has_depth else self._by_codes_around(look, predicted[0], scene)
            if seen is not None and self._is_within_reach(seen, predicted[0], seconds):
                return FoundPose(seen, scene, True, True)
        found = self._anywhere(look)
        if found is None or not predicted:
            return found
        if seconds > JUMP_AFTER_S:
            return found
        is_near = found.scene == scene and self._is_within_reach(found.seen, predicted[0], seconds)
        return FoundPose(found.seen, scene, True, True) if is_near else None

    def step(self, last: tuple[Look, np.ndarray] | None, look: Look, world_T_cam: np.ndarray) -> SeenPose | None:
        """Return a pose (4, 4) that is known as it is by the last frame alone; None where that says too little."""
        seen = None if last is None else pose_from_last(*last, look, world_T_cam, KNOWN_PX,
                                                             self._localizer.pose)
        return seen if seen is not None and self._is_trusted(seen) else None

    def _guided(self, look: Look, start: np.ndarray, scene: int) -> SeenPose | None:
        """Return the pose near one (4, 4), looked for once more from where the first look leads; None if uncertain."""
        for _ in range(LOOKS):
            seen = pose_near(self._map, look, start, scene, self._localizer.pose)
            if seen is None or self._is_certain(seen, look, start):
                return seen
            start = seen.world_T_cam
        return None

    def _by_codes_around(self, look: Look, world_T_cam: np.ndarray, scene: int) -> SeenPose | None:
        """Return the pose of a frame without depth by matches to the codes mapped around a pose (4, 4), wherever in the
        image they appear; None with too few."""
        keyframes = self._map.keyframes_of(scene)
        here = keyframes[near_pose(self._map.pose_of(keyframes), world_T_cam)]
        return pose_by(self._map, look, here, self._localizer.pose, FEW_INLIERS)

    def _anywhere(self, look: Look) -> FoundPose | None:
        """Return the pose of a frame of which nothing is known before; None where none can be trusted."""
        first = self._search.find(look.features, look.pinhole, alike(self._map, look, self._map.keyframes.rows()))
        if not first.accepted or first.world_T_cam is None:
            return None
        scene = int(np.bincount(self._map.codes["scenes"][first.inlier_codes]).argmax())
        look = look.without_depth() if self._map.scene_names[scene] in self._without_scale else look
        seen = pose_near(self._map, look, first.world_T_cam, scene, self._localizer.pose)
        if seen is None or not self._is_trusted(seen):
            return None
        return FoundPose(seen, scene, False, first.support >= CONFIRM_SUPPORT)

    def _is_trusted(self, seen: SeenPose) -> bool:
        return (seen.inliers >= self._config.min_inliers
                and seen.inliers >= MIN_INLIER_SHARE * seen.matches)

    def _is_certain(self, seen: SeenPose, look: Look, start: np.ndarray) -> bool:
        apart_m, apart_deg = se3.pose_error(seen.world_T_cam, start)
        return (apart_m < GUIDED_M and apart_deg < GUIDED_DEG and self._is_trusted(seen)
                and seen.error_px < pixels_in(look.pinhole, CERTAIN_PX)
                and seen.inliers >= CERTAIN_FEATURES * len(look.features)
                and seen.inliers >= CERTAIN_SHARE * seen.matches)

    def _is_bridge(self, seen: SeenPose, predicted: np.ndarray, seconds: float) -> bool:
        """Return whether to trust a pose by the last frame alone: with many matches, or where it was predicted."""
        apart_m, apart_deg = se3.pose_error(seen.world_T_cam, predicted)
        if apart_m < GUIDED_M and apart_deg < GUIDED_DEG:
            return seen.inliers >= FEW_INLIERS
        return self._is_trusted(seen) and self._is_within_reach(seen, predicted, seconds)

    def _is_within_reach(self, seen: SeenPose, world_T_cam: np.ndarray, seconds: float) -> bool:
        apart_m, apart_deg = se3.pose_error(seen.world_T_cam, world_T_cam)
        return (apart_m <= FREE_M + self._config.max_speed_m_s * seconds
                and apart_deg <= FREE_DEG + self._config.max_turn_deg_s * seconds)
