"""Recognising a place that was mapped long ago, or in another part of the map, and the pose of the camera there."""

from __future__ import annotations

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import unit_descriptors
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import robust_pose
from cl_localization.localization.matching import mutual_matches
from cl_localization.localization.refinement import MIN_SIMILARITY, pixels_in
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import Look, SeenPose, solved_by_codes
from cl_localization.places.map_places import place_descriptor

PLACES = 3
"""Places that are compared, those that look most like the image."""

AROUND_M, AROUND_DEG = 2.0, 60.0
"""Keyframes this near to one and turned alike show the same place."""

FEATURES, MAX_CODES = 1000, 12000
MIN_SHARE = 0.5
"""Share of the matches that should agree with one pose; with fewer, more matches are needed."""


def alike(map_code: MapCode, look: Look, among: np.ndarray) -> np.ndarray:
    """Return at most `PLACES` of the keyframes (K,), each of another place, that look most like an image, best
    first."""
    unit = unit_descriptors(place_descriptor(look.features.descriptors)[None])[0]
    if len(among) == 0 or not unit.any():
        return np.zeros(0, np.int64)
    likeness = unit_descriptors(map_code.keyframes["keyframe_descriptors"][among]) @ unit
    chosen: list[int] = []
    left = np.ones(len(among), bool)
    while left.any() and len(chosen) < PLACES:
        best = among[np.where(left, likeness, -np.inf).argmax()]
        chosen.append(int(best))
        left &= ~np.isin(among, around(map_code, best, among))
    return np.array(chosen, np.int64)


def around(map_code: MapCode, keyframe: int, among: np.ndarray) -> np.ndarray:
    """Return those of the keyframes (K,) that show the same place as one."""
    scenes = map_code.keyframes["keyframe_scenes"]
    near = near_pose(map_code.pose_of(among), map_code.pose_of(keyframe))
    return among[near & (scenes[among] == scenes[keyframe])]


def near_pose(poses: np.ndarray, world_T_cam: np.ndarray) -> np.ndarray:
    """Return which poses (K, 4, 4) show the same place as a camera at a pose (4, 4) does."""
    apart_m = np.linalg.norm(poses[:, :3, 3] - world_T_cam[:3, 3], axis=1)
    turned_deg = se3.rotation_angle_deg(np.swapaxes(poses[:, :3, :3], 1, 2) @ world_T_cam[:3, :3])
    return (apart_m < AROUND_M) & (turned_deg < AROUND_DEG)


def pose_by(map_code: MapCode, look: Look, keyframes: np.ndarray, config: PoseConfig,
            min_inliers: int) -> SeenPose | None:
    """Return the pose that the codes anchored to some keyframes give an image; None where they do not support one."""
    codes = map_code.codes
    rows = np.flatnonzero(codes.live & np.isin(codes["anchors"], keyframes))
    if len(rows) > MAX_CODES:  # those seen most often are found again most often
        rows = np.sort(rows[np.argsort(-codes["seen"][rows].astype(np.int64), kind="stable")[:MAX_CODES]])
    features, found, _ = mutual_matches(look.features.descriptors[:FEATURES], map_code.descriptors(rows),
                                        MIN_SIMILARITY)
    if len(features) < min_inliers:
        return None
    rows = rows[found]
    first = robust_pose(look.pinhole, look.features.keypoints_px[features], codes["positions_m"][rows],
                        pixels_in(look.pinhole, config.inlier_threshold_px), config.max_iterations, config.seed)
    if first is None or first.inliers.sum() * first.inliers.mean() < min_inliers * MIN_SHARE:
        return None
    seen = solved_by_codes(map_code, look, first.cam_T_world, features[first.inliers], rows[first.inliers], config)
    return seen if seen.inliers >= min_inliers else None
