"""7-Scenes and 12-Scenes as benchmarks of several scenes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.research.hscnet.scene_groups import (
    DATASETS,
    BenchmarkScene,
    MovedSequence,
    benchmark_scenes,
    mean_position_m,
    open_benchmark_scene,
)
from data.makers import MadeSequence
from data.scene_makers import pose_at, write_seven, write_twelve


@pytest.mark.parametrize("dataset, count, last", [("i7S", 7, "stairs"), ("i12S", 12, "office2/5b"),
                                                  ("i19S", 19, "office2/5b")])
def test_benchmarks_have_their_scenes_in_the_published_order(dataset: str, count: int, last: str) -> None:
    scenes = benchmark_scenes(dataset)
    assert len(scenes) == count and scenes[-1].name == last
    assert scenes[1].offset_m == ((0, -20, 0) if dataset == "i12S" else (10, 0, 0))


def test_single_scenes_stay_where_they_are() -> None:
    assert benchmark_scenes("7S", "fire") == (BenchmarkScene("fire", "7S"),)
    with pytest.raises(DataError, match="scene of 7S must be one of chess, fire.*found 'bathroom'"):
        benchmark_scenes("7S", "bathroom")
    with pytest.raises(DataError, match="dataset must be one of 7S, 12S, i7S"):
        benchmark_scenes("Cambridge")
    assert set(DATASETS) == {"7S", "12S", "i7S", "i12S", "i19S"}


def test_scenes_are_found_with_and_without_the_folder_of_their_data_set(tmp_path: Path) -> None:
    write_seven(tmp_path, ("chess",), 2)
    (scene,) = benchmark_scenes("7S", "chess")
    assert open_benchmark_scene(scene, tmp_path, "train").names == ["seq-01/frame-000000", "seq-01/frame-000001"]
    assert open_benchmark_scene(scene, tmp_path / "7Scenes", "test").names[0] == "seq-02/frame-000000"
    with pytest.raises(DataError, match="scene chess must lie in .*7Scenes/chess or .* as it is published, found "
                                        "nothing"):
        open_benchmark_scene(scene, tmp_path / "none", "train")
    with pytest.raises(DataError, match="split must be one of train, test, found 'val'"):
        open_benchmark_scene(scene, tmp_path, "val")


def test_frames_with_infinite_poses_are_left_out_and_named(tmp_path: Path) -> None:
    write_twelve(tmp_path, ("apt1/kitchen",))
    (scene,) = benchmark_scenes("12S", "apt1/kitchen")
    train = open_benchmark_scene(scene, tmp_path, "train")
    assert train.names == ["sequence1/frame-000002"] and train.skipped == ["sequence1/frame-000003"]
    assert len(open_benchmark_scene(scene, tmp_path, "test")) == 2


@pytest.mark.parametrize("suffix, what", [("depth.png", "depth"), ("pose.txt", "pose")])
def test_training_frames_without_pose_or_depth_are_an_error_and_test_frames_are_not(
    tmp_path: Path, suffix: str, what: str
) -> None:
    write_seven(tmp_path, ("chess",), 2)
    (scene,) = benchmark_scenes("7S", "chess")
    for sequence in ("seq-01", "seq-02"):
        (tmp_path / "7Scenes" / "chess" / sequence / f"frame-000001.{suffix}").unlink()
    with pytest.raises(DataError, match=f"must all have a {what} file, found 1 without, the first is "
                                        "seq-01/frame-000001"):
        open_benchmark_scene(scene, tmp_path, "train")
    assert len(open_benchmark_scene(scene, tmp_path, "test")) == 2


def test_lists_of_frames_choose_them_and_must_be_complete(tmp_path: Path) -> None:
    write_twelve(write_seven(tmp_path, ("chess",), 2), ("office2/5a",))
    chess, office = benchmark_scenes("7S", "chess")[0], benchmark_scenes("12S", "office2/5a")[0]
    listing = tmp_path / "7Scenes" / "train.txt"
    listing.write_text("fire seq-01 frame-000000\nchess seq-02 frame-000001\nchess seq-01 frame-000000\n")
    assert open_benchmark_scene(chess, tmp_path, "train").names == ["seq-02/frame-000001", "seq-01/frame-000000"]
    (tmp_path / "12Scenes" / "office2" / "5a" / "test.txt").write_text("frame-000001\nframe-000003\n")
    assert open_benchmark_scene(office, tmp_path, "test").names == ["sequence0/frame-000001"]
    listing.write_text("chess seq-01 frame-000007\n")
    with pytest.raises(DataError, match="all frames that train.txt lists, found 1 of 1 are missing, the first is "
                                        "seq-01/frame-000007"):
        open_benchmark_scene(chess, tmp_path, "train")
    listing.write_text("chess seq-01\n")
    with pytest.raises(DataError, match="must have lines like: chess seq-01 frame-000000"):
        open_benchmark_scene(chess, tmp_path, "train")


def test_a_folder_of_another_layout_is_named(tmp_path: Path) -> None:
    write_seven(tmp_path, ("chess",))
    shutil.rmtree(tmp_path / "7Scenes" / "chess" / "seq-01")
    shutil.rmtree(tmp_path / "7Scenes" / "chess" / "seq-02")
    with pytest.raises(DataError, match="found a folder of another layout"):
        open_benchmark_scene(benchmark_scenes("7S", "chess")[0], tmp_path, "train")


def test_a_moved_sequence_moves_poses_and_nothing_else() -> None:
    sequence = MadeSequence(3)
    moved = MovedSequence(sequence, (1.0, 2.0, 3.0))
    assert np.allclose(moved[1].world_T_cam[:3, 3] - sequence[1].world_T_cam[:3, 3], (1, 2, 3))
    assert np.array_equal(moved.pose(2), moved[2].world_T_cam) and np.array_equal(moved[0].image, sequence[0].image)
    assert np.allclose(mean_position_m(moved) - mean_position_m(sequence), (1, 2, 3)) and moved.names == sequence.names
    assert MovedSequence(MadeSequence(1, posed=False), (1, 1, 1)).pose(0) is None
    with pytest.raises(DataError, match="must have frames with poses, found 2 frames without"):
        mean_position_m(MadeSequence(2, posed=False))
    assert pose_at(1)[0, 3] == 0.2
