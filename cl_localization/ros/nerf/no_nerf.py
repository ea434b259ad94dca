"""What a mapper has where no radiance field is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable

from cl_localization.data.frame import Frame
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import MappingStatus
from cl_localization.ros.images.image_source import ImageBundle


class NoNerf:
    """No radiance field; the mapper's interface to one."""

    @property
    def problem(self) -> str:
        """Why it does not learn, for /diagnostics; empty for no problem."""
        return ""

    def start(self, may_learn: Callable[[], bool]) -> None:
        """Start training, while `may_learn` returns True, and rendering."""

    def use_map(self, map_code: MapCode) -> None:
        """Mapper's worker, or set-up: use the field of another map."""

    def observe(self, bundle: ImageBundle, frame: Frame, result: MappingResult, map_code: MapCode) -> None:
        """Mapper's worker: take a mapped image; a keyframe is added to the field."""

    def fill_status(self, status: MappingStatus) -> None:
        """Fill in the fields nerf_* of a status."""
        status.nerf_before_db = status.nerf_after_db = math.nan
