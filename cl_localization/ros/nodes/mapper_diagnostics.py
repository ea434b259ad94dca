"""The status of the mapper on /diagnostics, and the health of the map while it grows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from cl_localization.map.map_code import MapCode
from cl_localization.mapper import Mapper
from cl_localization.mapping.audit.health import MapHealth, noted_health, unjoined_parts
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import MappingStatus
from cl_localization.ros.images.image_source import ImageSource
from cl_localization.ros.mapping.map_saver import MapSaver
from cl_localization.ros.nodes.diagnostics import NodeDiagnostics
from cl_localization.ros.workers.worker import Worker

PERIOD_KEYFRAMES = 10
"""The map is examined after so many new keyframes: it takes 5 to 20 ms."""


class MapperDiagnostics(NodeDiagnostics):
    """The diagnostics of the mapper."""

    def publish_state(self, map_code: MapCode, learning: bool, worker: Worker[Any], images: ImageSource,
                      saver: MapSaver, problems: Iterable[str]) -> None:
        """Publish the status; `problems` are those of the node's other parts."""
        self.publish([images.problem, saver.problem, *problems], {
            "images": images.images, "processed": worker.processed, "dropped": worker.dropped,
            "lost in transport": images.lost}, map_code, {
            "learning": learning, "waiting": worker.waiting, "keyframes": len(map_code.keyframes),
            "map bytes": map_code.size_bytes, "saved version": saver.saved_version,
            "unsaved keyframes": saver.unsaved_keyframes, "image delay [s]": images.delay_s,
            **health_values(map_code)})


def health_values(map_code: MapCode) -> dict[str, object]:
    """Return the known figures of a map's health, as its mapper noted them."""
    return {name.replace("_", " "): value for name, value in map_code.health.items()
            if name not in ("warnings", "unjoined_parts") and value is not None}


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
        """Examine the map when enough keyframes are new, a scale has become known or not, or a part was begun or
        joined."""
        self._keyframes += result is not None and result.is_keyframe
        has_parts = unjoined_parts(mapper.map_code, mapper.apart).keys() == self.health.unjoined_parts.keys()
        has_scale = set(self.health.scenes_without_scale) == mapper.without_scale
        if self._keyframes >= PERIOD_KEYFRAMES or not has_parts or not has_scale:
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
