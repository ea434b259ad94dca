"""The map that a mapper extends, as it must be."""

from __future__ import annotations

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.features import Encoder
from cl_localization.map.learned_codes import require_grown
from cl_localization.map.map_code import MapCode


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
