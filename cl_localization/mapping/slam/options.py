"""Options of mapping with own poses."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option


@dataclass(frozen=True)
class SlamConfig(Config):
    """When an own pose is trusted, when a map is begun anew, and what closes a loop."""

    min_inliers: int = option(40, "A pose near the predicted one needs this many matches to codes to be trusted.", 6,
                              10000)
    max_speed_m_s: float = option(3.0, "Largest speed of the camera: a pose farther from the last is not trusted "
                                       "[m/s].", 0.001, 1000)
    max_turn_deg_s: float = option(360.0, "Largest rate of turn of the camera, as max_speed_m_s [deg/s].", 0.1, 100000)
    begin_after_frames: int = option(8, "After so many images with features whose pose is not found, a map is begun "
                                        "beside the old one; the two become one when one recognises the other.", 1,
                                     100000)
    min_features: int = option(100, "Images with fewer features, with depth if they have any, begin no map.", 6, 10000)
    min_parallax_deg: float = option(0.7, "With own poses, in place of triangulation.min_parallax_deg: points must be "
                                          "there soon, and become better [deg].", 0.05, 45)
    loop_every_m: float = option(0.4, "A place seen long ago is looked for this often on the way, turns included [m].",
                                 0.01, 1000)
    loop_after_m: float = option(4.0, "What was mapped longer ago than this on the way is a place seen long ago [m].",
                                 0.1, 10000)
