"""The table of other recipes: what each row counts, and poses that are laid over the truth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from attention_makers import FrameList
from benchmarks import peers
from benchmarks.orb_slam3 import Followed
from benchmarks.peers import HEADERS, followed_run, peers_table, recipe_runs, scored
from benchmarks.plain_recipe import PlainRecipe
from benchmarks.runs import Experiment
from cl_localization.data.trajectory import Trajectory
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.localization.result import Localization
from core_makers import PointScene, SceneEncoder, look_at, motion, wall_depth

POSES = [look_at((0.1 * number, 0.05 * (-1) ** number, 0.02 * number), (0.0, 0.0, 4.0)) for number in range(8)]
MAPPED, ASKED = slice(0, 6), slice(6, 8)


@pytest.fixture(scope="module")
def encoder() -> SceneEncoder:
    """A wall that an encoder knows by heart."""
    return SceneEncoder(PointScene.wall(200), noise_px=0.2, similarity=0.95)


@pytest.fixture(scope="module")
def frames(encoder: SceneEncoder) -> list:
    """The way along it, with depth."""
    return [encoder.frame(pose, wall_depth(pose)) for pose in POSES]


@pytest.fixture
def experiment(frames: list) -> Experiment:
    return Experiment("wall", lambda: (FrameList("mapped", frames[MAPPED]), FrameList("asked", frames[ASKED])))


def test_a_keyframe_with_depth_is_enough_for_the_recipe(encoder, frames) -> None:
    recipe = PlainRecipe(frames[:1], encoder, use_depth=True)
    assert pose_error(recipe.localize(frames[2], retrieved=1), POSES[2])[0] < 0.03
    assert recipe.map_bytes == len(encoder.encode(frames[0].image)) * (encoder.dim + 20) + 28 + 256


def test_a_row_counts_queries_without_a_pose_and_wrong_poses() -> None:
    here = np.eye(4)
    found = [here, motion(np.zeros(3), np.array([0.1, 0, 0])), motion(np.zeros(3), np.array([2.0, 0, 0])), None]
    run = scored("wall", "ours", [here] * 4, found, 20.0, 1000)
    assert run.within_percent == (25.0, 50.0) and run.wrong == 1 and run.median_cm == pytest.approx(10.0)
    assert len(run.row(10.0)) == len(HEADERS) and run.row(10.0)[-2] == "2.0"
    assert scored("wall", "ours", [here], [None], 20.0, None).row(10.0)[5:7] == ("-", "-")


def test_all_recipes_are_asked_the_same(encoder, experiment, frames) -> None:
    truth = {frame.stamp_ns: frame.world_T_cam for frame in frames}
    localizer = SimpleNamespace(encoder=encoder, localize=lambda frame: Localization(
        frame.stamp_ns, True, world_T_cam=truth[frame.stamp_ns]))
    bench = SimpleNamespace(localizer=localizer, outcomes=[SimpleNamespace(file_bytes=7)], run=lambda experiment: None)
    runs = recipe_runs(bench, experiment, 1, {"nearest neighbours": peers.nearest_neighbours})
    assert [run.how for run in runs] == ["ours", "nearest neighbours, 5 keyframes", "nearest neighbours, 10 keyframes"]
    assert all(run.queries == 2 and run.within_percent == (100.0, 100.0) for run in runs) and runs[0].map_bytes == 7


def test_followed_poses_are_laid_over_the_truth_by_the_mapped_frames(monkeypatch, experiment, frames) -> None:
    monkeypatch.setattr(peers, "open_sequence", lambda spec: FrameList("all", frames))
    true_T_own = motion(np.array([0.2, -0.4, 0.1]), np.array([3.0, 1.0, -2.0]))
    trajectory = Trajectory(np.array([frame.stamp_ns for frame in frames[1:]]),
                            np.array([inverse(true_T_own) @ pose for pose in POSES[1:]]))
    run = followed_run(Followed(trajectory, 30.0), experiment, "all", 1)
    assert run.within_percent == (100.0, 100.0) and run.median_cm < 1e-3 and run.image_ms == 30.0


def test_the_table_has_ours_first_and_the_program_that_is_installed_last(monkeypatch) -> None:
    def run(how: str):
        return scored("kitchen", how, [np.eye(4)], [np.eye(4)], 10.0, 1)

    monkeypatch.setattr(peers.orb_slam3, "followed", lambda kitchen: "followed")
    monkeypatch.setattr(peers, "recipe_runs", lambda *_: [run("ours"), run("recipe")])
    monkeypatch.setattr(peers, "followed_run", lambda *_: run("program"))
    table = peers_table(None, "kitchen", 3)
    assert [row[1] for row in table.rows] == 2 * ["ours", "recipe", "program"]
    assert len(table.results["peers"]) == 6
