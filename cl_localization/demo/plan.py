"""What the demo shows to the nodes, in order: a mapping part, places to be carried to, and a way to track. Needs no
ROS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cl_localization.data import frame_names, open_sequence
from cl_localization.data.spec import parse_spec
from cl_localization.data.stamps import NS_PER_S
from cl_localization.demo.config import DemoConfig
from cl_localization.errors import DataError

HELD_OUT_BLOCKS = (3, 7, 11)
BLOCKS = 12
MIN_FRAMES = 60


@dataclass(frozen=True)
class Segment:
    """One part of the demo.

    Attributes:
        name: also of the player's node.
        kind: mapping, place or tracking.
        sequence: as `open_sequence` takes it.
        rate: speed of playing.
    """

    name: str
    kind: str
    sequence: str
    rate: float


def plan(config: DemoConfig, folder: Path) -> list[Segment]:
    """Return the segments; lists of frames are written to `folder`.

    Raises:
        DataError: a recorded sequence that cannot be read, without poses, or with too few frames.
    """
    return _recorded(config, folder) if config.data else _simulated(config)


def _simulated(config: DemoConfig) -> list[Segment]:
    recorded_hz = 15.0

    def segment(name: str, kind: str, keys: str, hz: float) -> Segment:
        return Segment(name, kind, f"sim:{config.seed}?rooms=2&size={config.size}&hz={recorded_hz:g}&{keys}",
                       hz / recorded_hz)

    places = [segment(f"place_{i}", "place", f"path=kidnap&place={i}&frames={config.place_frames}", config.live_hz)
              for i in range(config.places)]
    return [segment("mapping", "mapping", "path=mapping", config.mapping_hz), *places,
            segment("tracking", "tracking", f"path=tracking&frames={config.tracking_frames}", config.live_hz)]


def _recorded(config: DemoConfig, folder: Path) -> list[Segment]:
    """Hold out some stretches; map the others; be carried to places in the stretches held out, and track along one."""
    sequence = open_sequence(config.data)
    if len(sequence) < MIN_FRAMES or any(sequence.pose(index) is None for index in range(len(sequence))):
        raise DataError(f"sequence {config.data}", f"must have at least {MIN_FRAMES} frames, all with poses",
                        f"{len(sequence)} frames",
                        "take another for the demo")
    blocks = np.array_split(np.arange(len(sequence)), BLOCKS)
    held_out = [blocks[block] for block in HELD_OUT_BLOCKS]
    mapped = np.setdiff1d(np.arange(len(sequence)), np.concatenate(held_out))
    hz = NS_PER_S / max(1, sequence[1].stamp_ns - sequence[0].stamp_ns)

    def segment(name: str, kind: str, indices: np.ndarray, shown_hz: float) -> Segment:
        listing = folder / f"{name}.txt"
        names = frame_names(sequence)
        listing.write_text("".join(f"{names[index]}\n" for index in indices), encoding="utf-8")
        return Segment(name, kind, f"{_unselected(config.data)}@{listing.resolve()}", shown_hz / hz)

    random = np.random.default_rng(config.seed)
    places = []
    for number in range(config.places):
        block = held_out[number % len(held_out)]
        first = int(random.integers(0, max(1, len(block) - config.place_frames // 2)))
        places.append(segment(f"place_{number}", "place", block[first:first + config.place_frames], config.live_hz))
    return [segment("mapping", "mapping", mapped, config.mapping_hz), *places,
            segment("tracking", "tracking", held_out[1][:config.tracking_frames], config.live_hz)]


def _unselected(text: str) -> str:
    """Return a spec without its selection of frames: the listing names what is left of it."""
    spec = parse_spec(text)
    options = "&".join(f"{key}={value}" for key, value in spec.options.items())
    return f"{spec.source}?{options}" if options else spec.source
