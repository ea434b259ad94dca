"""What is replayed: features of keyframes that the map still has, of one scene, where their keyframes are now."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.map.map_code import MapCode
from cl_localization.mapping.learned.options import LearnedCodesConfig
from cl_localization.mapping.learned.replay import FeatureReplay
from core_makers import motion, unit_vectors
from map_makers import DIM, empty_map

CONFIG = LearnedCodesConfig(replay_mb=0.5)
ORIGIN_M = np.zeros(3)


def offer(replay: FeatureReplay, map_code: MapCode, scene: str, x_m: float, stamp_ns: int) -> int:
    """Offer features one metre ahead of a new keyframe on the x axis; return its number."""
    pose = motion(np.zeros(3), np.array([x_m, 0.0, 0.0]))
    keyframe = map_code.add_keyframe(pose, stamp_ns, map_code.scene_number(scene))
    replay.offer(keyframe, unit_vectors(np.random.default_rng(stamp_ns), 40, DIM), np.tile([0.0, 0.0, 1.0], (40, 1)))
    return keyframe


def places_m(replay: FeatureReplay, scene: int) -> list[float]:
    """Return where on the x axis the features of a scene are."""
    return np.unique(replay.samples(scene, ORIGIN_M).points.numpy()[:, 0]).tolist()


def test_each_scene_has_its_own_features() -> None:
    map_code = empty_map()
    replay = FeatureReplay(map_code, CONFIG)
    for number, scene in enumerate(("kitchen", "hall", "kitchen")):
        offer(replay, map_code, scene, float(number), number + 1)
    assert places_m(replay, map_code.scene_number("kitchen")) == [0.0, 2.0]
    assert places_m(replay, map_code.scene_number("hall")) == [1.0]


def test_a_keyframe_that_had_to_go_is_replayed_no_more_not_even_where_its_number_is_used_again() -> None:
    map_code = empty_map()
    replay = FeatureReplay(map_code, CONFIG)
    gone, _ = (offer(replay, map_code, "kitchen", float(number), number + 1) for number in range(2))
    map_code.version += 1
    map_code.keyframes.remove(np.array([gone]), map_code.version)
    assert places_m(replay, 0) == [1.0] and len(replay.samples(0, ORIGIN_M)) == replay.features
    assert map_code.add_keyframe(motion(np.zeros(3), np.array([7.0, 0.0, 0.0])), 9, 0) == gone
    assert places_m(replay, 0) == [1.0]
    replay.offer(gone, unit_vectors(np.random.default_rng(3), 40, DIM), np.tile([0.0, 0.0, 1.0], (40, 1)))
    assert places_m(replay, 0) == [1.0, 7.0] and len(replay.samples(0, ORIGIN_M)) == 2 * replay.features


@pytest.mark.parametrize("policy, kept_m", [("none", []), ("Random", [0.0])])
def test_without_replay_only_the_scene_in_work_is_remembered(policy: str, kept_m: list[float]) -> None:
    map_code = empty_map()
    replay = FeatureReplay(map_code, replace(CONFIG, replay_policy=policy))
    for number, scene in enumerate(("kitchen", "hall", "hall")):
        offer(replay, map_code, scene, float(number), number + 1)
    assert places_m(replay, map_code.scene_number("kitchen")) == kept_m
    assert places_m(replay, map_code.scene_number("hall")) == [1.0, 2.0]
