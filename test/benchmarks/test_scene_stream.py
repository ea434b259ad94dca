"""Streams of scenes with learners whose memory is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.scene_learners import DenseLearner
from benchmarks.scene_stream import StreamScene, ask_in_the_end, run_stream
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.training import DenseTrainer
from data.makers import CAMERA, make_image


def frame(scene: int, number: int) -> Frame:
    """Return a frame whose pose tells its scene."""
    pose = np.eye(4)
    pose[:3, 3] = [30 * scene, number, 0]
    return Frame(number, make_image(number), CAMERA, np.ones((24, 32), np.float32), pose)


SCENES = [StreamScene(f"scene {scene}", [frame(scene, number) for number in range(4)],
                      [frame(scene, number) for number in range(4)])
          for scene in range(3)]


class Forgetful:
    """Knows the last two scenes, one centimetre off, and has no pose for others."""

    def __init__(self) -> None:
        self.known: list[int] = []

    def learn(self, scene: int, frames: Sequence[Frame]) -> None:
        assert len(frames) == 4
        self.known = [*self.known, scene][-2:]

    def pose(self, query: Frame) -> np.ndarray | None:
        if round(query.world_T_cam[0, 3] / 30) not in self.known:
            return None
        pose = query.world_T_cam.copy()
        pose[0, 3] += 0.01
        return pose


def test_all_scenes_so_far_are_asked_for_after_each() -> None:
    told = []
    errors = run_stream(SCENES, Forgetful(), lambda done, total: told.append((done, total)))
    matrix = errors.matrix((0.05, 5.0))
    expected = np.array([[100, np.nan, np.nan], [100, 100, np.nan], [0, 100, 100]])
    assert np.array_equal(matrix.percent, expected, equal_nan=True) and told == [(1, 3), (2, 3), (3, 3)]
    assert matrix.forgetting.tolist() == [100, 0] and matrix.tasks == ("scene 0", "scene 1", "scene 2")
    assert errors.matrix((0.005, 5.0)).average == 0.0


def test_what_is_learned_at_once_has_a_last_row_only() -> None:
    learner = Forgetful()
    learner.known = [0, 1, 2]
    matrix = ask_in_the_end(SCENES, learner).matrix((0.05, 5.0))
    assert matrix.average == 100.0 and np.isnan(matrix.percent[:-1]).all() and np.isnan(matrix.forgetting).all()
    assert matrix.to_json()["forgetting"] == [None, None] and matrix.to_json()["backward_transfer"] is None


def test_a_dense_network_is_a_learner() -> None:
    config = DenseTrainingConfig(width=0.02, image_width_px=32, iterations=1, buffer_size=2, regression_weight=1.0)
    errors = run_stream(SCENES[:2], DenseLearner(DenseTrainer(2, config)))
    assert set(errors.errors) == {(0, 0), (1, 0), (1, 1)} and errors.errors[1, 0].shape == (4, 2)


def test_streams_without_scenes_or_queries_are_refused() -> None:
    for scenes in ([], [StreamScene("empty", SCENES[0].frames, [])]):
        with pytest.raises(DataError, match="stream of scenes must have scenes with queries"):
            run_stream(scenes, Forgetful())
