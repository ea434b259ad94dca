"""Old names of options: understood, with a warning, for one version."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

_LOGGER = logging.getLogger(__name__)

OLD_NAMES: dict[str, str | None] = {
    "relearn.look_every_s": "change_detection.period_s",
    "relearn.min_explained": "change_detection.min_explained",
    "relearn.min_translation_m": "change_detection.min_translation_m",
    "relearn.min_rotation_deg": "change_detection.min_rotation_deg",
    "depth.gone_after": "depth.free_space_views",
    "second_look.min_support": "attention_fallback.min_support",
    "second_look.agreement_m": None,
    "attention_fallback.agreement_m": None,
    "second_look.agreement_deg": "attention_fallback.agreement_deg",
    "second_look.uncertain_above": "attention_fallback.uncertain_above",
    "agreement_window_s": "confirm_window_s",
    "doubt_frames": "odometry_reject_frames",
    "triangulation.learning_steps": None,
    "places.learn_ms": None,
    "places.revisits": None,
    "places.min_confirmed": None,
    "places.seed": None,
    "place.speed_steps": None,
    "place.min_speed_ratio": None,
    "place.max_speed_ratio": None,
    "slam.start_min_points": None,
    "slam.start_min_parallax_deg": None,
    "slam.loop_views": None,
    "slam.bend_above_m": None,
    "slam.min_inlier_share": None,
    "slam.confirm_support": None,
    "slam.loop_min_inliers": None,
    "slam.loop_drift_share": None,
    "depth.merge_similarity": None,
    "depth.merge_distance_m": None,
    "pose.min_similarity": None,
    "pose.keypoint_sigma_px": None,
}
"""Names that options had in version 0.1, or the ends of these names, and what they are called now; None for options
that are gone. They are understood, with a warning, for one version."""


def present_name(name: str) -> str | None:
    """Return what an option is called now, with a warning for an old name; None for an option that is gone."""
    for old, new in OLD_NAMES.items():
        if name == old or name.endswith(f".{old}"):
            now = None if new is None else name.removesuffix(old) + new
            meaning = "is gone and has no effect" if now is None else f"is now called {now}"
            _LOGGER.warning("option %s %s", name, meaning)
            return now
    return name


def with_present_names(values: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return values of options by their present names; those of options that are gone are left out.

    Args:
        known: names that stand for themselves.
    """
    named = {name if name in known else present_name(name): value for name, value in values.items()}
    return {name: value for name, value in named.items() if name is not None}
