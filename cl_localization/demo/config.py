"""The options of the demo. Needs no ROS, and loads nothing, so that the command line's help is quick."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, option


@dataclass(frozen=True)
class DemoConfig(Config):
    """What a demo can be told."""

    data: str = option("", "Recorded sequence with poses; empty drives through the simulated house.")
    out: str = option("out/demo", "Folder for map, logs, table and picture.")
    seed: int = option(7, "House and places.", 0, 2**31 - 1)
    size: str = option("320x240", "Size of the simulated images.")
    places: int = option(5, "Places to be carried to.", 1, 20)
    place_frames: int = option(20, "Images shown at a place.", 2, 1000)
    tracking_frames: int = option(90, "Images of the live tracking, at most.", 2, 10000)
    mapping_hz: float = option(8.0, "Images a second while mapping.", 0.5, 100)
    live_hz: float = option(10.0, "Images a second after mapping.", 0.5, 100)
    domain: int = option(0, "ROS domain id of the demo; 0 chooses one.", 0, 232)
