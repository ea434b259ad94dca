"""A second look, with the attention regressor, at images whose pose has some support, but not enough, or is uncertain.

The attention regressor finds several times as many matches in blurred, dark, noisy and half hidden images. But it
prefers codes that neighbours in the image agree on, so its matches agree more by themselves, and a place that merely
looks alike can get the support that a pose must have. Hence two looks must find the same pose: the one that the nearest
codes hint at, and that of attention.

A pose that has its support can still be decimetres off, when all it sees is far away or in one corner of the image.
Attention often finds matches in more of the image, and its pose is taken if it is more certain and not farther away
than the first may be wrong.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cl_localization.config import LocalizerConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.localization.acceptance import largest_sigma
from cl_localization.localization.pose_estimation import CameraPose, PoseEstimator
from cl_localization.map.code_index import CodeIndex
from cl_localization.map.map_code import MapCode

VARIANCE = 2.0
"""Covariances of such poses are larger than stated by this factor: in bad images the errors of neighbouring matches
go together. Measured on simulated houses; see docs/continual.md."""

SIGMAS = 3.0
"""So many standard deviations a pose with all the support it needs may be wrong."""


class SecondLook:
    """Looks at images again, and says whether what it finds confirms the first look."""

    def __init__(self, estimator: PoseEstimator, config: LocalizerConfig) -> None:
        self._estimator, self._config, self._enough_support = estimator, config.second_look, config.pose.min_support

    def is_worthwhile(self, first: CameraPose, accepted: bool) -> bool:
        """Return whether to look again: at an accepted pose when it is uncertain, at others when they may be right.

        Images of other places seldom have the support for that, and are given up at once.
        """
        if first.cam_T_world is None:
            return False
        return self._is_uncertain(first) if accepted else first.support >= self._config.min_support

    def estimate(self, features: Features, camera: Camera) -> CameraPose:
        """Return the pose of an image by attention."""
        pose = self._estimator.estimate(features, camera)
        return replace(pose, covariance=pose.covariance * VARIANCE)

    def confirms(self, second: CameraPose, first: CameraPose) -> bool:
        """Return whether both looks found the same pose, and the second is more certain where the first may be right by
        itself."""
        apart_m, apart_deg = se3.pose_error(se3.inverse(second.cam_T_world), se3.inverse(first.cam_T_world))
        allowed_m, allowed_deg = self._config.agreement_m, self._config.agreement_deg
        if first.support >= self._enough_support:
            sigma_m, sigma_deg = (
                largest_sigma(first.covariance[:3, :3]),
                np.degrees(largest_sigma(first.covariance[3:, 3:])),
            )
            if largest_sigma(second.covariance[:3, :3]) >= sigma_m:
                return False
            allowed_m, allowed_deg = max(allowed_m, SIGMAS * sigma_m), max(allowed_deg, SIGMAS * sigma_deg)
        return bool(apart_m <= allowed_m and apart_deg <= allowed_deg)

    def _is_uncertain(self, pose: CameraPose) -> bool:
        distances_m = np.linalg.norm(pose.points_m - se3.inverse(pose.cam_T_world)[:3, 3], axis=1)
        return largest_sigma(pose.covariance[:3, :3]) > self._config.uncertain_above * float(np.median(distances_m))


def make_second_look(map_code: MapCode, config: LocalizerConfig, index: CodeIndex) -> SecondLook | None:
    """Return the second look at images in a map; None where it is not asked for, or no weights of the package fit the
    map.

    Raises:
        EncoderError: weights that the configuration names cannot be read.
        MapError: they are made for another encoder than the map.
    """
    if config.regressor != "nearest_then_attention":
        return None
    from cl_localization.localization.attention.regressor import AttentionRegressor, packaged_weights_fit

    if not config.regressor_weights and not packaged_weights_fit(map_code):
        return None
    regressor = AttentionRegressor.from_file(map_code, config.regressor_weights, index)
    return SecondLook(PoseEstimator(map_code, regressor, config.pose), config)
