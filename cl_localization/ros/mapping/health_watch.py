"""The health of the map while it grows, for status and diagnostics."""

from __future__ import annotations

import math

from cl_localization.mapper import Mapper
from cl_localization.mapping.audit.health import MapHealth, noted_health
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import MappingStatus

PERIOD_KEYFRAMES = 10
"""The map is examined after so many new keyframes: it takes 5 to 20 ms."""


class HealthWatch:
    """Has the mapper examine its map now and then; all but `problem` is for its worker.

    Attributes:
        health: as last examined.
    """

    def __init__(self) -> None:
        self.health = MapHealth()
        self._keyframes = 0

    def use(self, mapper: Mapper) -> None:
        """Watch another map from now on."""
        self.health, self._keyframes = noted_health(mapper.map_code), 0

    def observe(self, mapper: Mapper, result: MappingResult | None) -> None:
        """Examine the map when enough keyframes are new, and when a scale has become known or not."""
        self._keyframes += result is not None and result.is_keyframe
        if self._keyframes >= PERIOD_KEYFRAMES or set(self.health.scenes_without_scale) != mapper.without_scale:
            self.examine(mapper)

    def examine(self, mapper: Mapper) -> None:
        """Examine the map now, as before a save: status and file then say the same."""
        self.health, self._keyframes = mapper.examine(), 0

    @property
    def problem(self) -> str:
        """What is wrong with the map; empty for nothing."""
        return "; ".join(self.health.warnings)

    def fill_status(self, status: MappingStatus) -> None:
        """Fill in what a status says of the map's health."""
        health = self.health
        status.health_warnings = list(health.warnings)
        for name in ("codes_seen_once_percent", "pose_innovation_factor", "keyframes_moved_m", "matches_agree_percent",
                     "places_again_agree_percent", "depth_over_triangulated"):
            figure = getattr(health, name)
            setattr(status, name, math.nan if figure is None else float(figure))
