"""Status, place and diagnostics messages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from cl_localization.localizer import Localization
from cl_localization.mapper import MappingResult
from cl_localization.msg import LocalizationStatus, MappingStatus, PlaceMatch
from cl_localization.ros.conversions import time_message
from cl_localization.scene_coordinates.map_code import MapCode

MS_PER_S = 1000.0


@dataclass(frozen=True)
class Counts:
    """How far a worker has come since the node became active."""

    processed: int = 0
    dropped: int = 0


def localization_status(found: Localization, state: int, map_code: MapCode, frame: str, latency_s: float,
                        counts: Counts) -> LocalizationStatus:
    """Return the status of one localized image."""
    sigma_m = math.nan if found.covariance is None else float(np.sqrt(np.diag(found.covariance)[:3].max()))
    status = LocalizationStatus(
        state=int(state), reason=found.reason, scene=found.scene, keypoints=int(found.keypoints), matches=int(found.matches),
        inliers=int(found.inliers), inlier_ratio=float(found.inlier_ratio),
        reprojection_error_px=float(found.reprojection_error_px), latency_ms=latency_s * MS_PER_S, position_sigma_m=sigma_m,
        map_version=int(map_code.version), map_id=map_code.map_id, codes=len(map_code),
        frames_processed=counts.processed, frames_dropped=counts.dropped)
    status.header.stamp, status.header.frame_id = time_message(found.stamp_ns), frame
    return status


def no_localization_status(reason: str, state: int, stamp_ns: int, frame: str, counts: Counts) -> LocalizationStatus:
    """Return the status of an image that could not be worked on, with the reason."""
    status = LocalizationStatus(state=int(state), reason=reason, reprojection_error_px=math.nan, position_sigma_m=math.nan,
                                frames_processed=counts.processed, frames_dropped=counts.dropped)
    status.header.stamp, status.header.frame_id = time_message(stamp_ns), frame
    return status


def place_match(found: Localization, map_code: MapCode, frame: str) -> PlaceMatch:
    """Return the scene of a localized image and the keyframe whose camera was nearest to its pose."""
    ids = map_code.keyframes.rows()
    distances_m = np.linalg.norm(map_code.keyframes["keyframe_poses"][ids, :3] - found.world_T_cam[:3, 3], axis=1)
    place = PlaceMatch(scene=found.scene, keyframe_id=int(ids[distances_m.argmin()]),
                       score=float(found.inlier_ratio), accepted=bool(found.accepted))
    place.header.stamp, place.header.frame_id = time_message(found.stamp_ns), frame
    return place


def mapping_status(result: MappingResult | None, reason: str, learning: bool, map_code: MapCode, budget_bytes: float,
                   counts: Counts) -> MappingStatus:
    """Return the status of the mapper after an image, its header left empty; result None: the image was not learned from."""
    status = MappingStatus(
        learning=learning, reason=reason, map_id=map_code.map_id, map_version=int(map_code.version),
        keyframes=len(map_code.keyframes), codes=len(map_code), map_bytes=int(map_code.size_bytes),
        budget_bytes=int(budget_bytes), frames_processed=counts.processed, frames_dropped=counts.dropped)
    if result is not None:
        status.is_keyframe = bool(result.is_keyframe)
        status.inserted, status.merged, status.evicted = int(result.inserted), int(result.merged), int(result.evicted)
        status.duration_ms = result.duration_s * MS_PER_S
    return status


def diagnostics(name: str, problem: str, values: Mapping[str, object], stamp_ns: int) -> DiagnosticArray:
    """Return one diagnostic status: OK without a problem, else WARN with it; the values in their order."""
    status = DiagnosticStatus(level=DiagnosticStatus.WARN if problem else DiagnosticStatus.OK, name=name,
                              message=problem or "OK", hardware_id="",
                              values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()])
    array = DiagnosticArray(status=[status])
    array.header.stamp = time_message(stamp_ns)
    return array


def _text(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
