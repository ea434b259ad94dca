"""Whether to trust a pose: the rule that keeps wrong ones off tf."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.config import PoseConfig


@dataclass(frozen=True, eq=False)
class PoseEvidence:
    """What speaks for a pose.

    Attributes:
        inliers: matches that agree with it, guided ones included.
        support: inliers among the unguided matches times their share of those matches. Guided matches agree by
            construction, and another place yields either few inliers (furniture that looks alike) or a small share
            (chance).
        covariance: (6, 6) of position and rotation.
    """

    inliers: int
    support: float
    covariance: np.ndarray


def largest_sigma(covariance: np.ndarray) -> float:
    """Return the standard deviation along the least certain direction of a (3, 3) covariance, in its unit; inf for
    unknown."""
    return float(np.sqrt(np.linalg.eigvalsh(covariance)[-1])) if np.isfinite(covariance).all() else np.inf


def reason_to_reject(evidence: PoseEvidence, config: PoseConfig) -> str | None:
    """Return why a pose must not be used, one sentence with the figure and the bound, or None when it may."""
    if evidence.inliers < config.min_inliers:
        return f"{evidence.inliers} inliers, {config.min_inliers} needed"
    if evidence.support < config.min_support:
        return f"support {evidence.support:.1f}, {config.min_support:.1f} needed"
    sigma_m = largest_sigma(evidence.covariance[:3, :3])
    if not sigma_m <= config.max_position_sigma_m:
        return f"position sigma {sigma_m:.3f} m, at most {config.max_position_sigma_m:.3f} m allowed"
    return None
