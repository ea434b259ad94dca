"""The localizer node's pose check by rendering, with the radiance field that a mapper saved beside the map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.config import LiveNerfConfig
from cl_localization.data.frame import Frame
from cl_localization.errors import MapError
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode
from cl_localization.ros.nodes.config import LocalizerNodeConfig

if TYPE_CHECKING:
    from cl_localization.nerf.render_check import RenderCheck

READABLE = LiveNerfConfig(field_mb=2000.0, replay_mb=2000.0)
"""Memory bounds for loading fields of any mapper."""


class PoseCheck:
    """Checks poses in the one scene of a map that the field covers; other poses are not changed."""

    def __init__(self, check: RenderCheck, map_id: str, scene: str) -> None:
        self._check, self.map_id, self._scene = check, map_id, scene

    def judge(self, frame: Frame, found: Localization, config: LocalizerNodeConfig) -> Localization:
        """Return the localization after the check, accepted or rejected; see `RenderCheck.judge`."""
        return self._check.judge(frame, found, config.pose) if found.scene == self._scene else found


def pose_check_beside(map_path: str, map_code: MapCode, config: LocalizerNodeConfig) -> PoseCheck | None:
    """Return the pose check with what was saved beside a map; None if it is disabled or nothing was saved.

    Raises:
        MapError: the field belongs to another map.
        DataError: the field cannot be read.
    """
    path = beside(Path(map_path))
    if not (config.render_check.enabled and path.is_file()):
        return None
    from cl_localization.nerf.live_file import load_live
    from cl_localization.nerf.render_check import RenderCheck

    field, owner = load_live(path, READABLE)
    map_id, _, scene = owner.partition(" ")
    if map_id not in (map_code.map_id, map_code.parent_id):
        raise MapError(f"radiance field {path}", f"must belong to the map beside it, {map_code.map_id}", map_id,
                       "switch render_check.enabled off, or map with nerf.enabled")
    return PoseCheck(RenderCheck(field, config.render_check), map_code.map_id, scene)


def beside(map_path: Path) -> Path:
    """Return the path of a map's field: `kitchen.nerf.safetensors` for `kitchen.safetensors`."""
    return map_path.with_suffix(f".nerf{map_path.suffix}")
