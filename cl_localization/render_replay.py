"""Places seen again that nobody visits: a radiance field renders what a camera would see there, and the mapper learns from that.

Generative replay, for codes that went over the map's budget: the field still knows how their place looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.geometry.camera import Camera
from cl_localization.mapper import Mapper, MappingResult
from cl_localization.nerf.live import LiveField

if TYPE_CHECKING:
    from collections.abc import Iterable


def rendered_frame(field: LiveField, world_T_cam: np.ndarray, camera: Camera, stamp_ns: int = 0) -> Frame:
    """Return a frame with image and depth as the field shows them from a pose (4, 4).

    Raises:
        DataError: a pose that is not finite or singular.
    """
    seen = field.render(world_T_cam, camera)
    return Frame(stamp_ns, seen.image, camera, seen.depth_m, world_T_cam, name=f"rendered {stamp_ns}")


def replay(mapper: Mapper, field: LiveField, world_T_cams: Iterable[np.ndarray], camera: Camera, stamp_ns: int = 0) -> list[MappingResult]:
    """Have a mapper learn rendered views from poses (4, 4), and return what it did with each.

    Args:
        camera: of the rendered views; that of the frames that were mapped, so that features have the size they had.
        stamp_ns: of the rendered views.

    Raises:
        DataError: a pose that is not finite or singular.
    """
    return [mapper.add(rendered_frame(field, world_T_cam, camera, stamp_ns)) for world_T_cam in world_T_cams]
