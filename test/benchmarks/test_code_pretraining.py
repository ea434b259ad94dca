"""The prepared pre-training, tiny: it asks, trains and asks again, and features of a sequence go through a file."""

from __future__ import annotations

import json

import numpy as np
import torch

from benchmarks.asked_scenes import kitchen_scenes, write_features
from benchmarks.code_pretraining import Arguments, Asked, run
from cl_localization.cli.flags import parse
from cl_localization.research.ace_g.checkpoint import load_attention
from cl_localization.research.ace_g.cli_train import understood

TINY = ["--preset", "h100", "--rooms", "1", "--room-frames", "2", "--room-size", "96x64", "--unseen", "1",
        "--unseen-frames", "2", "--seconds", "0.5", "--network.width", "16", "--network.blocks", "1", "--network.heads",
        "2", "--network.codes", "8", "--pretraining.steps", "5", "--pretraining.features-per-step", "64",
        "--pretraining.active-scenes", "2", "--pretraining.workers", "0", "--codes.iterations", "2",
        "--codes.batch-size", "32"]


def test_scenes_are_asked_for_before_and_after_the_training(tmp_path):
    run(parse(Arguments, understood([*TINY, "--out", str(tmp_path)]), "bench"))
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(one["scene"], one["network"]) for one in results["asked"]] == [("sim:50000", "untrained"),
                                                                            ("sim:50000", "pre-trained")]
    assert len(results["asked"][0]["errors"]) == 2
    assert load_attention(tmp_path / "weights").extra["steps"] == results["made"]["steps"] > 0
    assert "| sim:50000 | untrained | 2 |" in (tmp_path / "results.md").read_text()


def test_the_features_of_a_file_are_split_by_frame_number(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.asked_scenes.SPLITS", {"odd": lambda number: number % 2 == 0})
    write_features("sim:3?rooms=1&frames=4&size=96x64", tmp_path / "features")
    scene, = kitchen_scenes(tmp_path / "features")
    assert len(scene.mapping.cam_T_world) == len(scene.queries.cam_T_world) == 2
    assert scene.queries.views.unique().tolist() == [0, 1]
    torch.testing.assert_close(scene.mapping.features.square().mean(), torch.tensor(1.0), atol=0.02, rtol=0)


def test_a_row_counts_images_without_a_pose_as_wrong():
    row = Asked("room", "some", np.array([[0.01, 1.0], [0.1, 1.0], [np.inf, np.inf]]), 2.0).row()
    assert row == ("room", "some", "3", "33", "67", "67", "10.0", "1.0", "2")
