"""Learning on: codes move to where their sightings meet, and a step that does harm is undone."""

from __future__ import annotations

import numpy as np
import pytest
from core_makers import CAMERA, WALL_M, PointScene, look_at, noisy, unit_vectors

from cl_localization.config import MapCodeConfig
from cl_localization.scene_coordinates.code_index import CodeIndex
from cl_localization.scene_coordinates.map_code import MapCode, NewCodes
from cl_localization.scene_coordinates.online_learning import OnlineLearner, OnlineLearningConfig
from cl_localization.scene_coordinates.replay_score import ScoreChange, replay_scores
from cl_localization.scene_coordinates.views import View

SCENE = PointScene.wall(200)


def wall_map(error_m: float = 0.0, similarity: float = 1.0) -> MapCode:
    """A map of the wall whose positions and keys are a little wrong."""
    random = np.random.default_rng(1)
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    keyframe = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("room"))
    keys = SCENE.descriptors if similarity == 1.0 else noisy(random, SCENE.descriptors, similarity)
    positions = SCENE.points_m + random.normal(scale=error_m, size=SCENE.points_m.shape) if error_m else SCENE.points_m
    map_code.insert(NewCodes(keys, positions.astype(np.float32), np.full(len(keys), max(error_m, 0.01), np.float32)), keyframe)
    return map_code


def view_from(x_m: float, y_m: float = 0.0) -> View:
    pose = look_at((x_m, y_m, 0.0), (0.0, 0.0, WALL_M))
    return View.of(0, pose, CAMERA, SCENE.features(pose))


def learner(map_code: MapCode, **options) -> OnlineLearner:
    found = OnlineLearner(map_code, OnlineLearningConfig(**options))
    for x_m in np.linspace(-1, 1, 12):
        found.observe(view_from(x_m, 0.3 * x_m**2))
    return found


def error_m(map_code: MapCode) -> float:
    return float(np.median(np.linalg.norm(map_code.positions_m - SCENE.points_m, axis=1)))


def test_positions_go_to_where_sightings_meet():
    map_code = wall_map(error_m=0.01)
    before, learned = error_m(map_code), learner(map_code, key_rate=0.0)
    steps = [learned.step() for _ in range(5)]
    assert steps[0].kept and steps[0].moved > 50
    assert error_m(map_code) < 0.6 * before


def test_keys_go_towards_what_is_seen():
    map_code = wall_map(similarity=0.85)
    rows = map_code.codes.rows()
    before = (map_code.descriptors(rows) * SCENE.descriptors).sum(axis=1)
    learned = learner(map_code, key_rate=5.0, min_similarity=0.5)
    assert learned.step().kept
    assert (map_code.descriptors(rows) * SCENE.descriptors).sum(axis=1).mean() >= before.mean()


def test_codes_that_are_not_sighted_stay_as_they_are():
    map_code = wall_map(error_m=0.01)
    random = np.random.default_rng(5)
    keyframe = map_code.add_keyframe(np.eye(4), 0, 0)
    far = map_code.insert(NewCodes(unit_vectors(random, 20, 64), random.uniform(50, 60, (20, 3)).astype(np.float32),
                                   np.full(20, 0.01, np.float32)), keyframe)
    before = [map_code.codes[name][far].copy() for name in ("keys", "positions_m", "sigmas_m")]
    learned = learner(map_code)
    learned.step()
    for name, values in zip(("keys", "positions_m", "sigmas_m"), before):
        np.testing.assert_array_equal(map_code.codes[name][far], values)


def test_a_step_that_does_harm_is_undone(monkeypatch):
    map_code = wall_map()
    learned, rows = learner(map_code), map_code.codes.rows()
    before = [map_code.codes[name][rows].copy() for name in ("keys", "positions_m", "sigmas_m")]

    def ruined(self, rows, point, view_of, feature, views):
        moved = np.ones(len(rows), bool)
        return self._map.codes["positions_m"][rows] + 0.3, self._map.codes["sigmas_m"][rows], moved

    monkeypatch.setattr(OnlineLearner, "_moved", ruined)
    step = learned.step()
    assert not step.kept and step.change.mean < 0
    for name, values in zip(("keys", "positions_m", "sigmas_m"), before):
        np.testing.assert_array_equal(map_code.codes[name][rows], values)


def test_a_learner_without_keyframes_does_nothing():
    map_code = wall_map()
    step = OnlineLearner(map_code).step()
    assert (step.sighted, step.moved, step.kept) == (0, 0, True)


def test_the_newest_keyframe_is_always_kept():
    found = OnlineLearner(wall_map(), OnlineLearningConfig(kept_views=4))
    views = [view_from(x_m) for x_m in np.linspace(-1, 1, 9)]
    for view in views:
        found.observe(view)
    assert len(found.views) == 4 and found.views[-1] is views[-1]


def test_a_better_map_has_a_better_score():
    views = [view_from(x_m) for x_m in (-0.5, 0.0, 0.5)]
    scores = [replay_scores(one, CodeIndex(one), views).mean() for one in (wall_map(), wall_map(error_m=0.03))]
    assert scores[0] > 0.9 > scores[1]
    empty = View.of(0, np.eye(4), CAMERA, SCENE.features(np.eye(4)).select(slice(0)))
    assert replay_scores(wall_map(), CodeIndex(wall_map()), [empty]) == [0]


@pytest.mark.parametrize("after, harm", [([0.5, 0.6, 0.4], False), ([0.49, 0.61, 0.4], False), ([0.3, 0.4, 0.2], True)])
def test_less_than_the_noise_is_no_harm(after, harm):
    assert ScoreChange.between(np.array([0.5, 0.6, 0.4]), np.array(after)).is_harm is harm
    assert not ScoreChange.between(np.zeros(0), np.zeros(0)).is_harm
