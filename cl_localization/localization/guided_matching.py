"""Matching again once the pose is roughly known: only codes that should appear near a keypoint compete for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.features.encoder import Features
from cl_localization.features.mutual_matching import best_pairs
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import project
from cl_localization.map.map_code import MapCode

KEYPOINTS_PER_CODE = 2
MIN_DEPTH_CELLS = 2.5
"""Nearer codes are not looked for; in cells, as the scale of a map may be any: 5 cm with cells of 2 cm."""

MAX_VIEW_ANGLE_DEG = 75.0
"""Codes first seen from further round than this are taken to lie on a surface that faces away."""

MAX_FARTHER = 4.0
"""Codes more times as far as they were first seen from look too different: without this rule a long view through a
building would be of all that is behind its walls."""


@dataclass(frozen=True, eq=False)
class GuidedMatches:
    """Features (N,) and code rows (N,) matched one to one, with cosine similarity (N,)."""

    features: np.ndarray
    rows: np.ndarray
    similarity: np.ndarray


def visible_codes(map_code: MapCode, camera: Camera, cam_T_world: np.ndarray, margin_px: float,
                  scene: int | None = None,
                  min_view_angle_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (M,) and pixels (M, 2) of the codes of a scene, or of all, that a pinhole camera should see, up to
    occlusion: from a similar side as at first, and not from more than `MAX_FARTHER` times as far.

    Codes that were first seen from a direction nearer than `min_view_angle_deg` are left out.
    """
    rows = map_code.rows_in_view(camera, cam_T_world, margin_px, scene, MAX_FARTHER)
    pixels, depth_m = project(camera, cam_T_world, map_code.codes["positions_m"][rows])
    u, v = pixels.T
    inside = (u > -margin_px) & (v > -margin_px)
    inside &= (u < camera.width_px + margin_px) & (v < camera.height_px + margin_px)
    rows, pixels = rows[keep := inside & (depth_m > MIN_DEPTH_CELLS * map_code.cell_size_m)], pixels[keep]
    alike = _seen_alike(map_code, rows, se3.inverse(cam_T_world)[:3, 3], min_view_angle_deg)
    return rows[alike], pixels[alike]


def _seen_alike(map_code: MapCode, rows: np.ndarray, camera_m: np.ndarray, min_angle_deg: float) -> np.ndarray:
    """Return which codes (N,) a camera sees from a similar side and not from much farther away than at first."""
    positions_m = map_code.codes["positions_m"][rows]
    first_seen_from_m = map_code.keyframes["keyframe_poses"][map_code.codes["anchors"][rows], :3]
    then, now = first_seen_from_m - positions_m, camera_m - positions_m
    then_m, now_m = (np.sqrt(np.einsum("ni,ni->n", one, one)) for one in (then, now))
    cosine = np.einsum("ni,ni->n", then, now) / (then_m * now_m + 1e-9)
    different = cosine < np.cos(np.deg2rad(min_angle_deg)) if min_angle_deg > 0 else True
    return (cosine > np.cos(np.deg2rad(MAX_VIEW_ANGLE_DEG))) & (now_m < MAX_FARTHER * then_m) & different


def guided_matches(map_code: MapCode, features: Features, keypoints_px: np.ndarray, camera: Camera,
                   cam_T_world: np.ndarray,
                   radius_px: float, min_similarity: float, scene: int | None = None,
                   min_view_angle_deg: float = 0.0) -> GuidedMatches:
    """Match features to the codes whose projection lies within a radius, each the other's best.

    Args:
        keypoints_px: (N, 2) undistorted keypoints of the features.
        camera: the pinhole camera of those.
        scene: only codes of this scene compete; None for all.
        min_view_angle_deg: see `visible_codes`.
    """
    rows, pixels = visible_codes(map_code, camera, cam_T_world, radius_px, scene, min_view_angle_deg)
    if len(rows) == 0 or len(features) == 0:
        return GuidedMatches(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    neighbours = min(KEYPOINTS_PER_CODE, len(features))
    distance_px, feature = cKDTree(keypoints_px).query(pixels, k=[*range(1, neighbours + 1)],
                                                       distance_upper_bound=radius_px)
    code, slot = np.nonzero(np.isfinite(distance_px))
    feature = feature[code, slot]
    used, compact = np.unique(code, return_inverse=True)
    keys = map_code.descriptors(rows[used])
    code, feature, similarity = best_pairs(keys, features.descriptors, compact, feature, min_similarity)
    return GuidedMatches(feature, rows[used[code]], similarity)
