"""Scene coordinates from the nearest code, and how ambiguous they are."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.features import Features
from cl_localization.localization.regressor import SAME_PLACE_CELLS, NearestRegressor
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import PointScene, noisy, unit_vectors

SCENE = PointScene.room(200)


def map_of(descriptors: np.ndarray, positions_m: np.ndarray, cell_size_m: float = 0.02) -> MapCode:
    map_code = MapCode(MapCodeConfig(cell_size_m=cell_size_m), "scene", descriptors.shape[1])
    frame = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("room"))
    sigmas_m = np.linspace(0.01, 0.02, len(descriptors), dtype=np.float32)
    map_code.insert(NewCodes(descriptors, np.asarray(positions_m, np.float32), sigmas_m), frame)
    return map_code


def features_of(descriptors: np.ndarray) -> Features:
    return Features(np.zeros((len(descriptors), 2), np.float32), descriptors, np.ones(len(descriptors), np.float32))


def test_a_feature_lies_where_its_code_does():
    map_code = map_of(SCENE.descriptors, SCENE.points_m)
    wanted = np.arange(0, 200, 7)
    queries = noisy(np.random.default_rng(0), SCENE.descriptors[wanted], 0.9)
    found = NearestRegressor(map_code).regress(features_of(queries))
    np.testing.assert_array_equal(found.features, np.arange(len(wanted)))
    np.testing.assert_allclose(found.points_m, SCENE.points_m[wanted], atol=1e-6)
    np.testing.assert_allclose(found.sigmas_m, np.linspace(0.01, 0.02, 200)[wanted], rtol=1e-5)
    assert found.ambiguity.max() < 0.6


def test_in_an_empty_map_nothing_has_coordinates():
    found = NearestRegressor(MapCode(MapCodeConfig(), "scene", 64)).regress(features_of(SCENE.descriptors))
    assert (len(found.features), found.points_m.shape, len(found.rows)) == (0, (0, 3), 0)


def test_an_image_without_features_has_no_coordinates():
    found = NearestRegressor(map_of(SCENE.descriptors, SCENE.points_m)).regress(features_of(SCENE.descriptors[:0]))
    assert found.points_m.shape == (0, 3)


def test_one_code_alone_is_not_ambiguous():
    found = NearestRegressor(map_of(SCENE.descriptors[:1],
                                    SCENE.points_m[:1])).regress(features_of(SCENE.descriptors[:1]))
    assert found.ambiguity[0] < 0.1


def pair(apart_m: float) -> np.ndarray:
    """Ambiguity of a feature between two codes that look alike, among others that do not."""
    random = np.random.default_rng(3)
    one = unit_vectors(random, 1, 64)
    descriptors = np.concatenate([one, noisy(random, one, 0.97), unit_vectors(random, 50, 64)])
    positions_m = np.concatenate([[[0, 0, 3.0], [apart_m, 0, 3.0]], random.uniform(5, 9, (50, 3))])
    query = descriptors[:1] + descriptors[1:2]
    return (
        NearestRegressor(map_of(descriptors, positions_m)).regress(features_of(query / np.linalg.norm(query))).ambiguity
    )


def test_codes_that_look_alike_far_apart_make_a_feature_ambiguous():
    assert pair(apart_m=1.0)[0] > 0.8


def test_modes_of_one_place_are_no_rivals():
    assert pair(apart_m=0.5 * SAME_PLACE_CELLS * 0.02)[0] < 0.3


def test_ambiguity_lies_between_nothing_and_a_toss_up():
    random = np.random.default_rng(0)
    found = NearestRegressor(map_of(SCENE.descriptors, SCENE.points_m)).regress(
        features_of(unit_vectors(random, 300, 64))
    )
    assert found.ambiguity.min() > 0
    assert found.ambiguity.max() <= 1.0 + 1e-6
    assert np.median(found.ambiguity) > 0.9


@pytest.mark.parametrize("choice", [np.array([True, False, True]), np.array([0, 2])])
def test_some_of_the_coordinates_can_be_chosen(choice):
    found = NearestRegressor(map_of(SCENE.descriptors, SCENE.points_m)).regress(features_of(SCENE.descriptors[:3]))
    chosen = found.select(choice)
    assert chosen.features.tolist() == [0, 2]
    np.testing.assert_array_equal(chosen.points_m, found.points_m[[0, 2]])
    assert len(chosen.sigmas_m) == len(chosen.ambiguity) == len(chosen.rows) == 2


def test_the_map_is_followed():
    map_code = map_of(SCENE.descriptors[:10], SCENE.points_m[:10])
    regressor = NearestRegressor(map_code)
    regressor.regress(features_of(SCENE.descriptors[:10]))
    map_code.remove(map_code.codes.rows()[:1])
    found = regressor.regress(features_of(SCENE.descriptors[:1]))
    assert np.linalg.norm(found.points_m[0] - SCENE.points_m[0]) > 0.1
