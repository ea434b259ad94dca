"""The health of a map as rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cl_localization.mapping.audit.health import MapHealth


def health_rows(health: MapHealth) -> list[tuple[str, str, str]]:
    """Return what is known of a map's health as (metric, value, unit); what is not known is left out."""
    figures = [("codes seen once", health.codes_seen_once_percent, ".1f", "%"),
               ("pose innovation factor", health.pose_innovation_factor, ".1f", ""),
               ("keyframes moved", health.keyframes_moved_m, ".3g", "m"),
               ("matches that fit the poses", health.matches_agree_percent, ".1f", "%"),
               ("matches of places seen again", health.places_again_agree_percent, ".1f", "%"),
               ("epipolar error", health.epipolar_error_px, ".2f", "px"),
               ("depth over triangulated", health.depth_over_triangulated, ".3f", "")]
    known = [(name, format(value, spec), unit) for name, value, spec, unit in figures if value is not None]
    scale = [("scale", f"unknown in {name}", "") for name in health.scenes_without_scale]
    return [("warnings", str(len(health.warnings)), ""), *scale, *known]
