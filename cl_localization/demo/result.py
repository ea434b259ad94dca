"""What came out of a demo. Needs no ROS."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cl_localization.evaluation.records import is_wrong
from cl_localization.geometry.se3 import pose_error

RIGHT_M, RIGHT_DEG = 0.10, 5.0
"""A pose this near the truth is right."""

CM_PER_M = 100.0


@dataclass(frozen=True, eq=False)
class Estimate:
    """A trusted pose with the truth at its image's stamp.

    Attributes:
        stamp_ns: of the image.
        truth, estimate: (4, 4) poses of the camera in the map.
    """

    stamp_ns: int
    truth: np.ndarray
    estimate: np.ndarray

    @property
    def error(self) -> tuple[float, float]:
        """Distance in metres and angle in degrees."""
        return pose_error(self.truth, self.estimate)

    @property
    def right(self) -> bool:
        """Whether it is within 10 cm and 5 degrees of the truth."""
        return self.error[0] <= RIGHT_M and self.error[1] <= RIGHT_DEG

    @property
    def wrong(self) -> bool:
        """Whether it is more than 50 cm or 10 degrees off."""
        return is_wrong(*self.error)


@dataclass(frozen=True, eq=False)
class Place:
    """One kidnapping.

    Attributes:
        truth: (4, 4) camera pose at the first image.
        estimate: (4, 4) first trusted pose that was right, else the first trusted one; None without any.
        seconds: from the first image to the first right pose arriving; None if that never came.
    """

    truth: np.ndarray
    estimate: np.ndarray | None
    seconds: float | None

    @property
    def recovered(self) -> bool:
        """Whether a right pose came."""
        return self.seconds is not None


@dataclass(frozen=True, eq=False)
class DemoResult:
    """All that the table and the picture of the demo show.

    Attributes:
        mapping_path: (N, 4, 4) true camera poses while mapping.
        places: the kidnappings.
        tracking_truth: (T, 4, 4) true camera poses of the live tracking, one an image.
        tracking: trusted poses of the live tracking.
        estimates: all trusted poses after mapping, those of the kidnappings included.
        images: images that the localizer worked on after mapping.
        latencies_ms: from an image's arrival at the localizer to its pose, of every image after mapping.
        map_bytes, codes, keyframes: size of the map.
        map_points_m: (M, 3) float32 positions of the codes.
        map_path: where the map was saved.
        overlay: (H, W, 3) uint8 image with the inliers, the last of the tracking; or None.
        duration_s: of the whole demo.
        loops, parts: loops that were closed while mapping with own poses, and parts of the map that never met; `loops`
            is None where the poses were given.
        mapping_rmse_cm: root mean square error of the keyframes' positions by own poses, after alignment.
    """

    mapping_path: np.ndarray
    places: list[Place]
    tracking_truth: np.ndarray
    tracking: list[Estimate]
    estimates: list[Estimate]
    images: int
    latencies_ms: list[float]
    map_bytes: int
    codes: int
    keyframes: int
    map_points_m: np.ndarray = field(repr=False)
    map_path: Path
    overlay: np.ndarray | None = field(repr=False)
    duration_s: float
    loops: int | None = None
    parts: int = 1
    mapping_rmse_cm: float | None = None

    @property
    def mapped(self) -> bool:
        """Whether own poses made one map, and knew where they were when they came back."""
        return self.loops is None or (self.loops > 0 and self.parts == 1)

    @property
    def recovered(self) -> int:
        """Places where the localizer recovered."""
        return sum(place.recovered for place in self.places)

    @property
    def median_seconds_to_recover(self) -> float:
        """Over the recovered places; NaN if there are none."""
        return _median([place.seconds for place in self.places if place.seconds is not None])

    @property
    def max_seconds_to_recover(self) -> float:
        """Over the recovered places; NaN if there are none."""
        return max((place.seconds for place in self.places if place.seconds is not None), default=float("nan"))

    @property
    def median_translation_cm(self) -> float:
        """Over all trusted poses after mapping; NaN if there are none."""
        return _median([estimate.error[0] * CM_PER_M for estimate in self.estimates])

    @property
    def median_rotation_deg(self) -> float:
        """Over all trusted poses after mapping; NaN if there are none."""
        return _median([estimate.error[1] for estimate in self.estimates])

    @property
    def median_latency_ms(self) -> float:
        """Over all images after mapping; NaN if there are none."""
        return _median(self.latencies_ms)

    @property
    def wrong_accepted(self) -> int:
        """Trusted poses that are wrong."""
        return sum(estimate.wrong for estimate in self.estimates)

    @property
    def worked(self) -> bool:
        """The map is one, every place recovered, live tracking right in the median, and no wrong pose trusted."""
        tracked = _median([estimate.error[0] for estimate in self.tracking]) <= RIGHT_M
        return (self.mapped and bool(self.places) and all(place.recovered for place in self.places) and tracked
                and self.wrong_accepted == 0)


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")
