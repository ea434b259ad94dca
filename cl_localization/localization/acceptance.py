"""Whether to accept a pose: the rule that keeps wrong ones off tf."""

from __future__ import annotations

from dataclasses import replace

from cl_localization.config import PoseConfig
from cl_localization.geometry.se3 import largest_sigma
from cl_localization.localization.result import Localization


def accept_or_reject(found: Localization, config: PoseConfig) -> Localization:
    """Return a localization with `accepted` and `reason` filled in."""
    reason = reason_to_reject(found, config)
    return replace(found, accepted=reason is None, reason=reason or "ok")


def reason_to_reject(found: Localization, config: PoseConfig) -> str | None:
    """Return why a pose must not be used, one sentence with the figure and the bound, or None when it may."""
    if found.world_T_cam is None or found.covariance is None:
        return ("no pose agrees with the matches" if found.keypoints else
                "no keypoints: the image shows nothing, or a mask hides all of it")
    if found.inliers < config.min_inliers:
        return f"{found.inliers} inliers, {config.min_inliers} needed"
    if found.support < config.min_support:
        return f"support {found.support:.1f}, {config.min_support:.1f} needed"
    sigma_m = largest_sigma(found.covariance[:3, :3])
    allowed_m = max_position_sigma(found, config)
    if not sigma_m <= allowed_m:
        return f"position sigma {sigma_m:.3g} m, at most {allowed_m:.3g} m allowed"
    return None


def has_evidence(found: Localization, config: PoseConfig) -> bool:
    """Return whether enough of an image agrees with a pose, however certain it is."""
    return found.inliers >= config.min_inliers and found.support >= config.min_support


def max_position_sigma(found: Localization, config: PoseConfig) -> float:
    """Return the largest standard deviation that the position of a pose may have [m]."""
    bound_m = config.max_position_sigma_m if config.max_position_sigma_m > 0 else float("inf")
    return min(config.max_position_sigma_share * found.telling_distance_m, bound_m)
