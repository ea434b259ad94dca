"""Where in a map a pose is searched, in which order, and when that is enough.

The codes around recognised keyframes are searched first, then the whole map. Images whose pose has some support but too
little, or is uncertain, are tried again by attention.

The attention regressor finds several times as many matches in blurred, dark, noisy and half hidden images. But it
prefers codes that neighbours in the image agree on, so its matches agree more by themselves, and a place that merely
looks similar can get the support that a pose must have. Hence both regressors must find the same pose. An accepted pose
can still be decimetres off, when all it sees is far away or in one corner of the image. Attention often finds matches
in more of the image; its pose is taken if it is more certain, and not farther away than the first may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import largest_sigma
from cl_localization.localization.acceptance import accept_or_reject, has_evidence
from cl_localization.localization.covariance_calibration import widened
from cl_localization.localization.pose_estimation import PoseEstimator
from cl_localization.localization.regressor import NearestRegressor, Regressor, ShownCodes
from cl_localization.localization.result import Localization
from cl_localization.map.code_index import CodeIndex, CovisibleCodes
from cl_localization.map.map_code import MapCode

VARIANCE = 2.0
"""Covariances of such poses are larger than stated by this factor: in bad images the errors of neighbouring matches
are correlated. Measured on simulated houses; see docs/continual.md."""

SIGMAS = 3.0
"""Standard deviations by which an accepted pose may be wrong."""


class PoseSearch:
    """Searches the poses of images in one map: around recognised keyframes, in the whole map, then by attention."""

    def __init__(self, map_code: MapCode, config: LocalizerConfig, in_background: bool = False) -> None:
        """Make a search in a map.

        Args:
            in_background: see `CodeIndex`; until the index of the whole map is made, only what is around recognised
                keyframes is searched.

        Raises:
            EncoderError, MapError: see `make_regressor`.
        """
        self._map, index = map_code, CodeIndex(map_code, in_background=in_background)
        self._pose, self._enough_support = config.pose, config.place.enough_support
        self._whole_map = PoseEstimator(map_code, make_regressor(map_code, config, index), config.pose)
        self._shown = ShownCodes(map_code)
        self._covisible = CovisibleCodes(map_code, in_background) if config.regressor != "attention" else None
        self._fallback = make_attention_fallback(map_code, config, index)

    def use(self, pose: PoseConfig) -> None:
        """Use other values of the options of poses from now on."""
        self._pose = self._whole_map.config = pose
        if self._fallback is not None:
            self._fallback.use(pose)

    def find(self, features: Features, camera: Camera, *around: np.ndarray) -> Localization:
        """Return the accepted pose with most support, the pose with most support where none is accepted.

        Its timings are those of all tries.

        Args:
            around: (K,) keyframes around which to search first, group by group.
        """
        tries: list[Localization] = []
        for estimator in self._estimators(camera, around):
            tries.append(estimator.estimate(features, camera))
            if tries[-1].accepted and tries[-1].support >= self._enough_support:
                break
        best = max(reversed(tries), key=lambda found: (found.accepted, found.world_T_cam is not None, found.support))
        if self._fallback is not None and self._fallback.should_try(best):
            tries.append(self._fallback.estimate(features, camera))
            if tries[-1].accepted and self._fallback.confirms(tries[-1], best):
                best = tries[-1]
        best = self._widened(best, tries)
        steps = dict.fromkeys(step for found in tries for step in found.timings_s)
        return replace(best, timings_s={step: sum(found.timings_s.get(step, 0.0) for found in tries) for step in steps})

    def with_rival(self, features: Features, camera: Camera, found: Localization) -> Localization:
        """Return a pose that was found with what else these features agree with; see `PoseEstimator.with_rival`."""
        return self._whole_map.with_rival(features, camera, found)

    def _widened(self, best: Localization, tries: list[Localization]) -> Localization:
        """Return an accepted pose, its covariance as wide as other tries with the support for a pose are away; that may
        be too wide to accept it."""
        wide = best
        for other in tries:
            is_rival = other is not best and has_evidence(other, self._pose)
            if best.accepted and is_rival and other.world_T_cam is not None:
                wide = widened(wide, other.world_T_cam, 1.0)
        return best if wide is best else accept_or_reject(wide, self._pose)

    def _estimators(self, camera: Camera, around: Sequence[np.ndarray]) -> Iterator[PoseEstimator]:
        """Yield the searches of the codes that keyframes show, or of those around them where that is many and yet less
        than the whole map, then that of the whole map."""
        for keyframes in around:
            if self._covisible and len(keyframes):
                shown = self._shown.regressor(keyframes, camera)
                near = self._covisible.around(keyframes) if shown is None else None
                if shown is not None or near is not None:
                    yield PoseEstimator(self._map, shown or NearestRegressor(self._map, near), self._pose)
        yield self._whole_map


class AttentionFallback:
    """Estimates poses by attention, and says whether they confirm the first estimate."""

    def __init__(self, estimator: PoseEstimator, config: LocalizerConfig) -> None:
        self._estimator, self._config = estimator, config.attention_fallback

    def use(self, pose: PoseConfig) -> None:
        """Use other values of the options of poses from now on."""
        self._estimator.config = pose

    def should_try(self, first: Localization) -> bool:
        """Return whether to try again: an accepted pose when it is uncertain, another when it may be right.

        Images of other places seldom have the support for that, and are given up at once.
        """
        if first.world_T_cam is None:
            return False
        return self._is_uncertain(first) if first.accepted else first.support >= self._config.min_support

    def estimate(self, features: Features, camera: Camera) -> Localization:
        """Return the pose of an image by attention."""
        found = self._estimator.estimate(features, camera)
        if found.covariance is None:
            return found
        return accept_or_reject(replace(found, covariance=found.covariance * VARIANCE), self._estimator.config)

    def confirms(self, second: Localization, first: Localization) -> bool:
        """Return whether both are the same pose; where the first has the support it needs, also whether the second is
        more certain."""
        apart_m, apart_deg = se3.pose_error(second.world_T_cam, first.world_T_cam)
        allowed_m = self._config.agreement_share * first.telling_distance_m
        allowed_deg = self._config.agreement_deg
        if first.support >= self._estimator.config.min_support:
            sigma_m = largest_sigma(first.covariance[:3, :3])
            if largest_sigma(second.covariance[:3, :3]) >= sigma_m:
                return False
            sigma_deg = np.degrees(largest_sigma(first.covariance[3:, 3:]))
            allowed_m, allowed_deg = max(allowed_m, SIGMAS * sigma_m), max(allowed_deg, SIGMAS * sigma_deg)
        return bool(apart_m <= allowed_m and apart_deg <= allowed_deg)

    def _is_uncertain(self, found: Localization) -> bool:
        return largest_sigma(found.covariance[:3, :3]) > self._config.uncertain_above * found.viewing_distance_m


def make_attention_fallback(map_code: MapCode, config: LocalizerConfig, index: CodeIndex) -> AttentionFallback | None:
    """Return the fallback for a map; None where it is not asked for, or no weights of the package fit the map.

    Raises:
        EncoderError: weights that the configuration names cannot be read.
        MapError: they are made for another encoder than the map.
    """
    if config.regressor != "nearest_then_attention":
        return None
    from cl_localization.localization.attention.regressor import AttentionRegressor, load_weights

    weights = load_weights(config.regressor_weights)
    if not config.regressor_weights and not weights.fit(map_code):
        return None
    return AttentionFallback(PoseEstimator(map_code, AttentionRegressor(map_code, weights, index), config.pose), config)


def make_regressor(map_code: MapCode, config: LocalizerConfig, index: CodeIndex | None = None) -> Regressor:
    """Return the regressor that a configuration names, of two the first, which searches all of a map.

    Args:
        index: of the whole map, where there is one already.

    Raises:
        EncoderError: the weights of the attention regressor cannot be read.
        MapError: they are made for another encoder than the map.
    """
    if config.regressor != "attention":
        return NearestRegressor(map_code, index)
    from cl_localization.localization.attention.regressor import AttentionRegressor, load_weights

    return AttentionRegressor(map_code, load_weights(config.regressor_weights), index)
