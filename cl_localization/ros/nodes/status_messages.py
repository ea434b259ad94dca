"""Builds the status and place messages."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cl_localization.geometry.se3 import largest_sigma
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import LocalizationStatus, MappingStatus, PlaceMatch
from cl_localization.ros.conversions import time_message
from cl_localization.tracking.tracker import Track

MS_PER_S = 1000.0


@dataclass(frozen=True)
class Counts:
    """Images that a worker has processed and dropped since the node became active."""

    processed: int = 0
    dropped: int = 0


def localization_status(found: Localization, track: Track, map_code: MapCode, frame: str, latency_s: float,
                        counts: Counts) -> LocalizationStatus:
    """Return the status of one localized image."""
    sigma_m = math.nan if found.covariance is None else largest_sigma(found.covariance[:3, :3])
    status = LocalizationStatus(
        scene=found.scene, place_check=found.place_check, keypoints=int(found.keypoints), matches=int(found.matches),
        inliers=int(found.inliers), inlier_ratio=float(found.inlier_ratio), support=float(found.support),
        reprojection_error_px=float(found.reprojection_error_px), latency_ms=latency_s * MS_PER_S,
        position_sigma_m=sigma_m,
        has_odometry=track.has_odometry, map_version=int(map_code.version), map_id=map_code.map_id, codes=len(map_code))
    _fill_track(status, track, found.stamp_ns, frame, counts)
    if not found.accepted:
        status.reason = found.reason
    return status


def no_localization_status(track: Track, stamp_ns: int, frame: str, counts: Counts) -> LocalizationStatus:
    """Return the status of an image that was not localized, or of a decision without an image."""
    status = LocalizationStatus(reprojection_error_px=math.nan, position_sigma_m=math.nan)
    _fill_track(status, track, stamp_ns, frame, counts)
    return status


def _fill_track(status: LocalizationStatus, track: Track, stamp_ns: int, frame: str, counts: Counts) -> None:
    """Fill in the tracker's decision."""
    gap = track.innovation
    status.header.stamp, status.header.frame_id = time_message(stamp_ns), frame
    status.state, status.trusted, status.agreeing = int(track.state), bool(track.trusted), int(track.agreeing)
    status.reason, status.decision = "ok" if track.trusted else track.reason, track.reason
    status.residual_m, status.residual_deg = (
        (math.nan, math.nan) if gap is None else (float(gap.distance_m), float(gap.angle_deg))
    )
    status.frames_processed, status.frames_dropped = counts.processed, counts.dropped


def place_match(found: Localization, trusted: bool, frame: str) -> PlaceMatch:
    """Return the place of an image (`found.place` is not None), and whether its pose is trusted."""
    place = PlaceMatch(scene=found.place.scene, keyframe_id=int(found.place.keyframe_id),
                       score=float(found.place.score),
                       accepted=bool(trusted))
    place.header.stamp, place.header.frame_id = time_message(found.stamp_ns), frame
    return place


def mapping_status(result: MappingResult | None, reason: str, learning: bool, map_code: MapCode, budget_bytes: float,
                   counts: Counts) -> MappingStatus:
    """Return the mapper's status after an image, without header; `result` is None if the image was not mapped."""
    status = MappingStatus(
        learning=learning, reason=reason, map_id=map_code.map_id, map_version=int(map_code.version),
        keyframes=len(map_code.keyframes), codes=len(map_code), map_bytes=int(map_code.size_bytes),
        budget_bytes=int(budget_bytes), frames_processed=counts.processed, frames_dropped=counts.dropped)
    if result is not None:
        status.is_keyframe = bool(result.is_keyframe)
        status.inserted, status.merged, status.evicted = int(result.inserted), int(result.merged), int(result.evicted)
        status.duration_ms = result.duration_s * MS_PER_S
    return status
