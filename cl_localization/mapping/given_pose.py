"""What is given to a mapper, as it must be: the map that it extends, and the pose that a frame brings."""

from __future__ import annotations

import numpy as np

from cl_localization.config import MapCodeConfig
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError, MapError
from cl_localization.features import Encoder
from cl_localization.geometry import se3
from cl_localization.map.learned_codes import require_grown
from cl_localization.map.map_code import MapCode

MAX_POSITION_M = 1e5
"""Codes keep their position in single precision: at this distance it is good to 8 mm."""


def checked_pose(frame: Frame) -> np.ndarray:
    """Return the pose (4, 4) of a frame that is to be mapped.

    Raises:
        DataError: it has none, one that is no rigid motion, or one too far from the origin.
    """
    name = frame.name or frame.stamp_ns
    if frame.world_T_cam is None:
        raise DataError(f"frame {name}", "must have a pose to be mapped", remedy="localize it instead")
    world_T_cam = se3.validated(frame.world_T_cam, f"pose of frame {name}")
    if np.abs(world_T_cam[:3, 3]).max() > MAX_POSITION_M:
        raise DataError(f"pose of frame {name}", f"must lie within {MAX_POSITION_M:g} m of the origin",
                        world_T_cam[:3, 3].tolist(), "move the map frame near the robot")
    return world_T_cam


def map_to_extend(map_code: MapCode | None, config: MapCodeConfig, encoder: Encoder) -> MapCode:
    """Return a map that codes of an encoder can be added to: the one given, or an empty one.

    Raises:
        MapError: it was made by another encoder, or its codes are learned.
    """
    if map_code is None:
        return MapCode(config, encoder.name, encoder.dim)
    require_grown(map_code)
    if (map_code.encoder, map_code.dim) != (encoder.name, encoder.dim):
        raise MapError("map", f"must be made by the encoder in use, {encoder.name}", map_code.encoder, "map again")
    return map_code
