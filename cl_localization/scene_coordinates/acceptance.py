"""Whether to trust a pose: the rule that keeps wrong ones off tf."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.config import PoseConfig


@dataclass(frozen=True, eq=False)
class PoseEvidence:
    """What speaks for a pose.

    Attributes:
        inliers: matches that agree with it.
        first_inlier_ratio: share of the unguided matches that agreed; guided ones agree by construction.
        covariance: (6, 6) of position and rotation.
        points_m: (I, 3) the inliers' points.
    """

    inliers: int
    first_inlier_ratio: float
    covariance: np.ndarray
    points_m: np.ndarray


def reason_to_reject(evidence: PoseEvidence, config: PoseConfig) -> str | None:
    """Return why a pose must not be used, one sentence with the figure and the bound, or None when it may."""
    if evidence.inliers < config.min_inliers:
        return f"{evidence.inliers} inliers, {config.min_inliers} needed"
    if evidence.first_inlier_ratio < config.min_inlier_ratio:
        return f"inlier ratio {evidence.first_inlier_ratio:.2f}, {config.min_inlier_ratio:.2f} needed"
    sigma_m = float(np.sqrt(np.linalg.eigvalsh(evidence.covariance[:3, :3])[-1]))
    if not sigma_m <= config.max_position_sigma_m:
        return f"position sigma {sigma_m:.3f} m, at most {config.max_position_sigma_m:.3f} m allowed"
    return None
