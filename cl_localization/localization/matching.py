"""Matches: pairs of descriptors that are each other's most similar; and guided ones, once a pose is roughly known, for
which only codes that should appear near a keypoint compete."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import project
from cl_localization.map.map_code import MapCode

PAIRS_AT_ONCE = 1024
"""The descriptors of so many pairs stay in the processor's cache."""

SECTORS = 10
"""More of them need fewer products of descriptors, but more calls."""

KEYPOINTS_PER_CODE = 2
MIN_DEPTH_CELLS = 2.5
"""Nearer codes are not looked for; in cells, as the scale of a map may be any: 5 cm with cells of 2 cm."""

MAX_VIEW_ANGLE_DEG = 75.0
"""Codes first seen from further round than this are taken to lie on a surface that faces away."""

MAX_FARTHER = 4.0
"""Codes more times as far as they were first seen from look too different: without this rule a long view through a
building would be of all that is behind its walls."""


class GuidedMatches(NamedTuple):
    """Features (N,) and code rows (N,) matched one to one."""

    features: np.ndarray
    rows: np.ndarray


def mutual_matches(first: np.ndarray, second: np.ndarray,
                   min_similarity: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which rows of unit descriptors (N, D) and (M, D) are each other's most similar, (P,) and (P,), in order of
    the first, and their cosine similarity (P,).

    Args:
        min_similarity: pairs must be more similar than this, which is positive.
    """
    if len(first) == 0 or len(second) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    similarity = first @ second.T
    # the largest of each column, and not its place: argmax over columns is 15 times as slow
    nearest, most = similarity.argmax(axis=1), similarity.max(axis=0)
    best = similarity[np.arange(len(first)), nearest]
    row = _mutual(best, nearest, most, min_similarity)
    return row, nearest[row], best[row]


def mutual_matches_at_angles(first: np.ndarray, second: np.ndarray, min_similarity: float, at_first_rad: np.ndarray,
                             at_second_rad: np.ndarray,
                             reach_rad: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same where rows have angles, (N,) and (M,), and those nearer than the reach (M,) of the second can
    match; some that are farther apart can match as well.

    The first are taken in sectors, each with those of the second that one of them can match.
    """
    if len(first) == 0 or len(second) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    order = np.argsort(at_first_rad)
    sorted_first, at_first_rad = first[order], at_first_rad[order]
    best, nearest = np.full(len(first), -1, np.float32), np.zeros(len(first), np.int64)
    most = np.full(len(second), -1, np.float32)
    edges = np.linspace(0, len(first), min(SECTORS, len(first)) + 1).astype(np.int64)
    low_rad, high_rad = at_first_rad[edges[:-1]], at_first_rad[edges[1:] - 1]
    apart_rad = np.abs(at_second_rad - (0.5 * (low_rad + high_rad))[:, None])
    apart_rad = np.minimum(apart_rad, 2 * np.pi - apart_rad)
    possible = apart_rad <= (0.5 * (high_rad - low_rad))[:, None] + reach_rad
    for start, end, in_reach in zip(edges[:-1].tolist(), edges[1:].tolist(), possible):
        others = np.flatnonzero(in_reach)
        if len(others) == 0:
            continue
        similarity = sorted_first[start:end] @ second[others].T
        place = similarity.argmax(axis=1)
        nearest[order[start:end]], best[order[start:end]] = others[place], similarity[np.arange(end - start), place]
        most[others] = np.maximum(most[others], similarity.max(axis=0))
    row = _mutual(best, nearest, most, min_similarity)
    return row, nearest[row], best[row]


def _mutual(best: np.ndarray, nearest: np.ndarray, most: np.ndarray, min_similarity: float) -> np.ndarray:
    """Return which rows of the first are also the most similar of their nearest.

    Args:
        best, nearest: (N,) similarity and number of the nearest of the second.
        most: (M,) similarity of the nearest of the first.
    """
    row = np.flatnonzero((best == most[nearest]) & (best > min_similarity))
    return row[firsts(nearest[row])]


def best_pairs(first: np.ndarray, second: np.ndarray, of_first: np.ndarray, of_second: np.ndarray,
               min_similarity: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same where only pairs (P,) and (P,) of rows can match, fewer than all; the most similar pairs first.

    One after the other, each pair takes both its rows from those that are less similar.
    """
    similarity = np.empty(len(of_first), np.float32)
    for start in range(0, len(similarity), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        np.einsum("nd,nd->n", first[of_first[some]], second[of_second[some]], out=similarity[some])
    alike = np.flatnonzero(similarity > min_similarity)
    alike = alike[np.argsort(-similarity[alike])]
    alike = alike[firsts(of_first[alike]) & firsts(of_second[alike])]
    return of_first[alike], of_second[alike], similarity[alike]


def firsts(labels: np.ndarray) -> np.ndarray:
    """Return which entries (N,) are the first of their label; labels are small numbers from 0 on."""
    number = np.arange(len(labels))
    first = np.empty(labels.max(initial=-1) + 1, np.int64)
    first[labels[::-1]] = number[::-1]  # of several the last stays
    return first[labels] == number


def visible_codes(map_code: MapCode, camera: Camera, cam_T_world: np.ndarray, margin_px: float,
                  scene: int | None = None, min_view_angle_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
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
                   cam_T_world: np.ndarray, radius_px: float, min_similarity: float, scene: int | None = None,
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
        return GuidedMatches(np.zeros(0, np.int64), np.zeros(0, np.int64))
    neighbours = min(KEYPOINTS_PER_CODE, len(features))
    distance_px, feature = cKDTree(keypoints_px).query(pixels, k=[*range(1, neighbours + 1)],
                                                       distance_upper_bound=radius_px)
    code, slot = np.nonzero(np.isfinite(distance_px))
    feature = feature[code, slot]
    used, compact = np.unique(code, return_inverse=True)
    keys = map_code.descriptors(rows[used])
    code, feature, _ = best_pairs(keys, features.descriptors, compact, feature, min_similarity)
    return GuidedMatches(feature, rows[used[code]])
