"""Localizing in a map whose poses the mapper found itself, against one made from given poses: RedKitchen, far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.table import BenchTable
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.slam import Slam

MAPPED, ASKED = "[0:200]", "[200:300]"
RATES = ((0.05, 5.0), (0.20, 10.0))
HEADERS = ("poses of the map", "queries", *(f"{100 * m:.0f} cm/{deg:.0f} deg [%]" for m, deg in RATES), "median [cm]",
           "median [deg]")


def afterwards_table(kitchen: str, mapper: MapperConfig, localizer: LocalizerConfig) -> BenchTable:
    """Return the rates of queries in both maps."""
    given = Mapper(mapper)
    for frame in open_sequence(kitchen + MAPPED):
        given.add(frame)
    given.finish()
    slam, true = Slam(Mapper(mapper), SlamConfig(), localizer), {}
    for frame in open_sequence(kitchen + MAPPED):
        true[frame.stamp_ns] = frame.world_T_cam
        slam.add(replace(frame, world_T_cam=None, odom_T_cam=None))
    slam.finish()
    own = slam.trajectory.poses_of_first_part()
    true_T_own = mean_motion(np.array([true[stamp_ns] @ inverse(pose) for stamp_ns, pose in own]))
    rows = []
    for name, made, true_T_map in (("given", given, np.eye(4)), ("own", slam.mapper, true_T_own)):
        asked, errors = 0, []
        finder = Localizer(made.map_code, localizer)
        for frame in open_sequence(kitchen + ASKED):
            found, asked = finder.localize(frame), asked + 1
            if found.accepted:
                errors.append(pose_error(true_T_map @ found.world_T_cam, frame.world_T_cam))
        values = np.array(errors).reshape(-1, 2)
        shares = [f"{100 * (values < rate).all(axis=1).sum() / asked:.1f}" for rate in RATES]
        rows.append((name, str(asked), *shares, *(f"{value:.2f}" for value in np.median(values, axis=0) * [100, 1])))
    return BenchTable("localizing afterwards", HEADERS, rows,
                      results={"slam_afterwards": [dict(zip(HEADERS, row)) for row in rows]})


def mean_motion(motions: np.ndarray) -> np.ndarray:
    """Return the mean (4, 4) of motions (N, 4, 4) that are nearly alike."""
    mean = np.eye(4)
    mean[:3, :3] = Rotation.from_matrix(motions[:, :3, :3]).mean().as_matrix()
    mean[:3, 3] = motions[:, :3, 3].mean(axis=0)
    return mean
