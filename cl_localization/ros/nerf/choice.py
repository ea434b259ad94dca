"""The radiance field of a mapper, or none; PyTorch is loaded only for one that is learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from cl_localization.data.frame import Frame
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import MappingStatus
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import TfLookup

if TYPE_CHECKING:
    from cl_localization.ros.nerf.mapping import LearnedNerf


class NoNerf:
    """No radiance field: has the methods of `LearnedNerf`, which do nothing."""

    @property
    def problem(self) -> str:
        """Why it does not learn, for /diagnostics; empty for no problem."""
        return ""

    def start(self, may_learn: Callable[[], bool]) -> None:
        """See `LearnedNerf`."""

    def use_map(self, map_code: MapCode) -> None:
        """See `LearnedNerf`."""

    def observe(self, bundle: ImageBundle, frame: Frame, result: MappingResult, map_code: MapCode) -> None:
        """See `LearnedNerf`."""

    def fill_status(self, status: MappingStatus) -> None:
        """Fill in the fields nerf_* of a status."""
        status.nerf_before_db = status.nerf_after_db = math.nan


def make_nerf(node: ManagedNode, lookup: TfLookup) -> LearnedNerf | NoNerf:
    """Return the radiance field if `nerf.enabled`, else a `NoNerf`."""
    if not node.config.nerf.enabled:
        return NoNerf()
    from cl_localization.ros.nerf.mapping import LearnedNerf

    return LearnedNerf(node, lookup)
