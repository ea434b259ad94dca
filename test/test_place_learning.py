"""The mapper learns from places it comes back to, and keeps what it knew."""

from __future__ import annotations

import numpy as np
import pytest
from core_makers import unit_vectors

from cl_localization.config import MapCodeConfig, PlaceLearningConfig
from cl_localization.place_learning import PlaceLearner
from cl_localization.place_recognition.whole_image import DIM, as_bytes
from cl_localization.scene_coordinates.map_code import MapCode

PLACES = 80
CHANGED = 112
FAR_M = 3.0


def descriptors(changed: bool) -> np.ndarray:
    """Descriptors of places; once changed, a part of each looks like another place did."""
    units = unit_vectors(np.random.default_rng(0), PLACES, DIM)
    if changed:
        units[:, :CHANGED] = 1.3 * np.roll(units[:, :CHANGED], 7, axis=0)
        units /= np.linalg.norm(units, axis=1, keepdims=True)
    return as_bytes(units)


def drive(learner: PlaceLearner, map_code: MapCode, looks: np.ndarray, start_s: int, confirmed: int) -> None:
    """Drive by all places, far apart from each other, and map them."""
    for number, descriptor in enumerate(looks):
        pose = np.eye(4)
        pose[0, 3] = FAR_M * number
        keyframe = map_code.add_keyframe(pose, 10**9 * (start_s + number), map_code.scene_number("hall"), 0.0, learner.kept(descriptor))
        learner.saw(keyframe, descriptor, confirmed)


def learned(config: PlaceLearningConfig, confirmed: int = 50, slices: int = 2000) -> tuple[PlaceLearner, MapCode]:
    """Drive by twice, and learn until there is a version, or for so many slices."""
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    learner = PlaceLearner(map_code, config)
    drive(learner, map_code, descriptors(False), 1000, 0)
    drive(learner, map_code, descriptors(True), 5000, confirmed)
    any(learner.learn() for _ in range(slices))
    return learner, map_code


@pytest.fixture(scope="module")
def taught() -> tuple[PlaceLearner, MapCode]:
    """A learner that has driven by twice, and had time to learn."""
    return learned(PlaceLearningConfig(learn_ms=30.0))


def test_revisits_teach_the_descriptors_of_the_map(taught) -> None:
    learner, map_code = taught
    assert learner.versions == 1
    assert map_code.version > 2 * PLACES
    old = map_code.keyframes["keyframe_descriptors"][map_code.keyframes.rows()[:PLACES]]
    assert (old != descriptors(False)).any()


def test_a_new_keyframe_gets_the_descriptor_of_the_version_in_use(taught) -> None:
    learner, map_code = taught
    looks = descriptors(False)[0]
    np.testing.assert_array_equal(learner.kept(looks), map_code.keyframes["keyframe_descriptors"][0])
    assert not learner.kept(np.zeros(DIM, np.int8)).any()


@pytest.mark.parametrize("config, confirmed", [(PlaceLearningConfig(), 50), (PlaceLearningConfig(learn_ms=20.0), 3)])
def test_nothing_is_learned_when_off_or_without_confirmed_codes(config, confirmed) -> None:
    learner, map_code = learned(config, confirmed, 5)
    assert learner.versions == 0
    np.testing.assert_array_equal(map_code.keyframes["keyframe_descriptors"][:PLACES], descriptors(False))
