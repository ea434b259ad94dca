"""Localizing in a map whose poses the mapper found itself, against one made from given poses; and which of the two sets
of poses agrees with what pairs of images say by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import poselib
from scipy.spatial.transform import Rotation

from benchmarks.table import BenchTable
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.geometry.camera import PIXEL_CENTRE
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.slam import Slam

if TYPE_CHECKING:
    from cl_localization.data.frame import Frame

HOUSE_MAPPED, HOUSE_ASKED = "sim:{seed}", "sim:{seed}?path=tracking"
MAPPED, ASKED = "[0:200]", "[200:300]"
RATES = ((0.05, 5.0), (0.20, 10.0))
HEADERS = ("scene", "poses of the map", "queries", *(f"{100 * m:.0f} cm/{deg:.0f} deg [%]" for m, deg in RATES),
           "median [cm]", "median [deg]")
PAIR_HEADERS = ("frames apart", "pairs", "given poses, median [cm]", "[deg]", "own poses, median [cm]", "[deg]")
FRAMES_APART = (5, 10, 20)
PAIR_INLIER_PX, PAIR_MIN_INLIERS = 2.0, 30
RATIO = 0.8

Poses = dict[int, np.ndarray]


def afterwards_tables(kitchen: str | None, seed: int, mapper: MapperConfig,
                      localizer: LocalizerConfig) -> list[BenchTable]:
    """Return the rates of queries in both maps, of a simulated house and of RedKitchen where its folder is given; for
    that also how pairs of images agree with the poses of both."""
    house = HOUSE_MAPPED.format(seed=seed)
    scenes = [(house, house, HOUSE_ASKED.format(seed=seed))]
    scenes += [("RedKitchen", kitchen + MAPPED, kitchen + ASKED)] if kitchen is not None else []
    rows, pairs = [], []
    for name, mapped, asked in scenes:
        given, slam, true = _both_maps(mapped, mapper, localizer)
        own = dict(slam.trajectory.poses_of_first_part())
        true_T_own = mean_motion(np.array([true[stamp_ns] @ inverse(pose) for stamp_ns, pose in own.items()]))
        rows += [_rates(name, kind, Localizer(made.map_code, localizer), asked, true_T_map)
                 for kind, made, true_T_map in (("given", given, np.eye(4)), ("own", slam.mapper, true_T_own))]
        if name != house:
            pairs = [_pair_row(mapped, apart, true, own) for apart in FRAMES_APART]
    tables = [BenchTable("localizing afterwards", HEADERS, rows,
                         results={"slam_afterwards": [dict(zip(HEADERS, row)) for row in rows]})]
    if pairs:
        tables.append(BenchTable("two images by themselves against poses of RedKitchen", PAIR_HEADERS, pairs,
                                 results={"slam_pairs": [dict(zip(PAIR_HEADERS, row)) for row in pairs]}))
    return tables


def _both_maps(mapped: str, mapper: MapperConfig, localizer: LocalizerConfig) -> tuple[Mapper, Slam, Poses]:
    """Return a map made from given poses, one with own poses, and the given poses by stamp."""
    given, slam, true = Mapper(mapper), Slam(Mapper(mapper), SlamConfig(), localizer), {}
    for frame in open_sequence(mapped):
        given.add(frame)
        true[frame.stamp_ns] = frame.world_T_cam
        slam.add(replace(frame, world_T_cam=None, odom_T_cam=None))
    given.finish()
    slam.finish()
    return given, slam, true


def _rates(scene: str, kind: str, finder: Localizer, asked: str, true_T_map: np.ndarray) -> tuple[str, ...]:
    queries, errors = 0, []
    for frame in open_sequence(asked):
        found, queries = finder.localize(frame), queries + 1
        if found.accepted:
            errors.append(pose_error(true_T_map @ found.world_T_cam, frame.world_T_cam))
    values = np.array(errors).reshape(-1, 2)
    shares = [f"{100 * (values < rate).all(axis=1).sum() / queries:.1f}" for rate in RATES]
    return scene, kind, str(queries), *shares, *(f"{value:.2f}" for value in np.median(values, axis=0) * [100, 1])


def mean_motion(motions: np.ndarray) -> np.ndarray:
    """Return the mean (4, 4) of motions (N, 4, 4) that are nearly alike."""
    mean = np.eye(4)
    mean[:3, :3] = Rotation.from_matrix(motions[:, :3, :3]).mean().as_matrix()
    mean[:3, 3] = motions[:, :3, 3].mean(axis=0)
    return mean


def _pair_row(sequence: str, apart: int, given: Poses, own: Poses) -> tuple[str, ...]:
    errors = np.array([(*pose_error(moved, inverse(given[second]) @ given[first]),
                        *pose_error(moved, inverse(own[second]) @ own[first]))
                       for first, second, moved in _pairs(open_sequence(sequence), apart)
                       if first in own and second in own])
    medians = np.median(errors, axis=0) * [100, 1, 100, 1]
    return str(apart), str(len(errors)), *(f"{value:.2f}" for value in medians)


def _pairs(frames: Iterable[Frame], apart: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the stamps of two frames and second_T_first (4, 4), from depth and SIFT features, which neither set of
    poses was made from."""
    sift, before = cv2.SIFT_create(2000), None
    for number, frame in enumerate(frames):
        if number % apart:
            continue
        seen = sift.detectAndCompute(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), None)
        if before is not None:
            motion = _motion(*before, frame, seen)
            if motion is not None:
                yield before[0].stamp_ns, frame.stamp_ns, motion
        before = frame, seen


def _motion(first: Frame, first_seen: tuple, second: Frame, second_seen: tuple) -> np.ndarray | None:
    matches = cv2.BFMatcher().knnMatch(first_seen[1], second_seen[1], k=2)
    good = [best for best, other in matches if best.distance < RATIO * other.distance]
    first_px, second_px = (np.array([seen[0][getattr(match, index)].pt for match in good]).reshape(-1, 2)
                           for seen, index in ((first_seen, "queryIdx"), (second_seen, "trainIdx")))
    column, row = np.rint(first_px).astype(int).T
    first_px, second_px, depths_m = first_px + PIXEL_CENTRE, second_px + PIXEL_CENTRE, first.depth_m[row, column]
    known = depths_m > 0
    if known.sum() < PAIR_MIN_INLIERS:
        return None
    rays = np.c_[first.camera.normalize(first_px[known]), np.ones(known.sum())]
    camera = second.camera.pinhole()
    pose, info = poselib.estimate_absolute_pose(
        second.camera.undistort(second_px[known]), rays * depths_m[known, None],
        {"model": "PINHOLE", "width": camera.width_px, "height": camera.height_px,
         "params": camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]].tolist()}, {"max_reproj_error": PAIR_INLIER_PX}, {})
    if info["num_inliers"] < PAIR_MIN_INLIERS:
        return None
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = pose.R, pose.t
    return motion
