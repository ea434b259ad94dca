"""What a user may ask of the simulator: `sim:SEED?key=value&key=value`."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from cl_localization.config import Config, option
from cl_localization.errors import ConfigError, DataError
from cl_localization.simulation.lighting import LIGHTS
from cl_localization.simulation.paths import PATHS

MAX_SIDE_PX = 2048


@dataclass(frozen=True)
class SimulationConfig(Config):
    """Keys of a simulated sequence."""

    seed: int = option(0, "The house: same seed, same rooms, furniture and textures.", 0, 2**31 - 1)
    rooms: int = option(2, "Rooms of the house.", 1, 12)
    path: str = option("mapping", "What the robot does: mapping (a round through all rooms, looking to all sides), "
                                  "tracking (another "
                       "way through all rooms), kidnap (stands somewhere, moving slowly).", choices=tuple(PATHS))
    place: int = option(0, "Which of the random places of path=kidnap, or of the random ways of path=tracking.", 0,
                        10**6)
    frames: int = option(0, "Frames on the whole path; 0 takes 140 a room for mapping, 75 a room for tracking, 30 for "
                            "kidnap.", 0, 100000)
    start: int = option(0, "Frames left out at the beginning of the path.", 0, 100000)
    hz: float = option(15.0, "Frames a second.", 0.1, 1000)
    size: str = option("320x240", "Width and height of the images [px].")
    fov: float = option(66.0, "Horizontal field of view [deg].", 20, 120)
    height: float = option(0.9, "Height of the camera above the floor [m].", 0.2, 2.2)
    tilt: float = option(3.0, "Angle by which the camera looks down [deg].", -30, 45)
    roll: float = option(0.0, "Angle by which the camera is rolled clockwise [deg].", -360, 360)
    light: str = option("day", "Time of day.", choices=tuple(LIGHTS))
    lamp: float = option(
        0.0, "Where the lamps hang: 0 in the middle of the ceiling, -1 and 1 towards opposite corners.", -1, 1
    )
    gamma: float = option(1.0, "Exponent of the recorded image: below 1 brighter, above 1 darker.", 0.1, 10)
    gain: float = option(1.0, "Factor of the recorded image.", 0.01, 10)
    noise: float = option(1.5, "Image noise, standard deviation in grey levels of 0..255.", 0, 100)
    moved: float = option(0.0, "Share of the furniture that stands elsewhere.", 0, 1)
    depth_noise: int = option(
        0, "1: depth with the noise, steps and gaps of a structured-light sensor; 0: exact depth.", 0, 1
    )
    twins: int = option(0, "1: all rooms have the same size, furniture and pictures, but for what doors do not leave "
                           "room for; 0: each its own.", 0, 1)
    drift: float = option(1.0, "Factor on the errors of odometry (about 1.5 % of the way at 1).", 0, 100)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height.

        Raises:
            DataError: not two positive numbers, or too large.
        """
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", self.size)
        width, height = (int(number) for number in found.groups()) if found else (0, 0)
        if not (16 <= width <= MAX_SIDE_PX and 16 <= height <= MAX_SIDE_PX):
            raise DataError("simulation key size", f"must be WIDTHxHEIGHT, each 16 to {MAX_SIDE_PX}", repr(self.size),
                            "try size=640x480")
        return width, height


def parse_spec(spec: str) -> SimulationConfig:
    """Return the options in a text like `sim:7?path=kidnap&place=2`.

    Raises:
        DataError: not a simulation, an unknown key, or a value that is none or out of range.
    """
    found = re.fullmatch(r"sim:(\d+)(?:\?(.*))?", spec)
    if not found:
        raise DataError(f"sequence {spec}", "must be sim:SEED or sim:SEED?key=value&key=value with a whole number SEED",
                        remedy="try sim:7?path=mapping&rooms=2")
    known = {field.name: type(field.default) for field in fields(SimulationConfig) if field.name != "seed"}
    values: dict[str, Any] = {"seed": int(found[1])}
    for part in filter(None, (found[2] or "").split("&")):
        key, _, text = part.partition("=")
        if key not in known:
            raise DataError(f"key {key} of {spec}", "is unknown", remedy=f"known are {', '.join(known)}")
        values[key] = parsed(spec, key, text, known[key])
    try:
        config = SimulationConfig(**values)
    except ConfigError as error:
        raise DataError(f"sequence {spec}", f"has a bad key: {error}") from error
    _ = config.size_px  # raises for what is no size
    return config


def parsed(spec: str, key: str, text: str, kind: type) -> Any:
    """Return a key's value from its text.

    Raises:
        DataError: not of the key's kind.
    """
    try:
        return kind(text)
    except ValueError as error:
        raise DataError(f"key {key} of {spec}", f"must be {'a whole number' if kind is int else 'a number'}",
                        repr(text)) from error
