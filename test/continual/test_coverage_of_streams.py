"""What a replay buffer of forty frames still shows of five rooms, by its policy: no network is needed to see it.

A room is a ring of regions; a frame shows a stretch of it, with holes. The even stream goes once round each room; the
robot's stream has rooms of unequal size, and stands still for long.
"""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.continual.admission import AdmissionPolicy, ClassBalanced, CoverageScore, Reservoir
from cl_localization.continual.replay_buffer import ReplayBuffer

CAPACITY, SEEN_AT_ONCE, SHOWN = 40, 12, 0.7
POLICIES: dict[str, AdmissionPolicy] = {"Random": Reservoir(), "Imgbal": ClassBalanced(),
                                        "CoverageS": CoverageScore(evict_redundant=False), "Redundant": CoverageScore()}
SEEDS = range(3)
Stream = list[tuple[int, np.ndarray]]
"""Room and regions of every frame, in order."""


def ring(room: int, regions: int, frames: int, stops: int, stop_frames: int, random: np.random.Generator) -> Stream:
    """Frames of one round through a room, with stops."""
    places = np.sort(np.concatenate([np.linspace(0, regions, frames, endpoint=False),
                                     np.repeat(random.uniform(0, regions, stops), stop_frames)]))
    seen = [(int(place) + np.flatnonzero(random.random(SEEN_AT_ONCE) < SHOWN)) % regions for place in places]
    return [(room, 1000 * room + each) for each in seen]


def even_stream(random: np.random.Generator) -> Stream:
    """Five rooms alike, each seen once without a stop."""
    return [frame for room in range(5) for frame in ring(room, 100, 100, 0, 0, random)]


def robot_stream(random: np.random.Generator) -> Stream:
    """Five rooms from a closet to a hall, with long stops."""
    sizes = (40, 200, 60, 120, 80)
    return [frame for room, size in enumerate(sizes) for frame in ring(room, size, size, 2, 150, random)]


ON_THE_PAGE = {even_stream: {"Random": 50, "Imgbal": 49, "CoverageS": 39, "Redundant": 78},
               robot_stream: {"Random": 32, "Imgbal": 32, "CoverageS": 34, "Redundant": 68}}
"""Means over the seeds, in percent, as docs/continual.md gives them."""


def shown_percent(stream: Stream, kept: list[int]) -> float:
    """Share of all regions that kept frames show."""
    every = np.unique(np.concatenate([regions for _, regions in stream]))
    return 100.0 * len(np.unique(np.concatenate([stream[frame][1] for frame in kept]))) / len(every)


def kept_by(policy: AdmissionPolicy, stream: Stream, seed: int) -> list[int]:
    """Frames of a stream that a buffer has in the end."""
    buffer = ReplayBuffer(policy, CAPACITY, seed=seed)
    for number, (room, regions) in enumerate(stream):
        buffer.offer({"frame": np.array([number])}, room, regions=[np.unique(regions)])
    return buffer.columns.rows(slice(None))["frame"].tolist()


def percents(make_stream, policy: AdmissionPolicy) -> np.ndarray:
    """Shares by seed; streams of one seed are the same for every policy."""
    found = []
    for seed in SEEDS:
        stream = make_stream(np.random.default_rng(seed))
        found.append(shown_percent(stream, kept_by(policy, stream, seed)))
    return np.array(found)


@pytest.mark.parametrize("make_stream", [even_stream, robot_stream])
def test_every_policy_shows_more_than_the_newest_frames(make_stream) -> None:
    stream = make_stream(np.random.default_rng(0))
    newest = shown_percent(stream, list(range(len(stream) - CAPACITY, len(stream))))
    assert newest < 15 < min(percents(make_stream, policy).min() for policy in POLICIES.values())


@pytest.mark.parametrize("make_stream", [even_stream, robot_stream])
def test_giving_up_redundant_frames_shows_most_with_every_seed(make_stream) -> None:
    shown = {name: percents(make_stream, policy) for name, policy in POLICIES.items()}
    assert all((shown[name] + 20 < shown["Redundant"]).all() for name in POLICIES if name != "Redundant")
    assert {name: round(each.mean()) for name, each in shown.items()} == pytest.approx(ON_THE_PAGE[make_stream], abs=2)
